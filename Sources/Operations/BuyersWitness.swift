public import Inventory

/// What the buyers themselves know, where somebody keeps their record: a demo, a rehearsal.
public struct BuyersReading: Sendable {
    public var acknowledged: Int64 = 0
    public var refused: Int64 = 0
    public var unknown: Int64 = 0
    public var released: Int64 = 0
    /// Acknowledged − released − allocated, where above zero.
    public var oversold: [SKUNumber: Int64] = [:]
    public var lostOrders: Int64 = 0
    public var lostUnits: Int64 = 0
    /// Attempts per second; `nil`: as many as possible; 0: nobody buys.
    public var buyersPerSecond: Double? = 0
    public init() {}
}

/// A source of `BuyersReading`; cheap, any thread.
public protocol BuyersWitness: Sendable {
    var reading: BuyersReading { get }
    /// What may be sold, as SQL has it now: beyond that, units are oversold.
    func note(allocated: [SKUNumber: Int64])
}
