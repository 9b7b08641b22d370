import Inventory
import OrderStore
import Synchronization
import Telemetry

/// Sells from SQL alone what Redis cannot sell now, at a limited rate, where a sale chose so (`WhileFenced.sellInSQL`).
///
/// Only first attempts come here: a flow that Redis may have taken waits for Redis. What exceeds the rate hears "try again".
/// The rebuild of a bucket contains what was sold here, so that handing back is no step of its own.
final class FencedSale: Sendable {
    /// How long a node must be silent before its buckets are closed in SQL: a bucket that SQL sells from must be rebuilt.
    static let silenceMin = Duration.seconds(1)
    /// Orders in one transaction.
    static let batchOrdersMax = 256
    /// Tokens that an idle second may save up, as a part of a second's.
    private static let burstSeconds = 0.25

    private struct State {
        var queue: [Ticket] = []
        var tokens: Double
        var filledAt: ContinuousClock.Instant
        /// Epochs under which buckets were found unfit, silent long enough or fenced.
        var closing: [BucketNumber: Epoch] = [:]
        var sleeper: CheckedContinuation<Void, Never>?
        var isEnded = false
    }

    let ordersPerSecond: Int
    private let store: any OrderStore
    private let clock: SaleClock
    private let claimant: String
    private let state: Mutex<State>

    init(ordersPerSecond: Int, store: any OrderStore, clock: SaleClock, claimant: String) {
        self.ordersPerSecond = ordersPerSecond
        self.store = store
        self.clock = clock
        self.claimant = claimant
        state = Mutex(State(tokens: Double(ordersPerSecond) * Self.burstSeconds, filledAt: clock.now))
    }

    /// Takes a first attempt in, if SQL may sell for its bucket and the rate allows it. A group of an order over several buckets
    /// is not: Redis may be taking the others.
    func admit(_ ticket: Ticket) -> Bool {
        guard ticket.order.wide == nil else { return false }
        let now = clock.now
        let (taken, sleeper) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isEnded, state.closing[ticket.order.bucket] != nil else { return (false, nil) }
            let elapsed = state.filledAt.duration(to: now) / .seconds(1)
            state.filledAt = now
            let rate = Double(ordersPerSecond)
            state.tokens = min(state.tokens + elapsed * rate, max(1, rate * Self.burstSeconds))
            guard state.tokens >= 1 else { return (false, nil) }
            state.tokens -= 1
            state.queue.append(ticket)
            defer { state.sleeper = nil }
            return (true, state.sleeper)
        }
        sleeper?.resume()
        return taken
    }

    /// SQL may sell for `bucket`, which was found unfit under `epoch`.
    func begin(_ bucket: BucketNumber, foundUnder epoch: Epoch) { state.withLock { $0.closing[bucket] = epoch } }

    /// Redis sells again.
    func end(_ bucket: BucketNumber) { state.withLock { _ = $0.closing.removeValue(forKey: bucket) } }

    /// Sells until cancelled; what waits then hears `unanswered`.
    ///
    /// - Parameter deliver: called with each ticket and what became of it; `nil` if nobody knows.
    func run(_ deliver: @escaping @Sendable (Ticket, FencedSaleResult?) -> Void) async {
        while !Task.isCancelled {
            let (batch, closing) = state.withLock { state in
                let batch = Array(state.queue.prefix(Self.batchOrdersMax))
                state.queue.removeFirst(batch.count)
                return (batch, state.closing)
            }
            if batch.isEmpty {
                await sleep()
                continue
            }
            do {
                let results = try await store.sellFenced(batch.map(\.order), closing: closing, by: claimant)
                for (ticket, result) in zip(batch, results) { deliver(ticket, result) }
            } catch let error as OrderStoreError where error.outcome == .refused {
                for ticket in batch { deliver(ticket, .refused(.fenced)) }
            } catch {
                for ticket in batch { deliver(ticket, nil) }
            }
        }
        let rest = state.withLock { state in
            state.isEnded = true
            defer { state.queue.removeAll() }
            return state.queue
        }
        // Nothing was sent for these.
        for ticket in rest { deliver(ticket, .refused(.fenced)) }
    }

    private func sleep() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let wake = state.withLock { state in
                    if state.queue.isEmpty, !state.isEnded, !Task.isCancelled {
                        state.sleeper = continuation
                        return false
                    }
                    return true
                }
                if wake { continuation.resume() }
            }
        } onCancel: {
            state.withLock { state in
                state.isEnded = true
                defer { state.sleeper = nil }
                return state.sleeper
            }?.resume()
        }
    }
}

extension DeductionEngine {
    /// Says for which of the stopped buckets SQL may sell. One whose node was silent for long is fenced, so that it is
    /// rebuilt once the node answers.
    func chooseFencedSales(
        _ stopped: [Lane], now: ContinuousClock.Instant, _ silences: inout [BucketNumber: ContinuousClock.Instant]
    ) {
        guard let fencedSale else { return }
        var silent: [BucketNumber: ContinuousClock.Instant] = [:]
        var selling: Set<BucketNumber> = []
        for lane in stopped {
            let bucket = lane.bucket.number
            let (phase, epoch) = lane.state.withLock { ($0.phase, $0.epoch) }
            switch phase {
            case .open, .opening, .fenced(.halted), .fenced(.closed): break
            case .fenced(let reason):
                selling.insert(bucket)
                // What others recover is not closed once more: it may be open already under an epoch that is not known here.
                fencedSale.begin(bucket, foundUnder: reason.needsRecovery ? epoch : .none)
            case .unreachable:
                let since = silences[bucket] ?? now
                silent[bucket] = since
                if now - since >= FencedSale.silenceMin { fence(lane, reason: .soldInSQL, seenUnder: epoch) }
            }
        }
        for lane in lanes where !selling.contains(lane.bucket.number) { fencedSale.end(lane.bucket.number) }
        silences = silent
    }

    /// What SQL alone did with an order. Unknown: it is kept, and asked again in Redis, which is rebuilt from SQL.
    func deliver(_ result: FencedSaleResult?, soldInSQLTo ticket: Ticket) {
        switch result {
        case .reserved(let duplicate):
            meter.add { $0.soldInSQL += 1 }
            answerDone([ticket], duplicate: duplicate)
        case .refused(let refusal): answerRefused(ticket, refusal)
        case nil:
            ticket.uncertainty = .storeFailed
            guard let position = catalogue.position(of: ticket.order.bucket) else { return }
            ask(ticket, lane: lanes[position])
        }
    }
}
