/// What a server answered.
public enum RedisReply: Sendable, Equatable {
    /// A simple string such as `OK`.
    case status(String)
    /// An error inside an array. A command whose whole reply is an error gets a `RedisError` instead.
    case error(String)
    case integer(Int64)
    case bulk([UInt8])
    case array([RedisReply])
    /// A bulk string or an array that is not there.
    case null

    /// The integer, also when it came as a decimal string; `nil` for anything else.
    public var int: Int64? {
        switch self {
        case .integer(let value): value
        case .bulk(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
        case .status(let text): Int64(text)
        case .error, .array, .null: nil
        }
    }

    /// The bytes of a bulk string or of a status; `nil` for anything else.
    public var bytes: [UInt8]? {
        switch self {
        case .bulk(let bytes): bytes
        case .status(let text): Array(text.utf8)
        case .error, .integer, .array, .null: nil
        }
    }

    /// The text of a bulk string (UTF-8; invalid bytes are replaced) or of a status; `nil` for anything else.
    public var string: String? {
        switch self {
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        case .error, .integer, .array, .null: nil
        }
    }

    /// The elements of an array; `nil` for anything else.
    public var array: [RedisReply]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    public var isNull: Bool { self == .null }
}
