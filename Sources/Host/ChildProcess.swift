import CLinux
import Glibc
import Synchronization

/// A program that this process started and that shall not outlive it, unless told to.
public final class ChildProcess: Sendable {
    /// What to run.
    public struct Launch: Sendable {
        /// Path of the executable.
        public var executable: String
        /// Its arguments, the program's own name not among them.
        public var arguments: [String]
        /// `NAME=value` each; nothing else is passed on.
        public var environment: [String]
        /// Working directory.
        public var directory: String
        /// Descriptor that its standard output and error go to. Its standard input is empty.
        public var output: Int32
        /// Whether `output` is a terminal that shall be its own: then its standard input as well, and what Ctrl-C reaches.
        public var ownsTerminal = false
        /// Whether it survives this process. Otherwise the kernel kills it when this process ends, however that ends.
        public var outlivesParent: Bool

        public init(
            executable: String, arguments: [String], environment: [String] = [], directory: String, output: Int32,
            outlivesParent: Bool = false
        ) {
            self.executable = executable
            self.arguments = arguments
            self.environment = environment
            self.directory = directory
            self.output = output
            self.outlivesParent = outlivesParent
        }
    }

    /// How a process ended.
    public enum Ending: Sendable, Equatable, CustomStringConvertible {
        case exited(code: Int32)
        case killed(signal: Int32)

        public var description: String {
            switch self {
            case .exited(let code): "exit code \(code)"
            case .killed(let signal): "signal \(signal)"
            }
        }
    }

    private struct State {
        var ending: Ending?
        var waiters: [@Sendable (Ending) -> Void] = []
    }

    public let pid: Int32
    private let state = Mutex(State())

    private init(pid: Int32) { self.pid = pid }

    /// Starts a program in a session of its own (a terminal's Ctrl-C does not reach it), with default signals.
    ///
    /// - Throws: the system's reason, such as "No such file or directory".
    public static func start(_ launch: Launch) async throws(HostError) -> ChildProcess {
        let spawner: Spawner
        switch Spawner.shared {
        case .success(let shared): spawner = shared
        case .failure(let error): throw error
        }
        let result = await withCheckedContinuation { continuation in
            spawner.spawn(launch) { continuation.resume(returning: $0) }
        }
        guard result >= 0 else { throw HostError("cannot start \(launch.executable)", errno: -result) }
        let child = ChildProcess(pid: result)
        do {
            try OSThread.start(name: "wait:\(result)", stackBytes: 128 << 10) { child.waitAndReap() }
        } catch {
            _ = Glibc.kill(result, SIGKILL)
            var status: Int32 = 0
            waitpid(result, &status, 0)
            throw error
        }
        return child
    }

    /// How it ended; `nil` while it runs.
    public var ending: Ending? { state.withLock { $0.ending } }

    /// Sends a signal to exactly this process; nothing once it ended.
    public func kill(_ signal: Int32) {
        // Under the lock the process is not reaped, so its number cannot belong to another process yet.
        state.withLock { state in
            if state.ending == nil { _ = Glibc.kill(pid, signal) }
        }
    }

    /// Calls back when it ended, at once if it already has. The callback runs on a thread of this object, or on the caller's.
    public func onEnd(_ action: @escaping @Sendable (Ending) -> Void) {
        let ending = state.withLock { state in
            if state.ending == nil { state.waiters.append(action) }
            return state.ending
        }
        if let ending { action(ending) }
    }

    /// Waits until it ended.
    @discardableResult
    public func waitForEnd() async -> Ending {
        await withCheckedContinuation { continuation in
            onEnd { continuation.resume(returning: $0) }
        }
    }

    private func waitAndReap() {
        // Waits without reaping, then reaps under the lock: see `kill`.
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let (ending, waiters) = state.withLock { state in
            var status: Int32 = 0
            // Fails only where SIGCHLD is ignored: the system reaped it, and its status is lost.
            _ = waitpid(pid, &status, 0)
            let ending = status & 0x7f == 0 ? Ending.exited(code: (status >> 8) & 0xff) : .killed(signal: status & 0x7f)
            state.ending = ending
            defer { state.waiters = [] }
            return (ending, state.waiters)
        }
        for waiter in waiters { waiter(ending) }
    }
}

/// Processes that this one did not start.
public enum OtherProcess {
    /// Blocks the calling thread until a process ended, at most `timeoutMilliseconds`. Returns whether it is gone.
    public static func waitForEnd(pid: Int32, timeoutMilliseconds: Int32) -> Bool {
        let descriptor = sellout_pidfd_open(pid)
        guard descriptor >= 0 else { return errno == ESRCH }
        defer { close(descriptor) }
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, timeoutMilliseconds) == 1
    }
}

/// The one thread that starts programs. It lives as long as the process, because the kernel sends a child its death signal
/// when the *thread* that started it ends.
private final class Spawner: Sendable {
    static let shared: Result<Spawner, HostError> = {
        do throws(HostError) {
            let spawner = try Spawner()
            try OSThread.start(name: "spawner") { spawner.run() }
            return .success(spawner)
        } catch {
            return .failure(error)
        }
    }()

    private struct Request: Sendable {
        let launch: ChildProcess.Launch
        let answer: @Sendable (Int32) -> Void
    }

    private let requests = Mutex<[Request]>([])
    private let notifier: EventNotifier

    init() throws(HostError) { notifier = try EventNotifier() }

    /// `answer` gets the process id, or a negative errno.
    func spawn(_ launch: ChildProcess.Launch, _ answer: @escaping @Sendable (Int32) -> Void) {
        requests.withLock { $0.append(Request(launch: launch, answer: answer)) }
        notifier.notify()
    }

    func run() {
        while true {
            notifier.wait()
            let batch = requests.withLock { requests in
                defer { requests = [] }
                return requests
            }
            for request in batch { request.answer(Self.spawn(request.launch)) }
        }
    }

    private static func spawn(_ launch: ChildProcess.Launch) -> Int32 {
        var arguments = ([launch.executable] + launch.arguments).map { strdup($0) } + [nil]
        var environment = launch.environment.map { strdup($0) } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        return sellout_spawn(
            launch.executable, &arguments, &environment, launch.directory, launch.output,
            launch.ownsTerminal ? 1 : 0, launch.outlivesParent ? 0 : 1)
    }
}
