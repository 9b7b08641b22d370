/// What tells one sale from every other, in SQL and in each of its buckets in Redis: 32 random hex digits, made with the sale.
///
/// Names, tags and epochs of two sales may be the same: without it, one sale's books would be written over the other's stock.
public struct SaleIdentity: RawRepresentable, Hashable, Sendable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// One that no other sale has.
    public static func random() -> SaleIdentity {
        func half() -> String {
            let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return SaleIdentity(rawValue: half() + half())
    }

    /// Its beginning, for people. What stands in Redis may be anything; only digits and letters are shown.
    public var short: String { String(rawValue.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(8)) }
}
