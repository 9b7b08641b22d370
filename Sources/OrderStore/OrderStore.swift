public import Inventory

/// What SQL remembers of a sale: one port, several databases behind it.
///
/// Every method is one transaction (`BEGIN IMMEDIATE` where it writes). A method that throws `OrderStoreError` with outcome
/// `.refused` surely changed nothing; with `.unknown` it may have committed.
///
/// Two rules carry everything else:
/// - **movements = f(entry)**: an outbox entry is settled whole and once; its movements per SKU are what Redis really did.
/// - **counters = f(rows)**: `sold` and `reserved` move only by order rows that were inserted or changed state.
public protocol OrderStore: OrderLifeStore {
    // MARK: The sale

    /// Creates a sale with its SKUs and buckets, warmed. One sale a database for now.
    func createSale(_ draft: SaleDraft) async throws -> Sale
    /// The database's sale; `nil` for an empty database.
    func sale() async throws -> Sale?
    /// SKUs and buckets of the sale.
    func catalogue() async throws -> Catalogue
    /// Compare and set of the sale's state. Returns the sale as it is now; unchanged if its state was not in `from`.
    func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale
    /// Sets a SKU's frozen flag. Returns the flag before.
    func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async throws -> Bool
    /// Adds `units` to a SKU's allocation as movement `version → version + 1`, pending until Redis applied it.
    func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock

    // MARK: Epochs

    /// Takes a new epoch for a bucket (larger than every epoch in SQL and than `above`) and marks the bucket recovering:
    /// from this commit on nobody else's settlement for the bucket passes.
    func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch
    /// Folds the books of a recovering bucket under its claim, in one write transaction: what Redis must hold.
    ///
    /// The same transaction notes the folded `taken`, allocation and version as the base of later cuts at `<claim>-0`, and
    /// ends every pending give-back and restock of the bucket, because the fold contains them. What SQL decides after the
    /// fold is pending again and reaches Redis after the opening.
    ///
    /// - Throws: `.refused` if the claim is no longer the bucket's epoch, or the bucket is open already.
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold
    /// The short way of a recovery: nothing was lost, so nothing need be rebuilt.
    ///
    /// True if every entry of the epoch up to `id` is settled and none beyond it, and if for every SKU Redis holds exactly
    /// what the movements up to `id` and the flows in SQL say. What Redis holds is then noted as the base of later cuts at
    /// `<claim>-0`, give-backs and restocks that are pending stay pending, and the bucket can be opened. False changes
    /// nothing: `fold` then.
    ///
    /// - Throws: `.refused` if the claim is no longer the bucket's epoch, or the bucket is open already.
    func reopen(bucket: BucketNumber, claim: Epoch, at id: OutboxID, holding: [HeldSKU]) async throws -> Bool
    /// Ends a recovery: the bucket is open for settlements under `claim`, drained through `<claim>-0`. Called *before* the last
    /// write in Redis, which takes sale state and freezes from the answer. Refused if the claim is stale or was never folded.
    /// A second call under the same claim changes nothing and answers the same way.
    func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState
    /// Every bucket's epoch, state and drain position.
    func buckets() async throws -> [BucketRecord]

    // MARK: While a bucket is fenced

    /// Takes orders in SQL alone, in one transaction, for buckets that nobody can sell from in Redis.
    ///
    /// It sells between the claim of a recovery and its fold, which then contains what was sold: so Redis is rebuilt with it.
    /// A bucket that SQL still calls open is closed first, by a new epoch, if its epoch is the one in `closing`: from then on
    /// no entry of the old epoch is settled outside a recovery. Only for a sale at `durable` that chose it and is open.
    ///
    /// - Parameters:
    ///   - closing: the epochs under which the caller found buckets unfit.
    ///   - claimant: who closes, for the record.
    /// - Returns: what became of each order, in their order.
    func sellFenced(
        _ orders: [Order], closing: [BucketNumber: Epoch], by claimant: String
    ) async throws -> [FencedSaleResult]

    // MARK: Orders
    //
    // An order over several buckets is taken group by group, each by the entry of its own bucket; until the last group has come it
    // is `partial`, and its groups' units count as reserved. Paid and cancelled it is whole, whichever group is named.

