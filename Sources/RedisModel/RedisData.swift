/// Everything that a Redis server holds under its keys, as a value.
///
/// Assigning it is how time is turned back: a copy kept aside is a snapshot, putting it back is a rollback, a copy taken before
/// the last writes is a replica with a lost tail, `RedisData()` is a flush. Copies share storage until one of them is written.
///
/// Keys do not expire: there is no clock in here, and the sources set no time to live.
public struct RedisData: Sendable {
    enum Value: Sendable {
        case string([UInt8])
        case hash(HashValue)
        case stream(StreamValue)

        var typeName: String {
            switch self {
            case .string: "string"
            case .hash: "hash"
            case .stream: "stream"
            }
        }
    }

    var table = OrderedTable<Value>()
    /// The server's clock as it stands for the present command; what `XADD *` takes its ids from.
    var milliseconds: UInt64 = 0

    /// No keys.
    public init() {}

    /// All keys, in the order in which they were made.
    public var keys: [[UInt8]] { table.entries.map(\.key) }

    public var isEmpty: Bool { table.isEmpty }

    /// Removes one key, as an eviction does; returns whether it was there.
    @discardableResult
    public mutating func remove(_ key: [UInt8]) -> Bool { table.remove(key) }

    /// Copies one key from other data, or removes it where that has none.
    public mutating func take(_ key: [UInt8], from other: RedisData) { table[key] = other.table[key] }

    // MARK: Typed access

    func string(_ key: [UInt8]) throws(CommandError) -> [UInt8]? {
        switch table[key] {
        case .string(let bytes): return bytes
        case nil: return nil
        default: throw .wrongType
        }
    }

    func hash(_ key: [UInt8]) throws(CommandError) -> HashValue? {
        switch table[key] {
        case .hash(let hash): return hash
        case nil: return nil
        default: throw .wrongType
        }
    }

    func stream(_ key: [UInt8]) throws(CommandError) -> StreamValue? {
        switch table[key] {
        case .stream(let stream): return stream
        case nil: return nil
        default: throw .wrongType
        }
    }

    /// Changes a hash in its place. It is made if it is missing, and goes with its last field.
    mutating func changeHash<Result>(
        _ key: [UInt8], _ body: (inout HashValue) throws(CommandError) -> Result
    ) throws(CommandError) -> Result {
        let changed = try table.modify(key) { value throws(CommandError) -> (Result, Bool) in
            guard case .hash(var hash) = value else { throw .wrongType }
            value = .string([])  // so that `hash` is the only owner of its storage
            defer { value = .hash(hash) }
            return (try body(&hash), hash.fields.isEmpty)
        }
        if let (result, isEmpty) = changed {
            if isEmpty { table.remove(key) }
            return result
        }
        var hash = HashValue()
        let result = try body(&hash)
        if !hash.fields.isEmpty { table.update(key, .hash(hash)) }
        return result
    }

    /// Changes a stream in its place; `nil` if it is missing. An empty stream stays.
    mutating func changeStream<Result>(
        _ key: [UInt8], _ body: (inout StreamValue) throws(CommandError) -> Result
    ) throws(CommandError) -> Result? {
        try table.modify(key) { value throws(CommandError) -> Result in
            guard case .stream(var stream) = value else { throw .wrongType }
            value = .string([])
            defer { value = .stream(stream) }
            return try body(&stream)
        }
    }
}

/// A hash: its fields, and whether it is still small enough to be scanned at once.
struct HashValue: Sendable {
    /// As the embedded servers are configured (`hash-max-listpack-entries`), and Redis's default for the bytes of a value.
    static let packedEntriesMax = 128
    static let packedBytesMax = 64

    private(set) var fields = OrderedTable<[UInt8]>()
    /// A packed hash is listed whole by one HSCAN; one that has grown beyond never becomes packed again.
    private(set) var isPacked = true

    /// Returns whether the field is new.
    mutating func set(_ field: [UInt8], _ value: [UInt8]) -> Bool {
        let isNew = fields.update(field, value)
        if isPacked, fields.count > Self.packedEntriesMax || max(field.count, value.count) > Self.packedBytesMax {
            isPacked = false
        }
        return isNew
    }

    mutating func remove(_ field: [UInt8]) -> Bool { fields.remove(field) }
}
