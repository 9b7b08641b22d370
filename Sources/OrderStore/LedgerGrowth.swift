public import Inventory

/// A settled order below the watermark, and every SKU of its bucket whose ledger may name its flow.
public struct ArchivableOrder: Sendable, Hashable {
    public let flow: FlowID
    /// Ascending. More than the order's own where another order under the same flow was refused.
    public let skus: [SKUNumber]
    public init(flow: FlowID, skus: [SKUNumber]) {
        self.flow = flow
        self.skus = skus
    }
}

/// What one buyer holds of one SKU that is limited per buyer.
public struct HeldUnits: Sendable, Hashable {
    public let sku: SKUNumber
    public let buyer: BuyerID
    /// reserved + sold, at least 1.
    public let units: Int64
    public init(sku: SKUNumber, buyer: BuyerID, units: Int64) {
        self.sku = sku
        self.buyer = buyer
        self.units = units
    }
}

/// A bucket's movements beside its orders, in one snapshot of SQL alone.
///
/// Every movement belongs to an order: what entries took and did not give back is held by orders (reserved, sold), waits
/// to be given back, or is over capacity. Redis and the movements agree about a flow that was taken twice; only this tells.
public struct BookBalance: Sendable, Hashable {
    public struct SKU: Sendable, Hashable {
        public let sku: SKUNumber
        /// By movements: what Redis has taken, as far as SQL has settled entries.
        public let taken: Int64
        /// reserved + sold.
        public let held: Int64
        /// Units that Redis may have taken for orders that hold nothing: pending give-backs, orders over capacity, dead letters.
        public let mayBeTaken: Int64

        public init(sku: SKUNumber, taken: Int64, held: Int64, mayBeTaken: Int64) {
            self.sku = sku
            self.taken = taken
            self.held = held
            self.mayBeTaken = mayBeTaken
        }

        /// Units taken that nothing accounts for.
        public var excess: Int64 { max(0, taken - held - mayBeTaken) }
        /// Units held that no movement took. Normal while an order's yes came by a duplicate and its own entry is unsettled.
        public var deficit: Int64 { max(0, held - taken) }
    }
    /// SQL holds every id up to this one, and perhaps some beyond.
    public let drainedThrough: OutboxID
    /// In the bucket's order.
    public let skus: [SKU]

    public init(drainedThrough: OutboxID, skus: [SKU]) {
        self.drainedThrough = drainedThrough
        self.skus = skus
    }
}
