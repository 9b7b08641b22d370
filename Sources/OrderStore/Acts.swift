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

/// A numbered movement of a SKU's allocation.
///
/// Units that are added count in SQL at once, for Redis has them to sell only later. Units that are taken back count in SQL only
/// once Redis took them from its stock, or a recovery's fold did in its place: until then somebody may buy them.
public struct Restock: Sendable, Hashable {
    public let sku: SKUNumber
    /// The version before; Redis applies `fromVersion → fromVersion + 1` only.
    public let fromVersion: Int64
    /// Below 0: units to be taken off sale again, all of them or none.
    public let units: Int64
    public init(sku: SKUNumber, fromVersion: Int64, units: Int64) {
        self.sku = sku
        self.fromVersion = fromVersion
        self.units = units
    }
}

/// What became of a restock, for good.
public enum RestockOutcome: Sendable, Hashable {
    /// Redis has not applied it, or SQL has not heard of it.
    case pending
    case applied
    /// A reverse restock that found fewer units left: it moved nothing, and never will.
    case refused
}
