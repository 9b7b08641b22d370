/// The identity of one order in every bucket, every retry and both stores: 16 bytes, time-ordered (UUIDv7, RFC 9562 §5.7).
///
/// Byte order equals time order, so `<` on two flows, `<` on their bytes in Lua and `ORDER BY flow` in SQL agree; and SQL
/// inserts land at the end of the tree instead of all over it.
public struct FlowID: Hashable, Comparable, Sendable {
    /// Bytes 0–7, big endian: 48 bits of Unix milliseconds, the version nibble 7, 12 bits of sequence.
    public let high: UInt64
    /// Bytes 8–15, big endian: the variant bits `10` and 62 random bits.
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 16 bytes; `nil` for any other count.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (position, byte) in bytes.enumerated() {
            if position < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
        }
        self.init(high: high, low: low)
    }

    /// The 16 bytes, most significant first.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(16)
        append(to: &result)
        return result
    }

    /// Appends the 16 bytes, most significant first.
    @inlinable
    public func append(to buffer: inout [UInt8]) {
        withUnsafeBytes(of: high.bigEndian) { buffer.append(contentsOf: $0) }
        withUnsafeBytes(of: low.bigEndian) { buffer.append(contentsOf: $0) }
    }

    /// Unix milliseconds at which the flow was made.
    public var milliseconds: UInt64 { high >> 16 }

    /// The smallest flow of a moment: what a watermark is. A flow is below it just if its milliseconds are.
    public static func earliest(atMilliseconds milliseconds: UInt64) -> FlowID {
        FlowID(high: milliseconds << 16, low: 0)
    }

    @inlinable
    public static func < (left: FlowID, right: FlowID) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

extension FlowID: CustomStringConvertible {
    /// The usual text of a UUID, lower case.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (position, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(position) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads the text of a UUID, with or without hyphens.
    public init?(_ text: String) {
        var bytes: [UInt8] = []
        var half: UInt8?
        for character in text.utf8 where character != UInt8(ascii: "-") {
            guard let value = Character(UnicodeScalar(character)).hexDigitValue else { return nil }
            if let high = half {
                bytes.append(high << 4 | UInt8(value))
                half = nil
            } else {
                half = UInt8(value)
            }
        }
        guard half == nil else { return nil }
        self.init(bytes: bytes)
    }
}

/// Makes flows that only ever grow, also within one millisecond and across a clock that steps back (RFC 9562 §6.2, method 1).
///
/// A value: whoever owns it serialises its use. Two generators never meet because of the 62 random bits.
public struct FlowIDGenerator: Sendable {
    private var lastMilliseconds: UInt64 = 0
    private var sequence: UInt64 = 0

    public init() {}

    /// The next flow at `milliseconds` of Unix time, with `random` supplying the 62 low bits.
    public mutating func next(milliseconds: UInt64, random: UInt64) -> FlowID {
        if milliseconds > lastMilliseconds {
            lastMilliseconds = milliseconds
            sequence = 0
        } else {
            sequence += 1
            if sequence > 0xfff {
                lastMilliseconds += 1
                sequence = 0
            }
        }
        return FlowID(
            high: lastMilliseconds << 16 | 0x7000 | sequence,
            low: random & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
    }
}
