public import Inventory

public enum BucketState: String, Sendable { case new, recovering, open }

public struct BucketRecord: Sendable, Hashable {
    public let bucket: BucketNumber
    public let epoch: Epoch
    public let state: BucketState
    /// SQL holds every id up to this one.
    public let drainedThrough: OutboxID
    /// Flows below it are never taken again; `nil`: none yet.
    public let watermark: FlowID?
    /// The highest n of the present epoch that SQL surely holds: Redis below it has fallen back.
    public var drainedN: Int64 { drainedThrough.epoch == epoch ? drainedThrough.n : 0 }
    public init(
        bucket: BucketNumber, epoch: Epoch, state: BucketState, drainedThrough: OutboxID, watermark: FlowID? = nil
    ) {
        self.bucket = bucket
        self.epoch = epoch
        self.state = state
        self.drainedThrough = drainedThrough
        self.watermark = watermark
    }
}

/// What the acts on a sale make of one bucket: its state and its frozen SKUs after act number `act`.
public struct BucketControl: Sendable, Hashable {
    public let record: BucketRecord
    /// How often the bucket's state or the frozen flag of one of its SKUs changed. Redis keeps it beside them, so that an act which
    /// comes late does not undo a newer one.
    public let act: Int64
    public let saleState: SaleState
    public let frozen: Set<SKUNumber>
    public init(record: BucketRecord, act: Int64, saleState: SaleState, frozen: Set<SKUNumber>) {
        self.record = record
        self.act = act
        self.saleState = saleState
        self.frozen = frozen
    }
}

/// What the last write of a recovery must set in Redis.
public struct OpeningState: Sendable, Hashable {
    public let saleState: SaleState
    public let frozen: Set<SKUNumber>
    /// The number of the last act in them (`BucketControl.act`).
    public let act: Int64
    /// Flows below it are never taken again; `nil`: none yet.
    public let watermark: FlowID?
    public init(saleState: SaleState, frozen: Set<SKUNumber>, act: Int64, watermark: FlowID? = nil) {
        self.saleState = saleState
        self.frozen = frozen
        self.act = act
        self.watermark = watermark
    }
}

/// What Redis must hold for a bucket after a rebuild.
public struct BucketFold: Sendable {
    public struct SKU: Sendable {
        public let sku: SKUNumber
        public let allocated: Int64
        public let version: Int64
        /// sold + reserved.
        public let taken: Int64
        public let frozen: Bool
        /// Units that one buyer may hold; `nil`: any number.
        public let limitPerBuyer: Int64?
        public init(
            sku: SKUNumber, allocated: Int64, version: Int64, taken: Int64, frozen: Bool, limitPerBuyer: Int64? = nil
        ) {
            self.sku = sku
            self.allocated = allocated
            self.version = version
            self.taken = taken
            self.frozen = frozen
            self.limitPerBuyer = limitPerBuyer
        }
    }
    public let skus: [SKU]
    /// Every flow of the bucket from the watermark on, taken, cancelled or over capacity, and the open ones below it; by SKU in
    /// flow order.
    public let ledger: [LedgerRow]
    /// What buyers hold of SKUs that are limited, by SKU.
    public let held: [HeldUnits]
    public let watermark: FlowID?
    public let saleState: SaleState
    public init(
        skus: [SKU], ledger: [LedgerRow], held: [HeldUnits] = [], watermark: FlowID? = nil, saleState: SaleState
    ) {
        self.skus = skus
        self.ledger = ledger
        self.held = held
        self.watermark = watermark
        self.saleState = saleState
    }
}

/// What Redis holds of one SKU.
public struct HeldSKU: Sendable, Hashable {
    public let sku: SKUNumber
    public let allocated: Int64
    public let version: Int64
    public let taken: Int64
    public let frozen: Bool
    /// Fields in its ledger besides the control: flows, what buyers hold, repair marks.
    public let flows: Int64
    public init(sku: SKUNumber, allocated: Int64, version: Int64, taken: Int64, frozen: Bool, flows: Int64) {
        self.sku = sku
        self.allocated = allocated
        self.version = version
        self.taken = taken
        self.frozen = frozen
        self.flows = flows
    }
}
