public import Inventory

/// An order over several buckets of which SQL has met only some groups.
public struct HalfDoneOrder: Sendable, Hashable {
    public let order: WideOrder
    /// The buckets whose groups SQL has met: Redis took them.
    public let arrived: Set<BucketNumber>
    /// When SQL met the first group, in Unix milliseconds.
    public let sinceMilliseconds: Int64

    public init(order: WideOrder, arrived: Set<BucketNumber>, sinceMilliseconds: Int64) {
        self.order = order
        self.arrived = arrived
        self.sinceMilliseconds = sinceMilliseconds
    }

    /// The groups that SQL has not met.
    public var missing: [Order] { order.orders.filter { !arrived.contains($0.bucket) } }
    /// Units of the groups that SQL has met.
    public var unitsHeld: Int64 {
        order.groups.filter { arrived.contains($0.bucket) }.flatMap(\.lines).reduce(0) { $0 + Int64($1.quantity) }
    }
}

/// What became of the undoing of an order that was not whole.
public enum UndoResult: Sendable, Hashable {
    /// It is cancelled, now or before, and will never be whole; the give-backs of its groups are pending or done.
    case undone
    /// It is whole in SQL: reserved, sold, or over capacity. Nothing was changed.
    case stands
    /// A bucket that kept its flow out was fenced since: ask it again. Nothing was changed.
    case moved
    /// Another order has its flow. Nothing was changed; what Redis took for it is given back as its entries are settled.
    case conflict
}

/// Redis's word that a give-back has nothing to give: the flow is forbidden there, or carries another order.
public struct GiveBackEnd: Sendable, Hashable {
    public let order: Order
    /// The bucket's last entry when Redis said so.
    public let id: OutboxID
    public init(order: Order, id: OutboxID) {
        self.order = order
        self.id = id
    }
}
