public import Inventory

/// What one outbox entry did, to be written to SQL once.
public struct EntrySettlement: Sendable {
    public enum Action: Sendable {
        /// Orders that Redis took.
        case deduct([Order])
        /// Orders that Redis gave back (`givenBack`), and tombstones it set (`tombstones`): their pending give-backs are done.
        case release(givenBack: [Order], tombstones: [Order])
        /// Redis applied a restock. `version` is the version *before*, as `Restock.fromVersion`; `units` is what it moved: 0 where a
        /// reverse restock found fewer units left, and was refused.
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
