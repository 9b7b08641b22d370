/// A sale's state. Opening lets orders in; halting stops them; closing drains and reconciles.
public enum SaleState: String, Sendable, CaseIterable, Codable {
    case warmed, open, halted, closed
}

/// What becomes of a payment whose order has ended or was lost; chosen per sale. Either way it is written down, never silent.
public enum LatePaymentPolicy: String, Sendable, CaseIterable, Codable {
    /// The money goes back: a row among the refunds.
    case refund
    /// The same lines are asked for once more under a new flow; if they cannot be had, the money goes back.
    case reserveAgain
}

/// A sale as SQL knows it.
public struct Sale: Hashable, Sendable {
    public let id: Int64
    public let name: String
    public let durability: Durability
    public let state: SaleState
    /// Unix milliseconds of the first opening.
    public let openedAtMilliseconds: Int64?
    /// What buyers hear while a bucket is fenced.
    public let whileFenced: WhileFenced
    /// How long a reservation waits for its payment, in milliseconds; `nil`: for ever.
    public let reservationTimeoutMilliseconds: Int64?
    public let latePayments: LatePaymentPolicy

    public init(
        id: Int64, name: String, durability: Durability, state: SaleState, openedAtMilliseconds: Int64?,
        whileFenced: WhileFenced = .tryAgain, reservationTimeoutMilliseconds: Int64? = nil,
        latePayments: LatePaymentPolicy = .refund
    ) {
        self.id = id
        self.name = name
        self.durability = durability
        self.state = state
        self.openedAtMilliseconds = openedAtMilliseconds
        self.whileFenced = whileFenced
        self.reservationTimeoutMilliseconds = reservationTimeoutMilliseconds
        self.latePayments = latePayments
    }
}

/// The number of a bucket's present era, drawn from one counter in SQL, never reused. 0: never opened.
public struct Epoch: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int64
    @inlinable public init(rawValue: Int64) { self.rawValue = rawValue }
    @inlinable public static func < (left: Epoch, right: Epoch) -> Bool { left.rawValue < right.rawValue }
    public static let none = Epoch(rawValue: 0)
}

/// The id of an outbox entry: `<epoch>-<n>`, n without gaps within its epoch.
public struct OutboxID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let epoch: Epoch
    public let n: Int64

    @inlinable
    public init(epoch: Epoch, n: Int64) {
        self.epoch = epoch
        self.n = n
    }

    @inlinable
    public static func < (left: OutboxID, right: OutboxID) -> Bool {
        left.epoch != right.epoch ? left.epoch < right.epoch : left.n < right.n
    }

    public var description: String { "\(epoch.rawValue)-\(n)" }

    /// Reads `<epoch>-<n>`.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = Int64(parts[0]), let n = Int64(parts[1]), epoch >= 0, n >= 0 else {
            return nil
        }
        self.init(epoch: Epoch(rawValue: epoch), n: n)
    }
}
