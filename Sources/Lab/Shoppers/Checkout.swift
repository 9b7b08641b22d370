import Deduction
import Inventory
import OrderStore
import Synchronization

/// The shoppers' payments: each reserved order is paid, or its payment fails, a while after the yes; many are recorded in one
/// transaction.
///
/// Below `durable` SQL may not have heard of an order yet: it keeps the payment, and is asked what became of it until the drain
/// brings the order, or the payment went the late way: a refund or another order, never a silent yes.
final class Checkout: Sendable {
    static let batchMax = 4_096
    static let patience = Duration.seconds(60)

    private struct Due {
        let payment: Order
        let succeeds: Bool
        let at: ContinuousClock.Instant
        let giveUpAt: ContinuousClock.Instant
    }

    private struct State {
        /// Payments by the 50 ms step in which they are due.
        var steps: [Int64: [Due]] = [:]
        var nextStep: Int64 = 0
        var waiting = 0
    }

    private let engine: DeductionEngine
    private let book: BuyersBook
    private let start = ContinuousClock.now
    private let clock = ContinuousClock()
    private let state = Mutex(State())

    init(engine: DeductionEngine, book: BuyersBook) {
        self.engine = engine
        self.book = book
    }

    /// Payments not recorded yet.
    var waiting: Int { state.withLock { $0.waiting } }

    private func step(of instant: ContinuousClock.Instant) -> Int64 {
        let passed = start.duration(to: instant).components
        return passed.seconds * 20 + passed.attoseconds / 50_000_000_000_000_000
    }

    func schedule(_ order: Order, succeeds: Bool, after delay: Duration) {
        let at = clock.now + delay
        let due = Due(payment: order, succeeds: succeeds, at: at, giveUpAt: at + Self.patience)
        state.withLock { state in
            state.waiting += 1
            state.steps[max(step(of: at), state.nextStep), default: []].append(due)
        }
    }

    /// Records what is due until cancelled.
    func run() async {
        while !Task.isCancelled {
            try? await clock.sleep(for: .milliseconds(50))
            await recordDue(now: clock.now)
        }
    }

    private func recordDue(now: ContinuousClock.Instant) async {
        let due = state.withLock { state in
            var all: [Due] = []
            let present = step(of: now)
            while state.nextStep < present {
                if let some = state.steps.removeValue(forKey: state.nextStep) { all.append(contentsOf: some) }
                state.nextStep += 1
            }
            return all
        }
        var first = 0
        while first < due.count {
            let some = Array(due[first..<min(first + Self.batchMax, due.count)])
            first += some.count
            await record(some)
        }
    }

    private func record(_ some: [Due]) async {
        let results = await engine.record(some.map { .init(order: $0.payment, succeeded: $0.succeeds) })
        let now = clock.now
        var again: [Due] = []
        for (position, due) in some.enumerated() {
            switch results?[position] {
            case .confirmed, .already(sold: true): book.keep(due.payment)
            case .already(sold: false): break
            case .cancelled: book.release(due.payment)
            case .refunded: book.refund(due.payment)
            case .reservedAgain: book.reserveAgain(due.payment)
            case .waiting, .reservingAgain, nil:
                // What SQL has it sees through; a buyer asks for a while.
                if now < due.giveUpAt { again.append(due) } else { book.leavePaymentOpen() }
            }
        }
        state.withLock { state in
            state.waiting -= some.count - again.count
            state.steps[max(step(of: now) + 5, state.nextStep), default: []].append(contentsOf: again)
        }
    }
}
