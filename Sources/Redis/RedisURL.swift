/// Where a server listens.
public struct RedisAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    public let port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// `redis://[user[:password]@]host[:port][/0]`.
public struct RedisURL: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public let address: RedisAddress
    public let user: String?
    public let password: String?

    public var host: String { address.host }
    public var port: Int { address.port }

    public init(address: RedisAddress, user: String? = nil, password: String? = nil) {
        self.address = address
        self.user = user
        self.password = password
    }

    /// Reads a URL. `redis://:secret@host` and `redis://user:secret@host` carry a password; user and password may be
    /// percent-encoded; the port is 6379 unless given. A database other than 0 is refused: a cluster has none.
    ///
    /// - Throws: `.badURL`, one line.
    public init(_ text: String) throws(RedisError) {
        func bad(_ why: String) -> RedisError {
            // The text may hold a password: name the fault, not the text.
            RedisError(.notSent, .badURL, "not a Redis address: \(why); write redis://[user@]host[:port]")
        }
        let scheme = "redis://"
        guard text.hasPrefix(scheme) else {
            throw bad(
                text.hasPrefix("rediss://") ? "TLS (rediss://) is not supported" : "it does not begin with redis://")
        }
        var rest = text.dropFirst(scheme.count)
        if let cut = rest.firstIndex(where: { $0 == "?" || $0 == "#" }) { rest = rest[..<cut] }

        var user: String?
        var password: String?
        if let at = rest.lastIndex(of: "@") {
            let credentials = rest[..<at]
            rest = rest[rest.index(after: at)...]
            let parts = credentials.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.percentDecoded(parts[0]) else { throw bad("the user is not percent-encoded UTF-8") }
            user = name.isEmpty ? nil : name
            if parts.count == 2 {
                guard let secret = Self.percentDecoded(parts[1]) else {
                    throw bad("the password is not percent-encoded UTF-8")
                }
                password = secret
            }
        }
        if let slash = rest.firstIndex(of: "/") {
            let database = rest[rest.index(after: slash)...]
            guard database.isEmpty || database == "0" else { throw bad("only database 0 exists in a cluster") }
            rest = rest[..<slash]
        }

        var host: Substring
        var portText: Substring?
        if rest.hasPrefix("[") {
            guard let bracket = rest.firstIndex(of: "]") else { throw bad("the IPv6 address lacks its ]") }
            host = rest[rest.index(after: rest.startIndex)..<bracket]
            let after = rest[rest.index(after: bracket)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw bad("after ] comes : and a port") }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else {
            let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts.first ?? ""
            portText = parts.count == 2 ? parts[1] : nil
        }
        guard !host.isEmpty else { throw bad("the host is missing") }
        guard host.unicodeScalars.allSatisfy({ $0.value > 32 && $0.value < 127 }) else {
            throw bad("the host holds a character that no host name has")
        }
        var port = 6379
        if let portText {
            guard portText.allSatisfy(\.isASCII), let number = Int(portText), (1...65535).contains(number) else {
                throw bad("the port must be a number from 1 to 65535")
            }
            port = number
        }
        self.init(address: RedisAddress(host: String(host), port: port), user: user, password: password)
    }

    /// The URL without its password.
    public var description: String {
        let credentials =
            if password == nil { user.map { "\($0)@" } ?? "" } else { "\(user ?? ""):…@" }
        return "redis://\(credentials)\(address)"
    }

    /// Without its password, too.
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
