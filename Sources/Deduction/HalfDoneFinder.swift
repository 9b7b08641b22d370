public import Inventory
public import OrderStore
public import Redis
import Synchronization
public import Telemetry

/// Finds orders over several buckets of which SQL has met only some groups for a while, and finishes or undoes each, at most
/// once: what an engine that died between two buckets leaves behind.
///
/// In the buckets of the missing groups Redis is told to forbid the flow where it is absent. Where all were taken the order is
/// whole, and SQL is told so; else it never can be, and SQL undoes it. Both are compare and set in SQL, so two finders, or one
/// and an engine that is late, come to one end. The bound: `age` + 2 × `interval` + the time of one call, while no bucket of the
/// order is fenced and SQL answers; `lag` has the measured times.
public final class HalfDoneFinder: Sendable {
    public struct Configuration: Sendable {
        /// How long an order may be partial before it is looked at: longer than a commit takes, and an engine's next attempt.
        public var age = Duration.seconds(2)
        /// Pause between two looks.
        public var interval = Duration.milliseconds(250)
        /// Orders in one look.
        public var ordersMax = 4_096
        /// How long one script call may take.
        public var callTimeout = Duration.seconds(1)
        public init() {}
    }

    public struct Status: Sendable, Hashable {
        /// Orders that were found at the last look and could not be decided.
        public var waiting = 0
        /// Age of the oldest of them.
        public var oldestMilliseconds: Int64 = 0
        /// Since start.
        public var finished: Int64 = 0
        public var undone: Int64 = 0
        /// What SQL last said; `nil` while all is well.
        public var lastError: String?
    }

    /// Orders of one bucket in one call: its ledgers are read for each.
    static let callOrdersMax = 512

    /// From SQL's meeting of an order's first group to its end here.
    public let lag = LatencyRecorder()
    private let catalogue: Catalogue
    private let cluster: any RedisPort
    private let scripts: Scripts
    private let store: any OrderStore
    private let configuration: Configuration
    private let clock: SaleClock
    private let state = Mutex(Status())
    /// Since when each was seen partial.
    private let seen = Mutex<[FlowID: ContinuousClock.Instant]>([:])

    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore,
        configuration: Configuration = Configuration(), clock: SaleClock = .system
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.configuration = configuration
        self.clock = clock
    }

    public var status: Status { state.withLock { $0 } }

    /// Looks until cancelled.
    public func run() async {
        while !Task.isCancelled {
            do { try await look() } catch { state.withLock { $0.lastError = "\(error)" } }
            try? await clock.sleep(for: configuration.interval)
        }
    }

    /// One look: finishes or undoes every order that was partial for longer than the configured age.
    ///
    /// - Parameter flows: look at these only.
    /// - Returns: how many could not be decided.
    @discardableResult
    public func look(only flows: Set<FlowID>? = nil) async throws -> Int {
        let found = ripe(try await store.halfDone(limit: configuration.ordersMax))
            .filter { flows?.contains($0.order.flow) ?? true }
        guard !found.isEmpty else {
            state.withLock { ($0.waiting, $0.oldestMilliseconds, $0.lastError) = (0, 0, nil) }
            return 0
        }
        let records = try await store.buckets()
        let (answers, entries) = await forbid(found.flatMap(\.missing), records)
        var batch = CommitBatch(entries: entries)
        var finishing: [(order: HalfDoneOrder, duplicates: Range<Int>)] = []
        var undone: [HalfDoneOrder] = []
        var waiting: [HalfDoneOrder] = []
        for order in found {
            switch HalfDoneVerdict(missing: order.missing, answers: answers[order.order.flow] ?? [:]) {
            case .finish(let duplicates):
                let first = batch.duplicates.count
                batch.duplicates.append(contentsOf: duplicates)
                finishing.append((order, first..<batch.duplicates.count))
            case .undo: undone.append(order)
            case .wait: waiting.append(order)
            }
        }
        // The tombstones' entries first: their give-backs are then known to be done before the undoing asks for them.
        var finished: [HalfDoneOrder] = []
        if !batch.isEmpty {
            let results = try await store.commit(batch).duplicates
            for (order, duplicates) in finishing {
                // Stale where a bucket's epoch has just ended: looked at again.
                let isStale = results[duplicates].contains { if case .stale = $0 { true } else { false } }
                if isStale { waiting.append(order) } else { finished.append(order) }
            }
        }
        // What the buckets said holds as long as none of them is rebuilt: the next one to take the flow may not know of it.
        let epochs = Dictionary(uniqueKeysWithValues: records.map { ($0.bucket, $0.epoch) })
        let results = try await store.undo(undone.map(\.order), forbidden: epochs)
        waiting += zip(undone, results).filter { $1 == .moved }.map(\.0)
        undone = zip(undone, results).filter { $1 != .moved }.map(\.0)
        let now = Int64(clock.unixMilliseconds)
        for order in finished + undone { lag.record(.milliseconds(max(0, now - order.sinceMilliseconds))) }
        state.withLock { [finished, undone, waiting] state in
            state.waiting = waiting.count
            state.oldestMilliseconds = waiting.map { max(0, now - $0.sinceMilliseconds) }.max() ?? 0
            state.finished += Int64(finished.count)
            state.undone += Int64(undone.count)
            state.lastError = nil
        }
        return waiting.count
    }

    /// Those that this finder has seen partial for the configured age. What SQL noted as their beginning is the wall clock of whoever
    /// wrote it: one that is ahead would hide an order for as long, one that is behind would end it while it is being taken.
    private func ripe(_ orders: [HalfDoneOrder]) -> [HalfDoneOrder] {
        let now = clock.now
        return seen.withLock { seen in
            seen = Dictionary(
                orders.map { ($0.order.flow, seen[$0.order.flow] ?? now) }, uniquingKeysWith: { first, _ in first })
            return orders.filter { now - seen[$0.order.flow]! >= configuration.age }
        }
    }

    // MARK: Redis

    private typealias Answers = GroupForbidder.Answers

    private var forbidder: GroupForbidder {
        GroupForbidder(
            catalogue: catalogue, cluster: cluster, scripts: scripts, callTimeout: configuration.callTimeout,
            clock: clock)
    }

    /// Tells every bucket to forbid what is not there. Also the entries of the tombstones, for SQL to settle.
    private func forbid(
        _ groups: [Order], _ records: [BucketRecord]
    ) async -> (Answers, [EntrySettlement]) {
        let byBucket = Dictionary(grouping: groups, by: \.bucket)
        return await withTaskGroup(of: (Answers, [EntrySettlement]).self) { group in
            for record in records where record.state == .open {
                guard let orders = byBucket[record.bucket], let bucket = catalogue[record.bucket] else { continue }
                group.addTask { [self] in
                    var all: (Answers, [EntrySettlement]) = ([:], [])
                    for first in stride(from: 0, to: orders.count, by: Self.callOrdersMax) {
                        let some = Array(orders[first..<min(first + Self.callOrdersMax, orders.count)])
                        let (answers, entry) = await forbidder.forbid(
                            some, in: bucket, epoch: record.epoch, n: record.drainedN)
                        all.0.merge(answers) { $0.merging($1) { first, _ in first } }
                        if let entry { all.1.append(entry) }
                    }
                    return all
                }
            }
            var all: (Answers, [EntrySettlement]) = ([:], [])
            for await (answers, entries) in group {
                all.0.merge(answers) { $0.merging($1) { first, _ in first } }
                all.1.append(contentsOf: entries)
            }
            return all
        }
    }
}
