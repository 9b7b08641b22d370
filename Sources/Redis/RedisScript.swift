/// A Lua script and the name by which messages call it.
public struct RedisScript: Sendable {
    public let name: String
    public let source: String

    public init(name: String, source: String) {
        self.name = name
        self.source = source
    }
}

/// A script by the name under which servers keep what they have compiled: the hash of its source.
///
/// It stays valid whatever happens to the servers' script caches: a call that meets NOSCRIPT is sent again with the source.
public struct LoadedScript: Sendable {
    public let name: String
    /// SHA-1 of the source in hexadecimal.
    public let sha: String
    /// `EVALSHA <sha>` and `EVAL <source>`, encoded once.
    let bySHA: EncodedArguments
    let bySource: EncodedArguments

    /// - Parameter sha: SHA-1 of the source in hexadecimal, as servers compute it.
    public init(_ script: RedisScript, sha: String) {
        name = script.name
        self.sha = sha
        var bySHA = EncodedArguments(capacity: 64)
        bySHA.append("EVALSHA")
        bySHA.append(sha)
        self.bySHA = bySHA
        var bySource = EncodedArguments(capacity: script.source.utf8.count + 32)
        bySource.append("EVAL")
        bySource.append(script.source)
        self.bySource = bySource
    }

    /// A script that nobody was asked to compile: a server that does not know it gets the source with the first call.
    public init(unloaded script: RedisScript) {
        self.init(script, sha: String(decoding: SHA1.hex(Array(script.source.utf8)), as: UTF8.self))
    }
}

/// Keys and arguments of one script call, encoded as they are appended; the script's hash or source goes before them when
/// the call is sent, without encoding them again.
public struct ScriptCall: Sendable {
    var arguments: EncodedArguments

    /// - Parameters:
    ///   - keyCount: how many of what is appended first are keys.
    ///   - capacity: bytes to reserve for all that will be appended.
    public init(keyCount: Int, capacity: Int = 256) {
        arguments = EncodedArguments(capacity: capacity + 16)
        arguments.append(Int64(keyCount))
    }

    public mutating func append(_ argument: [UInt8]) { arguments.append(argument) }
    public mutating func append(_ argument: String) { arguments.append(argument) }
    public mutating func append(_ argument: UnsafeRawBufferPointer) { arguments.append(argument) }
    /// Appends the number in decimal.
    public mutating func append(_ number: Int64) { arguments.append(number) }
    /// Appends the number in decimal.
    public mutating func append(_ number: Int) { arguments.append(Int64(number)) }
    /// Appends an argument of exactly `byteCount` bytes, zeroed, that `write` fills in place.
    public mutating func append(byteCount: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        arguments.append(byteCount: byteCount, write)
    }
    /// Appends arguments that were encoded before.
    public mutating func append(_ groups: ArgumentGroups, _ range: Range<Int>) {
        arguments.append(encoded: groups.encoded(range), count: range.count * groups.groupSize)
    }
}
