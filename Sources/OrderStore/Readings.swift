public import Inventory

/// One entry of a SKU's ledger.
public struct LedgerRow: Sendable, Hashable {
    public let sku: SKUNumber
    public let flow: FlowID
    public let digest: OrderDigest
    /// Units; 0 for an over-capacity row.
    public let quantity: Int64
    public let cancelled: Bool
    public let n: Int64
    /// Below the watermark and settled: Redis's ledger may hold it still, or no longer.
    public let mayBeArchived: Bool
    public init(
        sku: SKUNumber, flow: FlowID, digest: OrderDigest, quantity: Int64, cancelled: Bool, n: Int64,
        mayBeArchived: Bool = false
    ) {
        self.sku = sku
        self.flow = flow
        self.digest = digest
        self.quantity = quantity
        self.cancelled = cancelled
        self.n = n
        self.mayBeArchived = mayBeArchived
    }
}

public struct CutFold: Sendable, Hashable {
    public let allocated: Int64
    public let version: Int64
    public let taken: Int64
    public let frozen: Bool
    public init(allocated: Int64, version: Int64, taken: Int64, frozen: Bool) {
        self.allocated = allocated
        self.version = version
        self.taken = taken
        self.frozen = frozen
    }
}

/// Where a bucket was cut.
public struct CutPosition: Sendable, Hashable {
    public let bucket: BucketNumber
    public let id: OutboxID
    public init(bucket: BucketNumber, id: OutboxID) {
        self.bucket = bucket
        self.id = id
    }
}

/// SQL's books of a bucket beside its cut: what `CutFold` and `BookBalance` say, in one list.
public struct CutBooks: Sendable, Hashable {
    public struct SKU: Sendable, Hashable {
        public let sku: SKUNumber
        /// By movements up to the cut's id.
        public let allocated: Int64
        public let version: Int64
        public let taken: Int64
        public let frozen: Bool
        /// By every movement that is settled.
        public let takenInAll: Int64
        /// reserved + sold.
        public let held: Int64
        /// As in `BookBalance.SKU`.
        public let mayBeTaken: Int64

        public init(
            sku: SKUNumber, allocated: Int64, version: Int64, taken: Int64, frozen: Bool, takenInAll: Int64,
            held: Int64,
            mayBeTaken: Int64
        ) {
            self.sku = sku
            self.allocated = allocated
            self.version = version
            self.taken = taken
            self.frozen = frozen
            self.takenInAll = takenInAll
            self.held = held
            self.mayBeTaken = mayBeTaken
        }

        /// Whether what movements took is what orders hold, neither more nor less.
        public var isBalanced: Bool { held <= takenInAll && takenInAll <= held + mayBeTaken }

        public var fold: CutFold {
            CutFold(allocated: allocated, version: version, taken: taken, frozen: frozen)
        }
        public var balance: BookBalance.SKU {
            BookBalance.SKU(sku: sku, taken: takenInAll, held: held, mayBeTaken: mayBeTaken)
        }
    }
    public let record: BucketRecord
    /// In the bucket's order.
    public let skus: [SKU]

    public init(record: BucketRecord, skus: [SKU]) {
        self.record = record
        self.skus = skus
    }
}

public struct SKUCounters: Sendable, Hashable {
    public let sku: SKUNumber
    public let allocated: Int64
    public let sold: Int64
    public let reserved: Int64
    /// Units of over-capacity rows: acknowledged somewhere, outside the counters.
    public let overCapacity: Int64
    public let frozen: Bool
    public init(sku: SKUNumber, allocated: Int64, sold: Int64, reserved: Int64, overCapacity: Int64, frozen: Bool) {
        self.sku = sku
        self.allocated = allocated
        self.sold = sold
        self.reserved = reserved
        self.overCapacity = overCapacity
        self.frozen = frozen
    }
}

public struct OrderTotals: Sendable, Hashable {
    public let reserved: Int64
    public let sold: Int64
    public let cancelled: Int64
    public let void: Int64
    public let overCapacity: Int64
    /// Reservations whose payment did not come in time.
    public let expired: Int64
    /// Orders over several buckets of which not all groups have come.
    public let partial: Int64
    /// Those that wait for a person.
    public let deadLetters: Int64
    public let pendingGiveBacks: Int64
    public init(
        reserved: Int64, sold: Int64, cancelled: Int64, void: Int64, overCapacity: Int64, expired: Int64 = 0,
        partial: Int64 = 0,
        deadLetters: Int64, pendingGiveBacks: Int64
    ) {
        self.reserved = reserved
        self.sold = sold
        self.cancelled = cancelled
        self.void = void
        self.overCapacity = overCapacity
        self.expired = expired
        self.partial = partial
        self.deadLetters = deadLetters
        self.pendingGiveBacks = pendingGiveBacks
    }
    /// Orders in whatever state.
    public var orders: Int64 { reserved + sold + cancelled + void + overCapacity + partial + expired }
}

/// A process that writes in the order store.
public struct StoreWriter: Sendable, Hashable {
    public let process: Int32
    /// What it runs, where that can be seen.
    public let name: String?
    public init(process: Int32, name: String?) {
        self.process = process
        self.name = name
    }
}

/// How far somebody has read the audit.
public struct AuditMark: Sendable, Hashable {
    let number: Int64
    public init(number: Int64) { self.number = number }
}

/// What came into the audit since a mark.
public struct AuditNews: Sendable, Hashable {
    /// Oldest first.
    public let entries: [AuditEntry]
    /// Rows that came, too, and are older than these.
    public let leftOut: Int64
    /// For the next look.
    public let mark: AuditMark
    public init(entries: [AuditEntry], leftOut: Int64, mark: AuditMark) {
        self.entries = entries
        self.leftOut = leftOut
        self.mark = mark
    }
}

/// One act and its result: who, when, where, what, before, after.
public struct AuditEntry: Sendable, Hashable {
    /// Unix milliseconds.
    public let atMilliseconds: Int64
    public let who: String
    /// Host and process.
    public let origin: String
    /// The act: `open`, `halt`, `freeze`, …
    public let what: String
    /// What it was done to.
    public let subject: String
    public let before: String
    public let after: String
    public init(
        atMilliseconds: Int64, who: String, origin: String, what: String, subject: String, before: String, after: String
    ) {
        self.atMilliseconds = atMilliseconds
        self.who = who
        self.origin = origin
        self.what = what
        self.subject = subject
        self.before = before
        self.after = after
    }
}
