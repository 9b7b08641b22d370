import Glibc

/// The operating system refused something: one line, with the system's own reason.
public struct HostError: Error, Sendable, CustomStringConvertible {
    /// What failed and why.
    public let message: String
    /// The system's error number; 0 where there was none.
    public let errno: Int32

    public init(_ what: String, errno: Int32 = 0) {
        message = errno == 0 ? what : "\(what): \(HostError.reason(errno))"
        self.errno = errno
    }

    public var description: String { message }

    /// The system's text for an error number, such as "No such file or directory".
    public static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
}
