import Inventory
import OrderStore
import Synchronization

/// Asks SQL what became of orders that are older than the watermark and no longer in Redis's ledger.
///
/// Such a question is rare (a retry after the dedupe horizon), so it never travels with the commits that others wait for.
final class OldFlowDesk: Sendable {
    /// Orders in one question.
    static let ordersMax = 512

    enum Truth {
        case recorded(OrderSettlement)
        /// SQL has no such order, and below the watermark nobody can take it any more.
        case absent
        /// SQL did not answer.
        case unanswered
    }

    private struct Question {
        let order: Order
        let done: @Sendable (Truth) -> Void
    }

    private struct State {
        var queue: [Question] = []
        var sleeper: CheckedContinuation<Void, Never>?
        var stopping = false
        var ended = false
    }

    private let store: any OrderStore
    private let state = Mutex(State())

    init(store: any OrderStore) { self.store = store }

    func ask(_ order: Order, done: @escaping @Sendable (Truth) -> Void) {
        let (sleeper, ended) = state.withLock { state in
            if state.ended { return (CheckedContinuation<Void, Never>?.none, true) }
            state.queue.append(Question(order: order, done: done))
            defer { state.sleeper = nil }
            return (state.sleeper, false)
        }
        sleeper?.resume()
        if ended { done(.unanswered) }
    }

    /// Answers until `stop()`, and what was asked by then.
    func run() async {
        while true {
            let questions = state.withLock { state in
                let some = Array(state.queue.prefix(Self.ordersMax))
                state.queue.removeFirst(some.count)
                if some.isEmpty { state.ended = state.stopping }
                return some
            }
            if !questions.isEmpty {
                await answer(questions)
            } else if await !wait() {
                return
            }
        }
    }

    func stop() {
        let sleeper = state.withLock { state in
            state.stopping = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    /// Waits for a question; false at the end.
    private func wait() async -> Bool {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let goesOn = state.withLock { state in
                if !state.queue.isEmpty || state.stopping { return true }
                state.sleeper = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
        return state.withLock { !$0.ended }
    }

    private func answer(_ questions: [Question]) async {
        let settlements = try? await store.settlements(of: questions.map(\.order))
        for (position, question) in questions.enumerated() {
            guard let settlements else {
                question.done(.unanswered)
                continue
            }
            question.done(settlements[position].map(Truth.recorded) ?? .absent)
        }
    }
}
