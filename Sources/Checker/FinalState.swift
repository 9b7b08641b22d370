public import Inventory

/// Both stores as they were read at the end, raw: numbers and rows, with no judgement of the code under test.
public struct FinalState: Codable, Sendable {
    /// `orders.state` in words.
    public enum OrderState: String, Codable, Sendable, CaseIterable {
        /// Holds units: not paid yet.
        case reserved
        /// Holds units: paid.
        case sold
        /// Ended by its buyer or by a failed payment, or forbidden in advance.
        case cancelled
        /// Ended by its deadline.
        case expired
        /// Refused by SQL.
        case void
        /// Told yes below `durable`, and beyond what there is.
        case overCapacity
        /// Rolled back by a reconciliation, with a refund.
        case refunded
        /// Known in part: groups in several buckets, not all of them taken yet.
        case partial

        /// Whether it counts as sold or reserved.
        public var holdsUnits: Bool { self == .reserved || self == .sold }
    }

    /// One SKU, in SQL's counters and in Redis's keys.
    public struct SKU: Codable, Sendable {
        public var sku: SKUNumber
        public var bucket: BucketNumber
        /// SQL's counters.
        public var allocated: Int64
        public var sold: Int64
        public var reserved: Int64
        public var overCapacity: Int64
        /// Redis's stock; `nil` where the key is missing.
        public var redisStock: Int64?
        /// Allocated and taken of the SKU's control field; `nil` where it is missing or unreadable.
        public var redisAllocated: Int64?
        public var redisTaken: Int64?
        /// Every flow of the ledger.
        public var redisLedger: [LedgerEntry]
        /// Units when the history began; `nil`: `allocated` less the restocks.
        public var allocatedAtStart: Int64?
        /// Units that one buyer may hold; `nil`: what the promise says.
        public var limitPerBuyer: Int64?
        /// What SQL and the SKU's control field say; `nil`: not read.
        public var isFrozen: Bool?
        public var redisIsFrozen: Bool?

        public init(
            sku: SKUNumber, bucket: BucketNumber, allocated: Int64, sold: Int64, reserved: Int64,
            overCapacity: Int64 = 0,
            redisStock: Int64?, redisAllocated: Int64?, redisTaken: Int64?, redisLedger: [LedgerEntry],
            allocatedAtStart: Int64? = nil
        ) {
            self.sku = sku
            self.bucket = bucket
            self.allocated = allocated
            self.sold = sold
            self.reserved = reserved
            self.overCapacity = overCapacity
            self.redisStock = redisStock
            self.redisAllocated = redisAllocated
            self.redisTaken = redisTaken
            self.redisLedger = redisLedger
            self.allocatedAtStart = allocatedAtStart
        }
    }

    /// A flow in a SKU's ledger in Redis.
    public struct LedgerEntry: Codable, Sendable, Hashable {
        public var flow: FlowID
        public var quantity: Int64
        public var isCancelled: Bool
        public init(flow: FlowID, quantity: Int64, isCancelled: Bool) {
            self.flow = flow
            self.quantity = quantity
            self.isCancelled = isCancelled
        }
    }

    /// A bucket, in SQL and in Redis.
    public struct Bucket: Codable, Sendable {
        public var bucket: BucketNumber
        public var tag: String
        /// SQL's epoch, and whether SQL calls it open.
        public var epoch: Int64
        public var isOpen: Bool
        /// Epoch in Redis; `nil` where its control is missing.
        public var redisEpoch: Int64?
        /// Entries of the outbox that SQL does not hold.
        public var backlog: Int64
        /// Unix milliseconds: Redis's ledgers may lack orders of older flows.
        public var watermarkMilliseconds: UInt64?
        /// The sale's state by SQL and the bucket's by Redis, and the number of the last act on the bucket by either; `nil`: not
        /// read, or missing.
        public var state: String?
        public var redisState: String?
        public var act: Int64?
        public var redisAct: Int64?
        public init(
            bucket: BucketNumber, tag: String, epoch: Int64, isOpen: Bool, redisEpoch: Int64?, backlog: Int64,
            watermarkMilliseconds: UInt64? = nil
        ) {
            self.bucket = bucket
            self.tag = tag
            self.epoch = epoch
            self.isOpen = isOpen
            self.redisEpoch = redisEpoch
            self.backlog = backlog
            self.watermarkMilliseconds = watermarkMilliseconds
        }
    }

    /// An order's row with its items.
    public struct Order: Codable, Sendable {
        public var flow: FlowID
        public var state: OrderState
        /// In order of SKU.
        public var lines: [OrderLine]
        /// The entry that took it; 0-0 where SQL decided first.
        public var id: OutboxID
        public init(flow: FlowID, state: OrderState, lines: [OrderLine], id: OutboxID) {
            self.flow = flow
            self.state = state
            self.lines = lines
            self.id = id
        }
    }

