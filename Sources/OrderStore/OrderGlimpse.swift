public import Inventory

/// Which orders a person wants to see: the newest, some of them, or one.
public enum OrderQuestion: Sendable, Hashable {
    /// Those that stand so; `nil`: all.
    case newest(OrderStanding?)
    /// Those with a line of this SKU, and of other SKUs of its bucket too.
    case newestOf(SKUNumber)
    case one(FlowID)
}

/// How an order stands in SQL.
public enum OrderStanding: String, Sendable, Hashable, CaseIterable {
    case reserved, sold, cancelled, void, overCapacity, expired, partial
}

/// One order as SQL has it, for a person to look at.
public struct OrderGlimpse: Sendable, Hashable {
    public let flow: FlowID
    /// Of the group that came first, where the order lies in several buckets.
    public let bucket: BucketNumber
    /// Its outbox entry.
    public let id: OutboxID
    public let standing: OrderStanding
    /// All lines, of every bucket, ascending by SKU.
    public let lines: [OrderLine]
    /// Unix milliseconds until which it is reserved; `nil`: no deadline.
    public let deadline: Int64?

    public init(
        flow: FlowID, bucket: BucketNumber, id: OutboxID, standing: OrderStanding, lines: [OrderLine], deadline: Int64?
    ) {
        self.flow = flow
        self.bucket = bucket
        self.id = id
        self.standing = standing
        self.lines = lines
        self.deadline = deadline
    }
}