    /// Settles outbox entries, duplicates and payments in one transaction: entries, then duplicates, then payments, each in
    /// the order given.
    ///
    /// Under a claim it works only until the claim's fold: what is drained afterwards would not be in what Redis was rebuilt
    /// from, so it is stale.
    func commit(_ batch: CommitBatch) async throws -> CommitResult
    /// Cancels flows: reserved → cancelled with a pending give-back; an absent flow becomes a cancelled row (a tombstone)
    /// with a pending give-back. Result in the order of `orders`.
    ///
    /// An over-capacity row becomes cancelled too; its pending give-back asks Redis for whatever its ledger holds (nothing,
    /// once the bucket was rebuilt). A give-back that Redis has done is remembered with its id: an entry below that id which
    /// is settled later does not ask for it again.
    func cancel(_ orders: [Order]) async throws -> [CancelResult]
    /// Give-backs that SQL decided and Redis has not confirmed, in flow order (oldest flow first), at most `limit`.
    func pendingGiveBacks(limit: Int) async throws -> [GiveBack]
    /// The same for one bucket: what waits for a fenced bucket then keeps no other bucket's from being sent.
    func pendingGiveBacks(bucket: BucketNumber, limit: Int) async throws -> [GiveBack]
    /// Notes give-backs that Redis answered without an entry, because there was nothing to give: they are done.
    ///
    /// - Returns: those that come too early, to be told again: SQL does not have everything yet that the bucket had written by
    ///   then, and somebody else's release may be among it. Ended before that, the order's units would be nobody's; and with the
    ///   outbox lost, for good. One of an epoch that ended is forgotten: Redis has to be asked again.
    func endGiveBacks(_ ends: [GiveBackEnd]) async throws -> [GiveBackEnd]
    /// Orders over several buckets of which some group has not come for longer than `age`, longest first, at most `limit`.
    func halfDone(olderThan age: Duration, limit: Int) async throws -> [HalfDoneOrder]
    /// Undoes orders over several buckets that are not whole, by compare and set: partial, or absent, → cancelled in every bucket,
    /// as `cancel` does; one that is whole stays as it is. Result in the order of `orders`.
    func undo(_ orders: [WideOrder]) async throws -> [UndoResult]
    /// Restocks that Redis has not confirmed.
    func pendingRestocks() async throws -> [Restock]
    /// Those of `flows` that SQL does not hold as reserved, sold, cancelled or expired rows (over-capacity, void and partial
    /// rows count as absent).
    func absent(_ flows: [FlowID]) async throws -> [FlowID]

    // MARK: Reading

    /// Movements folded up to `id` for one bucket: what Redis should show in a cut at that id.
    /// `nil` if `drainedThrough` has not reached `id` or the epoch is not the bucket's.
    func foldForCut(bucket: BucketNumber, through id: OutboxID) async throws -> [SKUNumber: CutFold]?
    /// Counters of every SKU of the sale.
    func skuCounters() async throws -> [SKUCounters]
    /// Totals over orders by state.
    func orderTotals() async throws -> OrderTotals
    /// Flows of one SKU's ledger in flow order, after `after`, at most `limit`: what the Redis ledger must contain. What was
    /// archived is not among them.
    func ledgerPage(sku: SKUNumber, after: FlowID?, limit: Int) async throws -> [LedgerRow]

    // MARK: Ledger growth

    /// Raises a bucket's watermark to `horizon` before now, at most over `ordersMax` lines of orders: flows below it will never
    /// be taken again, and their true answer is this store's (`settlements(of:)`). A watermark never falls.
    ///
    /// Now is the store's clock or the bucket's newest flow, whichever is earlier: a clock that jumps forward must not
    /// declare present orders old. Returns the watermark as it is then, of whole milliseconds; `nil`: none yet.
    func raiseWatermark(bucket: BucketNumber, horizon: Duration, ordersMax: Int) async throws -> FlowID?
    /// Orders below the watermark that Redis's ledgers may still hold and no longer need: sold, or given back there. In flow
    /// order after `after`, at most `limit`. An open reservation is none of them, however old.
    func archivable(bucket: BucketNumber, after: FlowID?, limit: Int) async throws -> [ArchivableOrder]
    /// Notes that Redis's ledgers hold these no longer.
    func noteArchived(bucket: BucketNumber, _ flows: [FlowID]) async throws
    /// What became of each order; `nil`: this store has no order under its flow.
    func settlements(of orders: [Order]) async throws -> [OrderSettlement?]

