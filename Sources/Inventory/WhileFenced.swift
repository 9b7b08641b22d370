/// What a buyer hears while the bucket of an order is fenced; chosen per sale.
public enum WhileFenced: Hashable, Sendable, CustomStringConvertible {
    /// "Try again": nothing of the bucket is sold before Redis was recovered.
    case tryAgain
    /// SQL alone sells, at most so many orders a second over all buckets of one engine. Only at `durable`: below it, orders
    /// that were told yes may still wait in the outbox, and SQL would sell their units a second time.
    case sellInSQL(ordersPerSecond: Int)

    /// SQL commits by row; more than this it should not be asked for.
    public static let ordersPerSecondMax = 100_000

    /// `try-again`, or `sql:<orders per second>`.
    public var description: String {
        switch self {
        case .tryAgain: "try-again"
        case .sellInSQL(let rate): "sql:\(rate)"
        }
    }

    /// Reads what `description` writes; a rate is 1 … `ordersPerSecondMax`.
    public init?(_ text: String) {
        if text == "try-again" {
            self = .tryAgain
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "sql", let rate = Int(parts[1]),
            (1...Self.ordersPerSecondMax).contains(rate)
        else { return nil }
        self = .sellInSQL(ordersPerSecond: rate)
    }
}
