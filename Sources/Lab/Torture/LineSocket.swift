import Glibc
import Host
import Synchronization

/// A stream of lines between two processes, over a socket in the file system.
final class LineSocket: Sendable {
    private let descriptor: Int32
    private let writing = Mutex<Bool>(true)

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    /// Connects to a socket at `path`.
    static func connect(path: String) throws(HostError) -> LineSocket {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HostError("no socket", errno: errno) }
        guard withName(path, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            let reason = errno
            Glibc.close(descriptor)
            throw HostError("cannot connect to \(path)", errno: reason)
        }
        return LineSocket(descriptor: descriptor)
    }

    /// Listens at `path`. Returns the descriptor, for `accept`.
    static func listen(path: String) throws(HostError) -> Int32 {
        unlink(path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HostError("no socket", errno: errno) }
        guard withName(path, { bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 4) == 0 else {
            let reason = errno
            Glibc.close(descriptor)
            throw HostError("cannot listen at \(path)", errno: reason)
        }
        return descriptor
    }

    /// Waits for one connection, blocking; `nil` if none came in time. Closes the listening descriptor.
    static func accept(_ listener: Int32, timeoutMilliseconds: Int32) -> LineSocket? {
        defer { Glibc.close(listener) }
        var request = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, timeoutMilliseconds) == 1 else { return nil }
        let descriptor = Glibc.accept(listener, nil, nil)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return LineSocket(descriptor: descriptor)
    }

    /// Sends a line. False once the other end is gone.
    @discardableResult
    func send(_ line: String) -> Bool {
        let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
        return writing.withLock { isOpen in
            var sent = 0
            while isOpen, sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { isOpen = false } else { sent += count }
            }
            return isOpen
        }
    }

    /// Reads lines until the other end is gone, blocking the calling thread.
    func readLines(_ body: (Substring) -> Void) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            bytes += buffer[..<count]
            var start = 0
            while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
                body(Substring(decoding: bytes[start..<end], as: UTF8.self))
                start = end + 1
            }
            bytes.removeFirst(start)
        }
    }

    /// Ends it: both sides hear the end.
    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private static func withName(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

/// Time that passes on a thread that may block.
enum Pause {
    static func block(for span: Duration) {
        var time = timespec(
            tv_sec: Int(span.components.seconds), tv_nsec: Int(span.components.attoseconds / 1_000_000_000))
        var left = timespec()
        while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
    }
}
