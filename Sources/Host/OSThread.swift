import CLinux
import Glibc

/// Threads of the operating system, for work that blocks and so must stay off the cooperative pool.
public enum OSThread {
    /// Starts a detached thread that runs `body` and ends with it.
    ///
    /// - Parameters:
    ///   - name: shown by `top -H`; Linux keeps the first 15 bytes.
    ///   - stackBytes: size of its stack.
    /// - Throws: `HostError` when the system has no thread left.
    public static func start(
        name: String, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void
    ) throws(HostError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stackBytes)
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var thread = pthread_t()
        let code = pthread_create(&thread, &attributes, runThread, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw HostError("cannot start the thread \(name)", errno: code)
        }
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

// A nonisolated free function: a closure formed on the main actor would trap on the new thread.
private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
    sellout_set_thread_name(start.name)
    start.body()
    return nil
}
