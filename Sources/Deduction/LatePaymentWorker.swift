public import Inventory
public import OrderStore
import Synchronization

/// Sees late payments through: those that wait for an order that cannot come any more, and those whose lines are to be asked for
/// once more. Money is never silently kept: each ends as a sale or as a refund in SQL.
public final class LatePaymentWorker: Sendable {
    public struct Configuration: Sendable {
        public var interval = Duration.milliseconds(500)
        /// Payments in one step.
        public var paymentsMax = 1_000
        /// How long a payment waits for its order while every bucket sells; longer if what the outboxes held meanwhile is not in
        /// SQL by then.
        public var patience = Duration.seconds(2)
        /// How long while some bucket does not sell: what it holds may yet come.
        public var outagePatience = Duration.seconds(600)
        public init() {}
    }

    public struct Status: Sendable, Hashable {
        /// Payments that went the late way since start, by how it ended.
        public var refunded: Int64 = 0
        public var reservedAgain: Int64 = 0
        public var lastError: String?
    }

    private let engine: DeductionEngine
    private let store: any OrderStore
    private let configuration: Configuration
    private let clock: SaleClock
    private let ends: OutboxEnds
    private let state = Mutex(Status())
    private let patience = Mutex(PaymentPatience())

    /// - Parameter ends: says how far the outboxes reach, wherever they are drained.
    public init(
        engine: DeductionEngine, store: any OrderStore, ends: OutboxEnds,
        configuration: Configuration = Configuration(),
        clock: SaleClock = .system
    ) {
        self.engine = engine
        self.store = store
        self.ends = ends
        self.configuration = configuration
        self.clock = clock
    }

    public var status: Status { state.withLock { $0 } }

    /// Works until cancelled.
    public func run() async {
        while !Task.isCancelled {
            do {
                try await settleWaiting()
                for late in try await store.paymentsToReserveAgain(limit: configuration.paymentsMax) {
                    if Task.isCancelled { return }
                    try await reserveAgain(late)
                }
                state.withLock { $0.lastError = nil }
            } catch {
                state.withLock { $0.lastError = "\(error)" }
            }
            try? await clock.sleep(for: configuration.interval)
        }
    }

    /// Looks at every waiting payment once.
    func settleWaiting() async throws {
        try await weighOutboxes()
        let isSelling = engine.laneStatuses.allSatisfy(\.isOpen)
        let overdue = patience.withLock {
            $0.overdue(
                now: clock.now, isSelling: isSelling, patience: configuration.patience,
                outagePatience: configuration.outagePatience)
        }
        patience.withLock { $0.beginLook() }
        var position: PaymentPosition?
        repeat {
            let sweep = try await store.settleWaitingPayments(
                overdue: overdue, after: position, limit: configuration.paymentsMax)
            // After the reading: whoever is among them had come by then.
            patience.withLock { $0.saw(sweep.waiting, at: clock.now) }
            let refunded = sweep.ended.count {
                if case .refunded = $0.result { return true }
                return false
            }
            state.withLock { $0.refunded += Int64(refunded) }
            position = sweep.next
        } while position != nil && !Task.isCancelled
        if position == nil { patience.withLock { $0.endLook() } }
    }

    /// Notes how far the outboxes reach, or whether SQL has come as far as they once did. Asks nobody while nobody waits.
    private func weighOutboxes() async throws {
        guard patience.withLock({ $0.isAnybodyWaiting }) else { return }
        let now = clock.now
        let records = try await store.buckets()
        let ends = await ends.read(records)
        patience.withLock {
            $0.drained(records)
            $0.reach(ends, askedAt: now)
        }
    }

    /// Asks for the same lines under a new flow, which SQL knows before Redis does: whoever goes on after a crash asks under the
    /// same one. What is refused is forbidden before the money goes back, so that no lost attempt can still take it.
    func reserveAgain(_ late: LatePayment) async throws {
        // A retry that cannot be asked ends unknown, is cancelled, and the money goes back though there are units: wait instead.
        guard isSelling(late.order) else { return }
        let fresh = late.order.flow.again(milliseconds: clock.unixMilliseconds, digest: late.order.digest)
        guard let flow = try await store.linkReservation(of: late.order, again: fresh) else { return }
        let order = late.order.again(under: flow)
        switch await engine.deduct(order, isRetry: flow != fresh) {
        case .done:
            switch await engine.record([Payment(order: order, succeeded: true)])?.first {
            case nil: return
            case .refunded: state.withLock { $0.refunded += 1 }
            default:
                try await store.endReservingAgain(late.order, reserved: true)
                state.withLock { $0.reservedAgain += 1 }
            }
        // For a moment only: ask again later.
        case .refused(.fenced), .refused(.overloaded), .refused(.unreachable): return
        // A bucket went down while it was asked: likewise.
        case .unknown where !isSelling(late.order): return
        case .refused, .unknown:
            switch await engine.cancel(order) {
            case .unknown: return
            case .sold:
                try await store.endReservingAgain(late.order, reserved: true)
                state.withLock { $0.reservedAgain += 1 }
            case .cancelled, .conflict:
                try await store.endReservingAgain(late.order, reserved: false)
                state.withLock { $0.refunded += 1 }
            }
        }
    }

    /// Whether every bucket of an order can be asked.
    private func isSelling(_ order: Order) -> Bool {
        let open = Set(engine.laneStatuses.filter(\.isOpen).map(\.bucket))
        return order.groups.allSatisfy { open.contains($0.bucket) }
    }
}

extension Order {
    /// The same lines under another flow.
    func again(under flow: FlowID) -> Order {
        if let wide, let again = WideOrder(trustedFlow: flow, sortedGroups: wide.groups, buyer: buyer) {
            return again.orders[0]
        }
        return Order(trustedFlow: flow, bucket: bucket, sortedLines: lines, buyer: buyer)
    }
}

extension FlowID {
    /// The flow under which an order's lines are asked for once more: later than its own, as random as its own, and the same for
    /// everybody who makes one at that moment, so that nothing here is left to another chance.
    func again(milliseconds: UInt64, digest: OrderDigest) -> FlowID {
        // SplitMix64's finisher: a bijection, so two orders' flows stay as unlike as they were.
        var mixed = low ^ (digest.rawValue &* 0x9e37_79b9_7f4a_7c15)
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        return FlowID(
            high: max(milliseconds, self.milliseconds) << 16 | 0x7000 | high & 0xfff,
            low: mixed & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
    }
}
