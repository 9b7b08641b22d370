public import Inventory
public import OrderStore
import Synchronization

/// The buyers' own record of a sale: every yes they were told. It is the witness against Redis and SQL alike: what it holds
/// and neither of them does was lost; what it holds beyond an allocation was oversold.
public final class BuyersBook: Sendable {
    public struct Totals: Sendable, Hashable {
        /// By flow: attempts = acknowledged + refused + unknown.
        public var acknowledged: Int64 = 0
        public var refused: Int64 = 0
        public var unknown: Int64 = 0
        public var released: Int64 = 0
        /// Orders whose payment came late and was paid back.
        public var refunded: Int64 = 0
        /// Of those, orders whose buyer was in time: they had a yes, and it was not kept.
        public var broken: Int64 = 0
        public var brokenUnits: Int64 = 0
        /// Orders whose payment came late and got the same units under another flow.
        public var reservedAgain: Int64 = 0
        /// Orders whose buyer went away without paying.
        public var abandoned: Int64 = 0
        /// Payments of which the buyer never heard again.
        public var openPayments: Int64 = 0
        public var refusals: [Refusal: Int64] = [:]

        public var attempts: Int64 { acknowledged + refused + unknown }
    }

    /// One yes.
    public struct Yes: Sendable {
        public let flow: FlowID
        public let bucket: BucketNumber
        public let units: Int32
    }

    private struct State {
        var totals = Totals()
        /// Units promised to buyers by position in the catalogue: acknowledged − released.
        var held: [Int64]
        var yes: [Yes] = []
        var allocated: [Int64]
        /// What `lost` has looked at already and SQL has.
        var verified = 0
        var lostFlows: [FlowID: Int32] = [:]
        /// Orders that are paid for after their time, if at all: not held unless the payment is taken after all.
        var lapsed: Set<FlowID> = []

        /// Adds an order's units to what buyers hold, or takes them off.
        mutating func hold(_ order: Order, _ sign: Int64, _ catalogue: Catalogue) {
            for line in order.allLines {
                if let position = catalogue.position(of: line.sku) { held[position] += sign * Int64(line.quantity) }
            }
        }
    }

    private let catalogue: Catalogue
    private let state: Mutex<State>

    /// - Parameter allocated: units by SKU as the sale begins.
    public init(catalogue: Catalogue, allocated: [SKUNumber: Int64]) {
        self.catalogue = catalogue
        state = Mutex(
            State(
                held: Array(repeating: 0, count: catalogue.entries.count),
                allocated: catalogue.entries.map { allocated[$0.number] ?? 0 }))
    }

    public var totals: Totals { state.withLock { $0.totals } }

    func acknowledge(_ order: Order) {
        state.withLock { state in
            state.totals.acknowledged += 1
            var units: Int32 = 0
            for line in order.allLines {
                units += line.quantity
                if let position = catalogue.position(of: line.sku) { state.held[position] += Int64(line.quantity) }
            }
            state.yes.append(Yes(flow: order.flow, bucket: order.bucket, units: units))
        }
    }

    func refuse(_ refusal: Refusal) {
        state.withLock {
            $0.totals.refused += 1
            $0.totals.refusals[refusal, default: 0] += 1
        }
    }

    func leaveUnknown() { state.withLock { $0.totals.unknown += 1 } }

    func release(_ order: Order) {
        state.withLock { state in
            state.totals.released += 1
            if state.lapsed.remove(order.flow) == nil { state.hold(order, -1, catalogue) }
        }
    }

    /// The buyer got the money back. If they came too late, that is the end of it; if not, their yes was worth nothing: it
    /// stays among what buyers were promised, for money does not undo that somebody else has their units.
    func refund(_ order: Order) {
        state.withLock { state in
            state.totals.refunded += 1
            guard state.lapsed.remove(order.flow) == nil else { return }
            state.totals.broken += 1
            state.totals.brokenUnits += order.allLines.reduce(0) { $0 + Int64($1.quantity) }
        }
    }

    /// The payment was late, and the units are the buyer's under another flow.
    func reserveAgain(_ order: Order) {
        state.withLock { $0.totals.reservedAgain += 1 }
        keep(order)
    }

    /// The buyer went away: nobody claims the units.
    func abandon(_ order: Order) {
        state.withLock { state in
            state.totals.abandoned += 1
            state.hold(order, -1, catalogue)
        }
    }

    /// The buyer will pay after the reservation's time: until that is taken, nobody claims the units.
    func lapse(_ order: Order) {
        state.withLock { state in
            if state.lapsed.insert(order.flow).inserted { state.hold(order, -1, catalogue) }
        }
    }

    /// The payment was taken, so the units are the buyer's, even if they had lapsed.
    func keep(_ order: Order) {
        state.withLock { state in
            if state.lapsed.remove(order.flow) != nil { state.hold(order, 1, catalogue) }
        }
    }

    func leavePaymentOpen() { state.withLock { $0.totals.openPayments += 1 } }

    /// What may be sold, as SQL has it now. Somebody else's restock widens it, too, and SQL has each before Redis sells from it.
    public func note(allocated: [SKUNumber: Int64]) {
        state.withLock { state in
            for (sku, units) in allocated {
                if let position = catalogue.position(of: sku) { state.allocated[position] = units }
            }
        }
    }

    /// Units beyond the allocation, by SKU; only SKUs that have some.
    public var oversold: [SKUNumber: Int64] {
        state.withLock { state in
            var result: [SKUNumber: Int64] = [:]
            for (position, held) in state.held.enumerated() where held > state.allocated[position] {
                result[catalogue.entries[position].number] = held - state.allocated[position]
            }
            return result
        }
    }

    /// How many yeses there are now: for `lost(in:upTo:)`.
    public var yesCount: Int { state.withLock { $0.yes.count } }

    /// Acknowledged orders that were lost: SQL does not hold them, or it could only pay the buyer back. Among those acknowledged up
    /// to now; what SQL had once it has for good, so each yes is looked up until it is found. Call it after a drain: what is still in the outbox looks lost.
    ///
    /// - Parameter mark: look at this many of the first yeses only; `nil`: all.
    public func lost(
        in store: any OrderStore, upTo mark: Int? = nil, batch: Int = 20_000
    ) async throws -> (orders: Int64, units: Int64) {
        let (open, first, end) = state.withLock { ($0.lostFlows, $0.verified, min(mark ?? .max, $0.yes.count)) }
        var missing: [FlowID: Int32] = [:]
        var suspects = open.map { Yes(flow: $0.key, bucket: BucketNumber(rawValue: 0), units: $0.value) }
        var position = first
        while !suspects.isEmpty || position < end {
            let upper = min(end, position + batch)
            suspects.append(contentsOf: state.withLock { Array($0.yes[position..<upper]) })
            position = upper
            let absent = Set(try await store.absent(suspects.map(\.flow)))
            for yes in suspects where absent.contains(yes.flow) { missing[yes.flow] = yes.units }
            suspects.removeAll(keepingCapacity: true)
        }
        return state.withLock { [missing] state in
            state.verified = max(state.verified, end)
            state.lostFlows = missing
            return (
                Int64(missing.count) + state.totals.broken,
                missing.values.reduce(0) { $0 + Int64($1) } + state.totals.brokenUnits
            )
        }
    }
}
