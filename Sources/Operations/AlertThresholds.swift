/// From where on something is worth an alert.
public struct AlertThresholds: Sendable, Hashable {
    /// A SKU with this share of its allocation left, or less, is low; 0 … 1.
    public var lowStockShare = 0.1
    /// SQL may be so far behind Redis.
    public var outboxAgeMilliseconds: Int64 = 2_000
    /// Units by which the stores differ.
    public var driftUnits: Int64 = 1
    /// The busiest node takes so many times the mean of all.
    public var skewRatio = 2.0
    /// Share of the calls to a node that fail; 0 … 1.
    public var errorShare = 0.01
    /// Redis is full within so many seconds, at the present growth.
    public var memorySeconds = 3_600.0
    /// One slot's share of all orders; 0 … 1.
    public var hotSlotShare = 0.6

    public init() {}
}
