public import Inventory
public import OrderStore

/// Who loses where more was promised than there is: data, to be shown before anything is done, then carried out or not.
///
/// What is sold never loses: counters never exceed an allocation, so there is room for it. An order that is paid for never loses to
/// one that is not. Among equals the policy chooses. Who was beyond capacity and finds room, because somebody else loses or because
/// units came back, is taken in.
public struct OversoldPlan: Sendable {
    public enum Fate: String, Sendable, Codable {
        /// Rolled back, with a refund record.
        case loses
        /// Was beyond capacity, and becomes an order like any other.
        case takenIn
    }

    public struct Decision: Sendable, Hashable {
        public let order: Order
        public let fate: Fate
        /// Whether it was beyond capacity; else a reservation that makes room for an older one.
        public let wasOverCapacity: Bool
        public let isPaid: Bool
    }

    public let policy: OversoldPolicy
    /// In the order in which they were decided: who loses first comes first.
    public let decisions: [Decision]
    /// Reservations that were looked at and stay.
    public let kept: Int

    public var losers: [Decision] { decisions.filter { $0.fate == .loses } }
    public var takenIn: [Decision] { decisions.filter { $0.fate == .takenIn } }
    public var isEmpty: Bool { decisions.isEmpty }

    /// Decides; writes nothing.
    public init(_ books: OversoldBooks, policy: OversoldPolicy) {
        self.policy = policy
        // Room for the orders of the choice: what everybody else leaves.
        var room: [SKUNumber: Int64] = [:]
        for counter in books.counters { room[counter.sku] = counter.allocated - counter.sold - counter.reserved }
        for one in books.orders where !one.isOverCapacity {
            for line in one.order.lines { room[line.sku, default: 0] += Int64(line.quantity) }
        }
        var decisions: [Decision] = []
        var kept = 0
        for one in books.orders.sorted(by: { Self.staysBefore($0, $1, policy) }) {
            let fits = one.order.lines.allSatisfy { (room[$0.sku] ?? 0) >= Int64($0.quantity) }
            if fits {
                for line in one.order.lines { room[line.sku]! -= Int64(line.quantity) }
                guard one.isOverCapacity else {
                    kept += 1
                    continue
                }
            }
            decisions.append(
                Decision(
                    order: one.order, fate: fits ? .takenIn : .loses, wasOverCapacity: one.isOverCapacity,
                    isPaid: one.isPaid))
        }
        self.decisions = decisions.reversed()
        self.kept = kept
    }

    private static func staysBefore(_ left: OversoldOrder, _ right: OversoldOrder, _ policy: OversoldPolicy) -> Bool {
        if left.isPaid != right.isPaid { return left.isPaid }
        switch policy {
        case .newestFirst: return left.order.flow < right.order.flow
        case .oldestFirst: return left.order.flow > right.order.flow
        case .smallestFirst:
            let (mine, theirs) = (left.order.units, right.order.units)
            return mine != theirs ? mine > theirs : left.order.flow < right.order.flow
        }
    }

    /// The decisions by bucket, as SQL takes them.
    public var choices: [OversoldChoice] {
        Dictionary(grouping: decisions, by: \.order.bucket).sorted { $0.key < $1.key }.map { bucket, mine in
            OversoldChoice(
                bucket: bucket, losers: mine.filter { $0.fate == .loses }.map(\.order),
                takenIn: mine.filter { $0.fate == .takenIn }.map(\.order))
        }
    }

    /// What would be done, one plain line an order.
    public func sentences(_ catalogue: Catalogue) -> [String] {
        decisions.map { decision in
            let lines = decision.order.lines.map { "\($0.quantity) × \(catalogue[$0.sku]?.sku ?? "?")" }
                .joined(separator: ", ")
            let paid = decision.isPaid ? "paid" : "not paid"
            let what =
                switch (decision.fate, decision.wasOverCapacity) {
                case (.loses, true): "loses: rolled back with a refund record"
                case (.loses, false): "loses its reservation to an order that stays, with a refund record"
                case (.takenIn, _): "is taken in"
                }
            return "order \(decision.order.flow) (\(lines), \(paid)) \(what)"
        }
    }
}