    /// What an outbox entry did to a SKU: units taken, or given back (negative).
    public struct Movement: Codable, Sendable, Hashable {
        public var bucket: BucketNumber
        public var id: OutboxID
        public var sku: SKUNumber
        public var quantity: Int64
        /// A repair by an operator rather than orders.
        public var isRepair: Bool
        public init(bucket: BucketNumber, id: OutboxID, sku: SKUNumber, quantity: Int64, isRepair: Bool = false) {
            self.bucket = bucket
            self.id = id
            self.sku = sku
            self.quantity = quantity
            self.isRepair = isRepair
        }
    }

    /// What an epoch of a bucket began with.
    public struct Base: Codable, Sendable, Hashable {
        public var bucket: BucketNumber
        public var epoch: Int64
        public var sku: SKUNumber
        public var taken: Int64
        public var allocated: Int64
        public init(bucket: BucketNumber, epoch: Int64, sku: SKUNumber, taken: Int64, allocated: Int64) {
            self.bucket = bucket
            self.epoch = epoch
            self.sku = sku
            self.taken = taken
            self.allocated = allocated
        }
    }

    /// Units added, or taken back (below 0; 0: that was refused), and where Redis did so; n = 0: folded into that epoch's beginning; no
    /// id: not yet.
    public struct Restock: Codable, Sendable, Hashable {
        public var sku: SKUNumber
        public var units: Int64
        public var id: OutboxID?
        public init(sku: SKUNumber, units: Int64, id: OutboxID?) {
            self.sku = sku
            self.units = units
            self.id = id
        }

        /// What it changed of the allocation in SQL: what is added counts at once, what is taken back once Redis took it.
        var unitsInBooks: Int64 { id == nil ? max(0, units) : units }
    }

    /// The books of a sale that was closed, as somebody read them.
    public struct ClosedBooks: Codable, Sendable, Hashable {
        public var allocated: Int64
        public var sold: Int64
        public var reserved: Int64
        /// Units left in Redis; `nil`: not every bucket answered.
        public var stock: Int64?
        public var soldOrders: Int64
        /// Every unit is somewhere, said whoever closed.
        public var isClean: Bool
        public var sentence: String

        public init(
            allocated: Int64, sold: Int64, reserved: Int64, stock: Int64?, soldOrders: Int64, isClean: Bool,
            sentence: String
        ) {
            self.allocated = allocated
            self.sold = sold
            self.reserved = reserved
            self.stock = stock
            self.soldOrders = soldOrders
            self.isClean = isClean
            self.sentence = sentence
        }
    }

    /// Units that SQL gave back, and where Redis did; no id: not yet.
    public struct GiveBack: Codable, Sendable, Hashable {
        public var flow: FlowID
        public var lines: [OrderLine]
        public var id: OutboxID?
        public init(flow: FlowID, lines: [OrderLine], id: OutboxID?) {
            self.flow = flow
            self.lines = lines
            self.id = id
        }
    }

    /// One comparison of both books.
    public struct Comparison: Codable, Sendable, Hashable {
        /// On the history's clock.
        public var at: Int64
        public var driftUnits: Int64
        /// Of them, those that no order under way explains; `nil`: all.
        public var causedUnits: Int64?
        /// Every bucket was read.
        public var isWhole: Bool
        public var detail: String?
        public init(
            at: Int64, driftUnits: Int64, causedUnits: Int64? = nil, isWhole: Bool, detail: String? = nil
        ) {
            self.at = at
            self.driftUnits = driftUnits
            self.causedUnits = causedUnits
            self.isWhole = isWhole
            self.detail = detail
        }
    }

    /// A late payment whose lines were asked for once more, and the flow under which they were.
    public struct StandIn: Codable, Sendable, Hashable {
        public var flow: FlowID
        public var again: FlowID
        public init(flow: FlowID, again: FlowID) {
            self.flow = flow
            self.again = again
        }
    }

    public var skus: [SKU] = []
    public var buckets: [Bucket] = []
    /// In any order; a flow twice is told as doubled.
    public var orders: [Order] = []
    /// In any order.
    public var movements: [Movement] = []
    public var bases: [Base] = []
    public var restocks: [Restock] = []
    public var giveBacks: [GiveBack] = []
    public var standIns: [StandIn] = []
    public var comparisons: [Comparison] = []
    /// What was printed when the sale was closed for good; `nil`: it was not, or nobody heard of it.
    public var closedBooks: ClosedBooks?
    public var deadLetters: Int64 = 0
    /// What did not end, one line each, though both stores could be read: orders without a final answer.
    public var unended: [String] = []
    /// What could not be read, one line each: what depends on it stays unknown.
    public var unread: [String] = []

    public init() {}

    /// Units by which restocks changed what is allocated of a SKU.
    func restocked(_ sku: SKUNumber) -> Int64 {
        restocks.reduce(0) { $1.sku == sku ? $0 + $1.unitsInBooks : $0 }
    }
}
