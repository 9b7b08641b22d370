#if canImport(Glibc)
    import Glibc
#endif

/// Who acts and from where, for the audit.
public struct Operator: Sendable, Hashable {
    public let who: String
    /// `host pid`
    public let origin: String

    public init(who: String, origin: String) {
        self.who = who
        self.origin = origin
    }

    /// The login name (else the user number), the host's name and this process.
    public static var current: Operator {
        let user = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "uid \(getuid())"
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return Operator(who: user, origin: "\(host) \(getpid())")
    }
}
