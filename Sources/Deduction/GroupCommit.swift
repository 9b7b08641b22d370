public import Inventory
public import OrderStore
import Synchronization

/// Commits to SQL whatever queued while the last commit ran: one transaction, one fsync, many callers.
///
/// Flush when idle, else everything that waits, up to a limit. A batch that the store refused or lost is sent again as it is
/// (settling is idempotent) until its oldest caller's time is over.
public final class GroupCommit: Sendable {
    /// Orders, entries and payments in one transaction, about.
    public static let batchOrdersMax = 8_192
    /// How long a failing batch is tried again.
    public static let retryMax = Duration.seconds(3)
    /// Pause before the first retry; it doubles with each failure in a row.
    static let pauseMin = Duration.milliseconds(20)
    static let pauseMax = Duration.seconds(1)

    public enum Item: Sendable {
        case entry(EntrySettlement, orders: Int, done: @Sendable (EntryResult?) -> Void)
        case duplicate(DuplicateSettlement, done: @Sendable (DuplicateResult?) -> Void)
        case payments([Payment], done: @Sendable ([PaymentResult]?) -> Void)

        var weight: Int {
            switch self {
            case .entry(_, let orders, _): orders
            case .duplicate: 1
            case .payments(let payments, _): payments.count
            }
        }
    }

    private struct State {
        var queue: [Item] = []
        var sleeper: CheckedContinuation<Void, Never>?
        var stopping = false
        /// Nobody commits any more.
        var ended = false
        var lastError: String?
        /// In a row.
        var failures = 0
    }

    private let store: any OrderStore
    private let clock: SaleClock
    private let state = Mutex(State())

    public init(store: any OrderStore, clock: SaleClock = .system) {
        self.store = store
        self.clock = clock
    }

    /// Queues items; their `done` is called with `nil` if nobody knows whether they were committed.
    public func add(_ items: [Item]) {
        let (sleeper, ended) = state.withLock { state in
            if state.ended { return (CheckedContinuation<Void, Never>?.none, true) }
            state.queue.append(contentsOf: items)
            defer { state.sleeper = nil }
            return (state.sleeper, false)
        }
        sleeper?.resume()
        if ended { answer(items, nil) }
    }

    /// What the store said last time it failed; `nil` once it works again.
    public var lastError: String? { state.withLock { $0.lastError } }

    /// Commits until `stop()`, and what is queued by then.
    func run() async {
        while true {
            var batch = takeBatch()
            if batch.isEmpty {
                let ended = state.withLock { state in
                    state.ended = state.stopping && state.queue.isEmpty
                    return state.ended
                }
                if ended { return }
                await withCheckedContinuation { continuation in
                    let wake = state.withLock { state in
                        if state.queue.isEmpty && !state.stopping {
                            state.sleeper = continuation
                            return false
                        }
                        return true
                    }
                    if wake { continuation.resume() }
                }
                batch = takeBatch()
            }
            if !batch.isEmpty { await commit(batch) }
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

    private func takeBatch() -> [Item] {
        state.withLock { state in
            var weight = 0
            var count = 0
            while count < state.queue.count, weight < Self.batchOrdersMax {
                weight += state.queue[count].weight
                count += 1
            }
            let batch = Array(state.queue[..<count])
            state.queue.removeFirst(count)
            return batch
        }
    }

    private func commit(_ items: [Item]) async {
        var batch = CommitBatch()
        for item in items {
            switch item {
            case .entry(let entry, _, _): batch.entries.append(entry)
            case .duplicate(let duplicate, _): batch.duplicates.append(duplicate)
            case .payments(let payments, _): batch.payments.append(contentsOf: payments)
            }
        }
        let giveUpAt = clock.now + Self.retryMax
        var result: CommitResult?
        while result == nil {
            do {
                result = try await store.commit(batch)
                state.withLock {
                    $0.lastError = nil
                    $0.failures = 0
                }
            } catch {
                let failures = state.withLock { state in
                    state.lastError = "\(error)"
                    state.failures += 1
                    return state.failures
                }
                // Cancelled, the pause below would be none: the engine ends, and the outbox keeps what was taken.
                if clock.now >= giveUpAt || Task.isCancelled { break }
                try? await clock.sleep(
                    for: min(
                        clock.now.duration(to: giveUpAt), Backoff.pause(failures, Self.pauseMin, Self.pauseMax)))
            }
        }
        answer(items, result)
    }

    private func answer(_ items: [Item], _ result: CommitResult?) {
        var entry = 0
        var duplicate = 0
        var payment = 0
        for item in items {
            switch item {
            case .entry(_, _, let done):
                done(result?.entries[entry])
                entry += 1
            case .duplicate(_, let done):
                done(result?.duplicates[duplicate])
                duplicate += 1
            case .payments(let payments, let done):
                done(result.map { Array($0.payments[payment..<payment + payments.count]) })
                payment += payments.count
            }
        }
    }
}
