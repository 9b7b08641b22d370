import Glibc
import Host
import Synchronization

/// Carries what is drawn to the terminal on a thread of its own, so that a terminal that takes nothing (nobody reads it, Ctrl-S
/// holds it, a slow line) never stops the thread that reads keys and signals.
///
/// Whoever draws writes to ``entrance``, a pipe that is always read on, and begins a frame only when the one before is out
/// (``isDrained(within:)``): so no more than one frame waits in memory.
final class OutputPump: Sendable {
    /// Where to write.
    let entrance: Int32
    private let exit: Int32
    private let terminal: Int32
    private let drained: EventNotifier
    /// Between taking bytes from the pipe and the terminal having them.
    private let isBusy = Atomic(false)

    private static let chunkBytes = 1 << 16

    /// - Parameter terminal: a descriptor of the terminal; a description of its own is opened where that is possible, since
    ///   whether writing blocks is a property of the description, which the shell shares.
    /// - Throws: the system's reason where there is no descriptor or thread left.
    init(to terminal: Int32) throws(HostError) {
        drained = try EventNotifier()
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw HostError("cannot make a pipe", errno: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (exit, entrance) = (ends[0], ends[1])
        let own = open("/proc/self/fd/\(terminal)", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        self.terminal = own >= 0 ? own : fcntl(terminal, F_DUPFD_CLOEXEC, 3)
        try OSThread.start(name: "screen-out", stackBytes: 128 << 10) { self.run() }
    }

    /// Ends the thread once all is out. Nothing may be written afterwards.
    func close() { Glibc.close(entrance) }

    /// Whether everything written has reached the terminal, waiting for it at most this long.
    func isDrained(within limit: Duration) -> Bool {
        let deadline = ContinuousClock.now + limit
        while true {
            var waiting: Int32 = 0
            // The pipe first: what leaves it is marked as busy before.
            if ioctl(exit, UInt(FIONREAD), &waiting) == 0, waiting == 0, !isBusy.load(ordering: .sequentiallyConsistent)
            {
                return true
            }
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return false }
            drained.wait(timeoutMilliseconds: Int32(clamping: left.components.attoseconds / 1_000_000_000_000_000 + 1))
        }
    }

    private func run() {
        var buffer = [UInt8](repeating: 0, count: Self.chunkBytes)
        var waiting: [UInt8] = []
        var isOver = false
        while !isOver || !waiting.isEmpty {
            var descriptors = [
                pollfd(fd: isOver ? -1 : exit, events: Int16(POLLIN), revents: 0),
                pollfd(fd: waiting.isEmpty ? -1 : terminal, events: Int16(POLLOUT), revents: 0),
            ]
            // Who closes has waited long enough for a terminal that takes nothing.
            guard poll(&descriptors, 2, isOver ? 0 : -1) > 0 || !isOver else { break }
            if descriptors[0].revents != 0 {
                isBusy.store(true, ordering: .sequentiallyConsistent)
                let count = read(exit, &buffer, buffer.count)
                if count > 0 { waiting += buffer[..<count] } else if count == 0 || errno != EINTR { isOver = true }
            }
            if !waiting.isEmpty {
                let count = write(terminal, waiting, min(waiting.count, Self.chunkBytes))
                if count > 0 {
                    waiting.removeFirst(count)
                } else if count < 0, errno != EAGAIN, errno != EINTR {
                    // The terminal has gone; whoever reads its keys hears of that.
                    waiting.removeAll()
                }
            }
            if waiting.isEmpty {
                isBusy.store(false, ordering: .sequentiallyConsistent)
                drained.notify()
            }
        }
        Glibc.close(exit)
        Glibc.close(terminal)
    }
}
