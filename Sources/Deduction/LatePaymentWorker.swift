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
        /// How long a payment waits for its order beyond the age of the outbox's backlog, while every bucket sells.
        public var patience = Duration.seconds(30)
        /// The same while some bucket does not: what it holds may yet come.
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
    private let backlogMilliseconds: @Sendable () -> Int64
    private let state = Mutex(Status())
    private let flows = Mutex(FlowIDGenerator())

    /// - Parameter backlogMilliseconds: the age of the oldest outbox entry that SQL does not have yet.
    public init(
        engine: DeductionEngine, store: any OrderStore, configuration: Configuration = Configuration(),
        clock: SaleClock = .system, backlogMilliseconds: @escaping @Sendable () -> Int64
    ) {
        self.engine = engine
        self.store = store
        self.configuration = configuration
        self.clock = clock
        self.backlogMilliseconds = backlogMilliseconds
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
        let isSelling = engine.laneStatuses.allSatisfy(\.isOpen)
        let patience = isSelling ? configuration.patience : configuration.outagePatience
        let bound = Int64(clock.unixMilliseconds) - patience.inMilliseconds - backlogMilliseconds()
        var position: PaymentPosition?
        repeat {
            let sweep = try await store.settleWaitingPayments(
                arrivedBefore: bound, after: position, limit: configuration.paymentsMax)
            let refunded = sweep.ended.count {
                if case .refunded = $0.result { return true }
                return false
            }
            state.withLock { $0.refunded += Int64(refunded) }
            position = sweep.next
        } while position != nil && !Task.isCancelled
    }

    /// Asks for the same lines under a new flow, which SQL knows before Redis does: whoever goes on after a crash asks under the
    /// same one. What is refused is forbidden before the money goes back, so that no lost attempt can still take it.
    func reserveAgain(_ late: LatePayment) async throws {
        let fresh = flows.withLock { $0.next(milliseconds: clock.unixMilliseconds, random: .random(in: 0 ... .max)) }
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

extension Duration {
    fileprivate var inMilliseconds: Int64 {
        components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
    }
}
