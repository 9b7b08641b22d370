public import Inventory

/// What became of an order that SQL alone was asked to take.
public enum FencedSaleResult: Sendable, Hashable {
    /// Reserved now, or there before (`duplicate`), reserved or sold.
    case reserved(duplicate: Bool)
    case refused(Refusal)
}

public enum CancelResult: Sendable, Hashable {
    /// Cancelled now, or a tombstone was made; the give-back is pending.
    case cancelled
    /// Was cancelled, expired or void before.
    case alreadyCancelled
    /// Paid: not cancelled.
    case sold
    /// Another order has this flow.
    case conflict
}

/// Units that SQL has given back and Redis has yet to.
public struct GiveBack: Sendable, Hashable {
    public let order: Order
    public init(order: Order) { self.order = order }
}

public struct Restock: Sendable, Hashable {
    public let sku: SKUNumber
    /// The version before; Redis applies `fromVersion → fromVersion + 1` only.
    public let fromVersion: Int64
    public let units: Int64
    public init(sku: SKUNumber, fromVersion: Int64, units: Int64) {
        self.sku = sku
        self.fromVersion = fromVersion
        self.units = units
    }
}
