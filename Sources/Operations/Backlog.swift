public import Inventory
import OrderStore

/// What one store has and the other has not heard of, at one moment: the work of whoever runs behind a sale.
///
/// It is no drift, as long as somebody does it. Whether somebody does, two looks say. What waits for a bucket that does not answer, or
/// that must be rebuilt, is left out: nobody could do it now.
public struct Backlog: Sendable, Hashable {
    /// One bucket's outbox beyond what SQL has.
    public struct Outbox: Sendable, Hashable {
        public let drained: OutboxID
        public let end: OutboxID
        public init(drained: OutboxID, end: OutboxID) {
            self.drained = drained
            self.end = end
        }
        public var entries: Int64 { end.epoch == drained.epoch ? max(0, end.n - drained.n) : end.n }
    }

    /// A give-back: a flow and the bucket that is to have its units back.
    public struct GiveBackPlace: Sendable, Hashable {
        public let flow: FlowID
        public let bucket: BucketNumber
        public init(flow: FlowID, bucket: BucketNumber) { (self.flow, self.bucket) = (flow, bucket) }
    }

    public struct RestockPlace: Sendable, Hashable {
        public let sku: SKUNumber
        public let version: Int64
        public init(sku: SKUNumber, version: Int64) { (self.sku, self.version) = (sku, version) }
    }

    public var outboxes: [BucketNumber: Outbox] = [:]
    public var giveBacks: Set<GiveBackPlace> = []
    public var restocks: Set<RestockPlace> = []
    /// Orders over several buckets of which some group has not come.
    public var halfDone: Set<FlowID> = []
    /// Payments that wait for their order, and late ones whose lines are to be asked for once more.
    public var payments: Int64 = 0
    /// Buckets whose recovery was begun and not ended.
    public var recovering: [BucketNumber: Epoch] = [:]
    /// Buckets that have not heard an act on the sale.
    public var missedActs: Set<BucketNumber> = []

    public init() {}

    public var isEmpty: Bool { size == 0 }

    /// Outbox entries that SQL does not have.
    public var entries: Int64 { outboxes.values.reduce(0) { $0 + $1.entries } }

    /// Everything counted together: whatever is done makes it less.
    public var size: Int64 {
        entries + payments
            + Int64(giveBacks.count + restocks.count + halfDone.count + recovering.count + missedActs.count)
    }

    /// What of this has not moved at all in a later look: of each kind, nothing went and nothing came.
    public func unmoved(in later: Backlog) -> Backlog {
        var rest = Backlog()
        rest.outboxes = outboxes.filter { later.outboxes[$0.key] == $0.value }
        if giveBacks.isSubset(of: later.giveBacks) { rest.giveBacks = giveBacks }
        if restocks.isSubset(of: later.restocks) { rest.restocks = restocks }
        if halfDone.isSubset(of: later.halfDone) { rest.halfDone = halfDone }
        if payments == later.payments { rest.payments = payments }
        rest.recovering = recovering.filter { later.recovering[$0.key] == $0.value }
        rest.missedActs = missedActs.intersection(later.missedActs)
        return rest
    }

    /// What of this is still to be done at a later look; what came since is not looked at.
    public func remaining(in later: Backlog) -> Backlog {
        var rest = Backlog()
        for (bucket, outbox) in outboxes {
            // A bucket that is drained, or whose newer epoch a recovery opened: it drained the older one.
            guard let now = later.outboxes[bucket], now.drained < outbox.end, now.end.epoch == outbox.end.epoch else {
                continue
            }
            rest.outboxes[bucket] = Outbox(drained: now.drained, end: outbox.end)
        }
        rest.giveBacks = giveBacks.intersection(later.giveBacks)
        rest.restocks = restocks.intersection(later.restocks)
        rest.halfDone = halfDone.intersection(later.halfDone)
        rest.payments = min(payments, later.payments)
        rest.recovering = recovering.filter { later.recovering[$0.key] != nil }
        rest.missedActs = missedActs.intersection(later.missedActs)
        return rest
    }

    /// What it consists of, in plain words, worst first: "3,584 units of 1,204 orders that SQL has not heard of, 11 give-backs".
    ///
    /// - Parameter load: what the outboxes tell; `nil` where nobody read them.
    public func parts(_ load: OutboxLoad?) -> [String] {
        var parts: [String] = []
        if let load, load.orders > 0 {
            parts.append("\(load.units.counted("unit")) of \(load.orders.counted("order"))")
        } else if entries > 0, giveBacks.isEmpty || load == nil {
            // A give-back that Redis has done is one of these, and is told below.
            parts.append("\(entries) outbox \(entries == 1 ? "entry" : "entries")")
        }
        func add(_ count: Int, _ singular: String) { if count > 0 { parts.append(count.counted(singular)) } }
        add(giveBacks.count, "give-back")
        add(restocks.count, "restock")
        add(halfDone.count, "half-done order")
        add(Int(payments), "payment")
        if !recovering.isEmpty { parts.append("the recovery of \(recovering.count.counted("bucket"))") }
        add(missedActs.count, "missed act")
        return parts
    }
}

/// What outboxes hold beyond what SQL has.
public struct OutboxLoad: Sendable, Hashable {
    /// Orders that Redis took, and their units.
    public var orders: Int64 = 0
    public var units: Int64 = 0
    public init() {}
}

extension [String] {
    /// "a", "a and b", "a, b and c".
    public var asList: String {
        guard count > 1, let last else { return first ?? "" }
        return dropLast().joined(separator: ", ") + " and " + last
    }
}
