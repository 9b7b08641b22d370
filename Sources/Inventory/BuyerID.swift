/// Who buys, as far as limits per buyer go: 16 bytes that a shop chooses, a UUID for example. All zero is nobody.
public struct BuyerID: Hashable, Comparable, Sendable {
    /// Bytes 0–7, big endian.
    public let high: UInt64
    /// Bytes 8–15, big endian.
    public let low: UInt64

    /// `nil` for all zero.
    public init?(high: UInt64, low: UInt64) {
        guard high != 0 || low != 0 else { return nil }
        self.high = high
        self.low = low
    }

    /// Reads 16 bytes; `nil` for any other count, and for all zero.
    public init?(bytes: some Collection<UInt8>) {
        guard let same = FlowID(bytes: bytes) else { return nil }
        self.init(high: same.high, low: same.low)
    }

    /// The 16 bytes, most significant first.
    public var bytes: [UInt8] { FlowID(high: high, low: low).bytes }

    /// Appends the 16 bytes, most significant first.
    public func append(to buffer: inout [UInt8]) { FlowID(high: high, low: low).append(to: &buffer) }

    public static func < (left: BuyerID, right: BuyerID) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

extension BuyerID: CustomStringConvertible {
    /// The usual text of a UUID, lower case.
    public var description: String { FlowID(high: high, low: low).description }
}
