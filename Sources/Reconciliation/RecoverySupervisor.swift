public import Deduction
public import Inventory
import Synchronization

/// Takes reports of fenced buckets and recovers each, several at a time, until it succeeds.
public final class RecoverySupervisor: Sendable {
    /// Buckets read from SQL and written to Redis at once. Those that are ready and wait for leases to end are not counted.
    public static let concurrentMax = 8

    public enum Event: Sendable {
        /// `finding`: the sentence of the comparison that found it, if one did.
        case fenced(BucketNumber, FenceReason, finding: String?)
        case recovered(Recoverer.Report, reason: FenceReason)
        /// Tried and failed; it is tried again.
        case failed(BucketNumber, String)
    }

    public struct Status: Sendable, Hashable {
        /// Buckets that wait for a recovery or are in one, with why.
        public var fenced: [BucketNumber: FenceReason] = [:]
        public var fences = 0
        public var recoveries = 0
        /// From the first fence of an outage to the last recovery of it.
        public var lastOutage: Duration?
    }

    private struct State {
        var status = Status()
        var queue: [BucketNumber] = []
        var outageStart: ContinuousClock.Instant?
        var openedEpochs: [BucketNumber: Epoch] = [:]
        /// The last ids that the reporting engines have seen.
        var known: [BucketNumber: OutboxID] = [:]
        /// What engines reported of buckets that were waiting for a recovery, or in one, under an epoch newer than the one that
        /// was reported first.
        var later: [BucketNumber: (id: OutboxID, reason: FenceReason)] = [:]
        var building = 0
    }

    private let recoverer: Recoverer
    private let onEvent: @Sendable (Event) -> Void
    private let state = Mutex(State())
    private let clock: SaleClock

    /// - Parameter onEvent: called on any thread; must not block.
    public init(
        recoverer: Recoverer, clock: SaleClock = .system, onEvent: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.recoverer = recoverer
        self.clock = clock
        self.onEvent = onEvent
    }

    public var status: Status { state.withLock { $0.status } }

    /// Reports a bucket; a report about an epoch that a recovery has replaced since is dropped. One that comes while the bucket is
    /// being recovered is not: it may be about the very epoch that the recovery has just opened, and nobody would say so again.
    ///
    /// - Parameters:
    ///   - n: the highest that the reporting engine has seen in the epoch.
    ///   - finding: what a comparison found, as a sentence.
    public func report(
        _ bucket: BucketNumber, epoch: Epoch, n: Int64 = 0, reason: FenceReason, finding: String? = nil
    ) {
        let isNew = state.withLock { state in
            if let opened = state.openedEpochs[bucket], epoch < opened { return false }
            let id = OutboxID(epoch: epoch, n: n)
            guard state.status.fenced[bucket] == nil else {
                let known = state.known[bucket] ?? id
                if epoch == known.epoch {
                    state.known[bucket] = max(known, id)
                } else if epoch > known.epoch, reason != .recovering, finding == nil {
                    // A comparison comes again by itself; that a recovery is slow is no news to it.
                    let before = state.later[bucket]
                    state.later[bucket] = before.map { $0.id >= id ? $0 : (id, reason) } ?? (id, reason)
                }
                return false
            }
            Self.begin(bucket, id, reason, &state, now: clock.now)
            return true
        }
        if isNew { onEvent(.fenced(bucket, reason, finding: finding)) }
    }

    private static func begin(
        _ bucket: BucketNumber, _ id: OutboxID, _ reason: FenceReason, _ state: inout State,
        now: ContinuousClock.Instant
    ) {
        state.status.fenced[bucket] = reason
        state.known[bucket] = id
        state.status.fences += 1
        state.queue.append(bucket)
        if state.outageStart == nil { state.outageStart = now }
    }

    /// After a recovery: begins another if what was reported meanwhile is about what there is now. Returns why.
    ///
    /// - Parameter opened: the epoch that the recovery opened; `nil`: it was overtaken.
    private func takeUpLater(_ bucket: BucketNumber, opened: Epoch?, _ state: inout State) -> FenceReason? {
        guard let later = state.later.removeValue(forKey: bucket), later.id.epoch >= opened ?? .none else { return nil }
        Self.begin(bucket, later.id, later.reason, &state, now: clock.now)
        return later.reason
    }

    /// Recovers what is reported until cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let next = state.withLock { state -> BucketNumber? in
                    guard state.building < Self.concurrentMax, !state.queue.isEmpty else { return nil }
                    state.building += 1
                    return state.queue.removeFirst()
                }
                guard let next else {
                    try? await clock.sleep(for: .milliseconds(10))
                    continue
                }
                group.addTask {
                    await self.recover(next) { self.state.withLock { $0.building -= 1 } }
                }
            }
        }
    }

    /// - Parameter built: called once, when the bucket's books are written or its recovery is given up.
    private func recover(_ bucket: BucketNumber, built: @escaping @Sendable () -> Void) async {
        let isBuilt = Mutex(false)
        let buildOnce = {
            let wasBuilt = isBuilt.withLock { isBuilt in
                defer { isBuilt = true }
                return isBuilt
            }
            if !wasBuilt { built() }
        }
        defer { buildOnce() }
        var pause = Duration.milliseconds(20)
        var failures = RepeatedFailure()
        while !Task.isCancelled {
            do {
                let report = try await recoverer.recover(bucket, known: state.withLock { $0.known[bucket] }) {
                    buildOnce()
                }
                let (reason, again) = state.withLock { state -> (FenceReason, FenceReason?) in
                    let reason = state.status.fenced.removeValue(forKey: bucket) ?? .noControl
                    state.status.recoveries += 1
                    state.openedEpochs[bucket] = report.epoch
                    if state.status.fenced.isEmpty, let start = state.outageStart {
                        state.status.lastOutage = start.duration(to: clock.now)
                        state.outageStart = nil
                    }
                    return (reason, takeUpLater(bucket, opened: report.epoch, &state))
                }
                onEvent(.recovered(report, reason: reason))
                if let again { onEvent(.fenced(bucket, again, finding: nil)) }
                return
            } catch let failure as Recoverer.Failure where failure.overtaken {
                // Somebody else has the bucket. If their recovery dies, the engine reports it again; claiming at once would
                // only overtake them in turn.
                let again = state.withLock { state in
                    state.status.fenced.removeValue(forKey: bucket)
                    return takeUpLater(bucket, opened: nil, &state)
                }
                onEvent(.failed(bucket, failure.description))
                if let again { onEvent(.fenced(bucket, again, finding: nil)) }
                return
            } catch {
                if let text = failures.toTell("\(error)", now: clock.now) { onEvent(.failed(bucket, text)) }
                try? await clock.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(500))
            }
        }
    }
}