    // MARK: Cross-checks

    /// What buyers hold (reserved + sold) of a SKU that is limited per buyer, in buyers' order after `after`, at most `limit`.
    func heldUnits(sku: SKUNumber, after: BuyerID?, limit: Int) async throws -> [HeldUnits]
    /// Whether an open bucket's movements are what its orders say; `nil` while it is not open.
    func balance(bucket: BucketNumber) async throws -> BookBalance?

    // MARK: Audit

    func audit(_ entry: AuditEntry) async throws
    /// Newest first.
    func auditTrail(limit: Int) async throws -> [AuditEntry]

    /// Finishes what is under way and closes.
    func close() async
}

/// What went wrong at the store boundary.
public struct OrderStoreError: Error, Sendable, CustomStringConvertible {
    public enum Outcome: Sendable { case refused, unknown }
    public let outcome: Outcome
    /// What happened, to what, and what to do, in one line.
    public let message: String
    public init(_ outcome: Outcome, _ message: String) {
        self.outcome = outcome
        self.message = message
    }
    public var description: String { message }
}

/// A sale to create.
public struct SaleDraft: Sendable {
    public struct SKU: Sendable {
        public let sku: String
        public let name: String
        public let tag: String
        /// Units given to the sale, 0 … 10^12.
        public let allocated: Int64
        /// Units that one buyer may hold, 1 or more; `nil`: any number.
        public let limitPerBuyer: Int64?
        public init(sku: String, name: String, tag: String, allocated: Int64, limitPerBuyer: Int64? = nil) {
            self.sku = sku
            self.name = name
            self.tag = tag
            self.allocated = allocated
            self.limitPerBuyer = limitPerBuyer
        }
    }
    public let name: String
    public let durability: Durability
    public let skus: [SKU]
    public let whileFenced: WhileFenced
    /// How long a reservation waits for its payment, in milliseconds, 1 or more; `nil`: for ever.
    public let reservationTimeoutMilliseconds: Int64?
    /// What becomes of a payment whose order has ended or was lost.
    public let latePayments: LatePaymentPolicy
    public init(
        name: String, durability: Durability, skus: [SKU], whileFenced: WhileFenced = .tryAgain,
        reservationTimeoutMilliseconds: Int64? = nil, latePayments: LatePaymentPolicy = .refund
    ) {
        self.whileFenced = whileFenced
        self.name = name
        self.durability = durability
        self.skus = skus
        self.reservationTimeoutMilliseconds = reservationTimeoutMilliseconds
        self.latePayments = latePayments
    }
}

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

/// What one outbox entry did, to be written to SQL once.
public struct EntrySettlement: Sendable {
    public enum Action: Sendable {
        /// Orders that Redis took.
        case deduct([Order])
        /// Orders that Redis gave back (`givenBack`), and tombstones it set (`tombstones`): their pending give-backs are done.
        case release(givenBack: [Order], tombstones: [Order])
        /// Redis applied a restock. `version` is the version *before*, as `Restock.fromVersion`.
        case restock(sku: SKUNumber, version: Int64, units: Int64)
        /// An entry without movement: opening, freeze, thaw, state.
        case mark
        /// A repair: taken moved by `delta` for `sku`.
        case repair(sku: SKUNumber, delta: Int64)
        /// A blob that cannot be read: a dead letter, kept raw, never blocking.
        case unreadable(blob: [UInt8])
    }
    public let bucket: BucketNumber
    public let id: OutboxID
    public let action: Action
    public init(bucket: BucketNumber, id: OutboxID, action: Action) {
        self.bucket = bucket
        self.id = id
        self.action = action
    }
}

/// A duplicate's yes: insert the order if it is missing; no movement (its own entry brings that). It passes only in its
/// bucket's present, open epoch.
public struct DuplicateSettlement: Sendable, Hashable {
    public let order: Order
    /// The id of the entry that took it.
    public let id: OutboxID
    public init(order: Order, id: OutboxID) {
        self.order = order
        self.id = id
    }
}

/// What became of an order that SQL alone was asked to take.
public enum FencedSaleResult: Sendable, Hashable {
    /// Reserved now, or there before (`duplicate`), reserved or sold.
    case reserved(duplicate: Bool)
    case refused(Refusal)
}

