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

    /// Reports a bucket; a report about an epoch that a recovery has replaced since is dropped.
    ///
    /// - Parameters:
    ///   - n: the highest that the reporting engine has seen in the epoch.
    ///   - finding: what a comparison found, as a sentence.
    public func report(
        _ bucket: BucketNumber, epoch: Epoch, n: Int64 = 0, reason: FenceReason, finding: String? = nil
    ) {
        let isNew = state.withLock { state in
            if let opened = state.openedEpochs[bucket], epoch < opened { return false }
            guard state.status.fenced[bucket] == nil else { return false }
            state.status.fenced[bucket] = reason
            state.known[bucket] = OutboxID(epoch: epoch, n: n)
            state.status.fences += 1
            state.queue.append(bucket)
            if state.outageStart == nil { state.outageStart = clock.now }
            return true
        }
        if isNew { onEvent(.fenced(bucket, reason, finding: finding)) }
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
        var told: String?
        while !Task.isCancelled {
            do {
                let report = try await recoverer.recover(bucket, known: state.withLock { $0.known[bucket] }) {
                    buildOnce()
                }
                let reason = state.withLock { state -> FenceReason in
                    let reason = state.status.fenced.removeValue(forKey: bucket) ?? .noControl
                    state.status.recoveries += 1
                    state.openedEpochs[bucket] = report.epoch
                    if state.status.fenced.isEmpty, let start = state.outageStart {
                        state.status.lastOutage = start.duration(to: clock.now)
                        state.outageStart = nil
                    }
                    return reason
                }
                onEvent(.recovered(report, reason: reason))
                return
            } catch let failure as Recoverer.Failure where failure.overtaken {
                // Somebody else has the bucket. If their recovery dies, the engine reports it again; claiming at once would
                // only overtake them in turn.
                state.withLock { _ = $0.status.fenced.removeValue(forKey: bucket) }
                onEvent(.failed(bucket, failure.description))
                return
            } catch {
                let text = "\(error)"
                if told != text { onEvent(.failed(bucket, text)) }
                told = text
                try? await clock.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(500))
            }
        }
    }
}
