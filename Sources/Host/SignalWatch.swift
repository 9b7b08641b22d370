import CLinux
import Glibc

/// The signals that a program with a screen reads as events instead of being interrupted by them.
public enum WatchedSignal: Int32, Sendable, CaseIterable {
    /// SIGHUP: the terminal went away.
    case hangUp = 1
    /// SIGINT: Ctrl-C.
    case interrupt = 2
    /// SIGQUIT: Ctrl-\.
    case quit = 3
    /// SIGTERM.
    case terminate = 15
    /// SIGCONT: running again after a stop.
    case continued = 18
    /// SIGTSTP: Ctrl-Z.
    case stop = 20
    /// SIGWINCH: another size of terminal.
    case windowChanged = 28

    /// Whether it asks the program to end.
    public var asksToEnd: Bool {
        switch self {
        case .hangUp, .interrupt, .quit, .terminate: true
        case .continued, .stop, .windowChanged: false
        }
    }

    /// The exit status that a shell gives to a program which this signal ended.
    public var exitStatus: Int32 { 128 + rawValue }
}

/// Signals as a file descriptor to poll.
///
/// Create it on the main thread before any other thread starts: it blocks the signals in the calling thread, and threads
/// inherit that. A thread that was started before still takes them and dies of them. Not for use by two threads at once.
public final class SignalWatch {
    /// Readable when a signal waits (signalfd(2)).
    public let descriptor: Int32

    /// Blocks the watched signals and SIGPIPE in this thread.
    /// - Throws: ``SystemCallError`` when the kernel gives no descriptor.
    public init() throws {
        var mask = Self.mask
        let blocked = pthread_sigmask(SIG_BLOCK, &mask, nil)
        guard blocked == 0 else { throw SystemCallError(call: "pthread_sigmask", code: blocked) }
        // A reader that goes away is an error of that write, not the end of the program.
        Glibc.signal(SIGPIPE, SIG_IGN)
        descriptor = signalfd(-1, &mask, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard descriptor >= 0 else { throw SystemCallError(call: "signalfd", code: errno) }
    }

    deinit { close(descriptor) }

    /// Takes the signals that wait, in the order of arrival; none when none wait. Signals of a kind may have collapsed.
    public func drain() -> [WatchedSignal] {
        var result: [WatchedSignal] = []
        var info = signalfd_siginfo()
        while read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
            if let signal = WatchedSignal(rawValue: Int32(info.ssi_signo)) { result.append(signal) }
        }
        return result
    }

    /// Stops the process as Ctrl-Z does without a watch; returns when it runs again. Where nobody could wake it (an
    /// orphaned process group) the kernel drops the stop and this returns at once.
    public func stopProcess() {
        Glibc.signal(SIGTSTP, SIG_DFL)
        var only = sigset_t()
        sigemptyset(&only)
        sigaddset(&only, SIGTSTP)
        kill(getpid(), SIGTSTP)
        // The stop is pending until here: unblocked in this thread alone, it acts before pthread_sigmask returns.
        pthread_sigmask(SIG_UNBLOCK, &only, nil)
        pthread_sigmask(SIG_BLOCK, &only, nil)
    }

    /// The watched signals as a set.
    private static var mask: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in WatchedSignal.allCases { sigaddset(&set, signal.rawValue) }
        return set
    }
}

/// A system call that failed.
public struct SystemCallError: Error, Hashable, Sendable, CustomStringConvertible {
    public let call: String
    /// errno.
    public let code: Int32

    public init(call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    public var description: String { "\(call) failed: \(String(cString: strerror(code)))" }
}

/// What a wait ended with.
public struct Readiness: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The input has bytes.
    public static let input = Readiness(rawValue: 1)
    /// The input is at its end: the terminal hung up, the pipe was closed. Nothing more will come.
    public static let inputClosed = Readiness(rawValue: 2)
    /// Somebody rang the wake descriptor (already read empty).
    public static let wake = Readiness(rawValue: 4)
    /// Signals wait to be drained.
    public static let signal = Readiness(rawValue: 8)
    /// The deadline passed.
    public static let deadline = Readiness(rawValue: 16)
}

/// Waits for input, an eventfd, signals and a deadline at once.
public struct Poller: Sendable {
    private let input: Int32
    private let wake: Int32
    private let signals: Int32

    /// - Parameters:
    ///   - input: the terminal's descriptor.
    ///   - wake: an eventfd that others write to; -1 for none.
    ///   - signals: a ``SignalWatch``'s descriptor; -1 for none.
    public init(input: Int32, wake: Int32, signals: Int32) {
        self.input = input
        self.wake = wake
        self.signals = signals
    }

    /// Blocks the calling thread until something is ready.
    /// - Parameter timeoutMilliseconds: nil waits without end; 0 or less only looks.
    public func wait(timeoutMilliseconds: Int?) -> Readiness {
        var descriptors = [
            pollfd(fd: input, events: Int16(POLLIN), revents: 0), pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
        ]
        let timeout = timeoutMilliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
        let count = poll(&descriptors, nfds_t(descriptors.count), timeout)
        // Interrupted by a signal that is not watched: the caller looks at its clock and comes back.
        guard count != 0 else { return .deadline }
        guard count > 0 else { return [] }
        var ready: Readiness = []
        let events = Int32(descriptors[0].revents)
        if events & POLLIN != 0 {
            var bytes: Int32 = 0
            let asked = ioctl(input, UInt(FIONREAD), &bytes)
            // Readable without a byte to read is how a terminal, a pipe and a socket tell their end.
            ready.insert(asked == 0 && bytes == 0 ? .inputClosed : .input)
        }
        if events & (POLLHUP | POLLERR | POLLNVAL) != 0 && !ready.contains(.input) { ready.insert(.inputClosed) }
        if descriptors[1].revents != 0 {
            var value: UInt64 = 0
            _ = read(wake, &value, MemoryLayout<UInt64>.size)
            ready.insert(.wake)
        }
        if descriptors[2].revents != 0 { ready.insert(.signal) }
        return ready
    }
}