/// A payment that arrived, or failed.
public struct Payment: Sendable {
    public let order: Order
    public let succeeded: Bool
    public init(order: Order, succeeded: Bool) {
        self.order = order
        self.succeeded = succeeded
    }
}

public struct CommitBatch: Sendable {
    public var entries: [EntrySettlement]
    public var duplicates: [DuplicateSettlement]
    public var payments: [Payment]
    /// Set only by a recovery that drains under its claim: entries of older epochs are then taken for the claimed bucket,
    /// and orders beyond capacity become over-capacity rows. Without it, a deduct entry whose epoch is not its bucket's
    /// present, open epoch is stale and changes nothing.
    public var claim: Epoch?

    public init(
        entries: [EntrySettlement] = [], duplicates: [DuplicateSettlement] = [], payments: [Payment] = [],
        claim: Epoch? = nil
    ) {
        self.entries = entries
        self.duplicates = duplicates
        self.payments = payments
        self.claim = claim
    }
    public var isEmpty: Bool { entries.isEmpty && duplicates.isEmpty && payments.isEmpty }
}

/// What became of one order in a commit.
public enum OrderSettlement: Sendable, Hashable {
    /// A row exists and counts: inserted now, or there before with the same digest (reserved or sold).
    case committed
    /// Not inserted: another order has this flow. Void; its give-back is pending.
    ///
    /// Also for what is no order at all (unknown SKU, SKU twice, another bucket's): that one is a dead letter, nothing is given
    /// back, and its units count as taken until a person settles it.
    case conflict
    /// Not inserted as an order: no capacity. A void row (an over-capacity row under a claim, or when the worker of a sale
    /// below `durable` drains it); under `durable` its give-back is pending.
    case overCapacity
    /// The flow was cancelled, or expired, before; its give-back is pending.
    case cancelled
    /// One group of an order over several buckets was recorded, and counts; not all groups have come.
    case partial
}

public enum EntryResult: Sendable {
    /// Settled now. `exceptions` lists the orders of a deduct entry that did not become `.committed`.
    ///
    /// `.committed` among them: the order stands, from an entry before this one. So Redis took it twice, because its ledger lost
    /// the first take; the second is accounted to nobody, and the bucket must be rebuilt.
    case settled(exceptions: [FlowID: OrderSettlement])
    /// Settled before by somebody else. `exceptions` as above, looked up.
    case already(exceptions: [FlowID: OrderSettlement])
    /// The bucket's epoch has moved on or it is recovering; nothing was changed.
    case stale
}

public enum DuplicateResult: Sendable {
    case settled(OrderSettlement)
    case stale
}

public enum PaymentResult: Sendable, Hashable {
    /// Reserved → sold.
    case confirmed
    /// Reserved → cancelled; the give-back is pending.
    case cancelled
    /// Nothing to do: a payment for an order that is sold already, or a failed one for an order that has ended.
    case already(sold: Bool)
    /// It succeeded, and SQL does not have its order, or has it beyond capacity: kept in SQL. If the order comes, it is sold in
    /// the same transaction; if it cannot come any more, the payment goes the late way.
    case waiting
    /// Late: SQL will have the same lines asked for once more under a new flow.
    case reservingAgain(LateReason)
    /// It was late, and its lines are another order's now, under this flow.
    case reservedAgain(FlowID)
    /// Late: SQL holds a refund, one however often the payment is told.
    case refunded(LateReason)
}

public struct CommitResult: Sendable {
    public let entries: [EntryResult]
    public let duplicates: [DuplicateResult]
    public let payments: [PaymentResult]
    public init(entries: [EntryResult], duplicates: [DuplicateResult], payments: [PaymentResult]) {
        self.entries = entries
        self.duplicates = duplicates
        self.payments = payments
    }
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

/// What the last write of a recovery must set in Redis.
public struct OpeningState: Sendable, Hashable {
    public let saleState: SaleState
    public let frozen: Set<SKUNumber>
    /// Flows below it are never taken again; `nil`: none yet.
    public let watermark: FlowID?
    public init(saleState: SaleState, frozen: Set<SKUNumber>, watermark: FlowID? = nil) {
        self.saleState = saleState
        self.frozen = frozen
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
