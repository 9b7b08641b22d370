public import Inventory
public import OrderStore
public import Redis
import Synchronization

/// Sees to it that every bucket's state and frozen SKUs in Redis are what SQL says: whoever halted, opened, froze or thawed may have
/// died between the two stores, or a bucket may have been out of reach for longer than anybody waited.
///
/// SQL is read whole at one moment, then each bucket; one that says otherwise is told again, under SQL's number of the act. Any
/// number of keepers, in any number of processes, may do so at once. The bound: a bucket that can be reached says what SQL says
/// within `interval` + `callTimeout` + one read of SQL + one script call, while SQL answers; one that is being recovered says so when
/// it opens. A flag that somebody changed by hand, without an act, is met within `wholeInterval` more, or in a sale of many SKUs
/// within the time that `flagsPerSecondMax` gives.
public final class ActKeeper: Sendable {
    public struct Configuration: Sendable {
        /// Pause between two looks at the buckets' states and acts: constant work a bucket.
        public var interval = Duration.milliseconds(250)
        /// Pause between two looks at every SKU's flag as well, at least.
        public var wholeInterval = Duration.seconds(2)
        /// SKUs whose flags are read a second, on average: a large sale must not spend its servers on them.
        public var flagsPerSecondMax = 5_000.0
        /// How long one script call may take.
        public var callTimeout = Duration.milliseconds(500)
        public init() {}
    }

    public struct Status: Sendable, Hashable {
        /// Buckets that were told again, since start.
        public var mended = 0
        /// What SQL last said; `nil` while all is well.
        public var lastError: String?
    }

    private struct State {
        var status = Status()
        /// What SQL said at the last look: an act that is new since is still on its way by whoever did it.
        var acts: [BucketNumber: Int64] = [:]
    }

    private let catalogue: Catalogue
    private let cluster: any RedisPort
    private let scripts: Scripts
    private let store: any OrderStore
    private let acts: BucketActs
    private let configuration: Configuration
    private let wholeInterval: Duration
    private let clock: SaleClock
    private let onMended: @Sendable (BucketControl) -> Void
    private let state = Mutex(State())

    /// - Parameter onMended: called when a bucket was told an act that it had missed; must not block.
    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore, acts: BucketActs,
        configuration: Configuration = Configuration(), clock: SaleClock = .system,
        onMended: @escaping @Sendable (BucketControl) -> Void = { _ in }
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.acts = acts
        self.configuration = configuration
        wholeInterval = max(
            configuration.wholeInterval, .seconds(Double(catalogue.entries.count) / configuration.flagsPerSecondMax))
        self.clock = clock
        self.onMended = onMended
    }

    public var status: Status { state.withLock { $0.status } }

    /// Looks until cancelled.
    public func run() async {
        var wholeAt = clock.now
        while !Task.isCancelled {
            let isWhole = clock.now >= wholeAt
            if isWhole { wholeAt = clock.now + wholeInterval }
            do {
                try await look(atEverySKU: isWhole)
                state.withLock { $0.status.lastError = nil }
            } catch {
                state.withLock { $0.status.lastError = "\(error)" }
            }
            do { try await clock.sleep(for: configuration.interval) } catch { return }
        }
    }

    /// One look at every bucket that SQL calls open; tells those that say otherwise.
    public func look(atEverySKU isWhole: Bool = true) async throws {
        let controls = try await store.bucketControls()
        let before = state.withLock { state in
            defer { state.acts = Dictionary(uniqueKeysWithValues: controls.map { ($0.record.bucket, $0.act) }) }
            return state.acts
        }
        await withDiscardingTaskGroup { group in
            for control in controls where control.record.state == .open {
                guard let bucket = catalogue[control.record.bucket] else { continue }
                group.addTask { [self] in
                    guard await says(otherwise: control, bucket, isWhole: isWhole),
                        case .set = await acts.send(
                            control, to: bucket, deadline: clock.now + configuration.callTimeout),
                        before[bucket.number] == control.act
                    else { return }
                    state.withLock { $0.status.mended += 1 }
                    onMended(control)
                }
            }
        }
    }

    /// Whether a bucket, in the epoch that SQL names, says something else than SQL. What is silent, fenced or being recovered
    /// says nothing.
    private func says(otherwise control: BucketControl, _ bucket: Bucket, isWhole: Bool) async -> Bool {
        let seen = isWhole ? bucket : bucket.withoutSKUs
        let cut = try? await BucketCut.read(
            seen, BucketKeys(bucket: seen, catalogue: catalogue), by: scripts, on: cluster,
            deadline: clock.now + configuration.callTimeout)
        return cut?.missedAct(of: control) ?? false
    }
}

extension BucketCut {
    /// Whether the bucket, read after SQL, lacks an act of SQL's or had its state or a flag changed without one. False for
    /// what is in another epoch, for what is being recovered, and for what has heard of a newer act.
    public func missedAct(of control: BucketControl) -> Bool {
        guard let id, id.epoch == control.record.epoch, lineageHolds, state != BucketState.recovering.rawValue,
            act <= control.act
        else { return false }
        return act < control.act || state != control.saleState.nameInRedis
            || skus.contains { sku in
                guard let isFrozen = sku.control?.frozen else { return false }
                return isFrozen != control.frozen.contains(sku.sku)
            }
    }
}
