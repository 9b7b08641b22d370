import CLinux
import Glibc

/// A wake-up that `poll` can wait for: an eventfd.
///
/// Any thread calls `notify`; the one thread that polls `fileDescriptor` calls `drain` when it turns readable. Several
/// notifications before a drain are one wake-up.
public final class EventNotifier: Sendable {
    /// The descriptor to poll for readability. Owned by this object.
    public let fileDescriptor: Int32

    /// - Throws: `HostError` when the process has no descriptor left.
    public init() throws(HostError) {
        let descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard descriptor >= 0 else { throw HostError("cannot create an eventfd", errno: errno) }
        fileDescriptor = descriptor
    }

    deinit { close(fileDescriptor) }

    /// Makes the descriptor readable. Never blocks: a counter at its ceiling is readable already.
    public func notify() {
        var one: UInt64 = 1
        _ = write(fileDescriptor, &one, 8)
    }

    /// Makes the descriptor unreadable until the next `notify`.
    public func drain() {
        var count: UInt64 = 0
        _ = read(fileDescriptor, &count, 8)
    }

    /// Blocks the calling thread until notified or until `timeoutMilliseconds` passed (`nil`: without limit), then drains.
    public func wait(timeoutMilliseconds: Int32? = nil) {
        var descriptor = pollfd(fd: fileDescriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&descriptor, 1, timeoutMilliseconds ?? -1)
        drain()
    }
}
