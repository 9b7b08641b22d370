public import Deduction
public import Inventory
public import OrderStore
public import Reconciliation
public import Redis
import Synchronization
import Telemetry

/// Everything that works behind one sale: the engine, the outbox worker, the give-back worker, the recovery of fenced
/// buckets, and the comparison on a period. `watch` runs it without the parts that write.
public final class SaleService: Sendable {
    public struct Options: Sendable {
        public var engine = DeductionEngine.Configuration()
        public var worker = OutboxWorker.Configuration()
        public var archive = Archiver.Configuration()
        public var monitor = SaleMonitor.Configuration()
        public var halfDone = HalfDoneFinder.Configuration()
        public var acts = ActKeeper.Configuration()
        public var sweeper = ReservationSweeper.Configuration()
        public var latePayments = LatePaymentWorker.Configuration()
        /// Pause between two comparisons.
        public var comparePeriod = Duration.seconds(2)
        public init() {}
    }

    /// Comparisons so far.
    public struct Comparisons: Sendable {
        public var last: Comparison?
        public var count = 0
        public var driftUnitsPeak: Int64 = 0
    }

    public let sale: Sale
    public let catalogue: Catalogue
    public let cluster: any RedisPort
    public let scripts: Scripts
    public let store: any OrderStore
    public let engine: DeductionEngine
    public let worker: OutboxWorker
    public let archiver: Archiver
    /// Ends orders over several buckets that an engine left half done.
    public let halfDone: HalfDoneFinder
    /// Tells buckets what they missed of the acts on the sale.
    public let actKeeper: ActKeeper
    /// Ends reservations whose payment did not come in time.
    public let sweeper: ReservationSweeper
    public let latePayments: LatePaymentWorker
    public let supervisor: RecoverySupervisor
    public let recoverer: Recoverer
    public let control: SaleControl
    public let monitor: SaleMonitor
    /// When this process is to open the sale.
    public let schedule: OpeningSchedule
    public let events: EventLog
    let giveBacks: GiveBackWorker
    private let options: Options
    let clock: SaleClock
    private let comparisons = Mutex(Comparisons())
    private let isWorking = Atomic<Bool>(false)

    /// - Parameters:
    ///   - workerStore: the store that the outbox worker settles in; `store` itself, or a decorator that delays it.
    ///   - scripts: those to work with; `nil`: all are loaded on every server first.
    public init(
        cluster: any RedisPort, store: any OrderStore, workerStore: (any OrderStore)? = nil,
        options: Options = Options(), scripts given: Scripts? = nil, clock: SaleClock = .system, events: EventLog
    ) async throws {
        guard let sale = try await store.sale() else {
            throw OrderStoreError(
                .refused, "the order store holds no sale; `sellout demo --keep DIR` makes one to look at")
        }
        self.sale = sale
        self.store = store
        self.cluster = cluster
        self.events = events
        self.clock = clock
        var options = options
        options.worker.onlyAbandoned = sale.durability == .durable
        if let timeout = sale.reservationTimeoutMilliseconds { options.sweeper.jumpHold = .milliseconds(timeout) }
        self.options = options
        let catalogue = try await store.catalogue()
        self.catalogue = catalogue
        if let stranger = await SaleMark.stranger(in: catalogue, on: cluster, clock: clock) {
            throw OrderStoreError(.refused, stranger.sentence)
        }
        let scripts: Scripts
        if let given { scripts = given } else { scripts = try await Scripts.load(on: cluster) }
        self.scripts = scripts
        let who = Operator.current
        let recoverer = Recoverer(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store,
            claimant: "\(who.who) \(who.origin)",
            clock: clock)
        self.recoverer = recoverer
        let narrator = RecoveryNarrator(catalogue: catalogue, cluster: cluster, events: events, clock: clock)
        let supervisor = RecoverySupervisor(recoverer: recoverer, clock: clock) { narrator.hear($0) }
        self.supervisor = supervisor
        engine = try await DeductionEngine(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, durability: sale.durability,
            configuration: options.engine, whileFenced: sale.whileFenced, clock: clock
        ) { fence in
            supervisor.report(fence.bucket, epoch: fence.epoch, n: fence.n, reason: fence.reason)
        }
        worker = OutboxWorker(
            catalogue: catalogue, cluster: cluster, store: workerStore ?? store, configuration: options.worker,
            clock: clock
        ) { bucket, epoch in
            supervisor.report(bucket, epoch: epoch, reason: .outboxGap)
        }
        archiver = Archiver(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: options.archive,
            clock: clock)
        halfDone = HalfDoneFinder(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: options.halfDone,
            clock: clock)
        let acts = BucketActs(catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, clock: clock)
        let monitor = SaleMonitor(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, engine: engine,
            durability: sale.durability, events: events, configuration: options.monitor, clock: clock)
        self.monitor = monitor
        schedule = OpeningSchedule(clock: clock)
        control = SaleControl(catalogue: catalogue, store: store, acts: acts, events: events, who: who, clock: clock) {
            await monitor.check()
        }
        sweeper = ReservationSweeper(store: store, configuration: options.sweeper, clock: clock)
        latePayments = LatePaymentWorker(
            engine: engine, store: store,
            ends: OutboxEnds(catalogue: catalogue, cluster: cluster, scripts: scripts, clock: clock),
            configuration: options.latePayments, clock: clock)
        actKeeper = ActKeeper(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, acts: acts,
            configuration: options.acts, clock: clock
        ) { control in
            let tag = catalogue[control.record.bucket]?.tag ?? "?"
            events.add(
                .info,
                "bucket \(tag) had missed an act and was told again: \(control.saleState.rawValue), \(control.frozen.count) frozen"
            )
        }
        giveBacks = GiveBackWorker(engine: engine, store: store, acts: acts, clock: clock)
    }

    /// Loads every bucket that is not open yet: the same walk as a recovery. Returns how many were loaded.
    ///
    /// A recoverer that died at its last step has left a bucket open in SQL and closed in Redis: that one is loaded too.
    public func warm() async throws -> Int {
        var waiting: [BucketRecord] = []
        for record in try await store.buckets() {
            if record.state != .open {
                waiting.append(record)
            } else if await neverOpened(record.bucket) {
                waiting.append(record)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = 0
            func addOne() {
                guard next < waiting.count else { return }
                let record = waiting[next]
                next += 1
                group.addTask { try await self.load(record) }
            }
            for _ in 0..<RecoverySupervisor.concurrentMax { addOne() }
            while try await group.next() != nil { addOne() }
        }
        return waiting.count
    }

    /// Loads one bucket, or sees it loaded: a comparison may have found it empty, and whoever recovers is at it already.
    private func load(_ record: BucketRecord) async throws {
        do { _ = try await recoverer.recover(record.bucket) } catch let failure as Recoverer.Failure
            where failure.overtaken
        {
            _ = try await recoverer.recover(record.bucket, foundUnder: record.epoch)
        }
    }

    /// Whether Redis calls a bucket `recovering`; one that does not answer is left to the engine's probes.
    private func neverOpened(_ number: BucketNumber) async -> Bool {
        guard let bucket = catalogue[number] else { return false }
        return await cut(bucket)?.damage == .recovering
    }

    /// What a service works at: everything in one process, or parts in several.
    public struct Parts: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        /// Takes and ends orders. Every other part that asks Redis for an order's units needs it too.
        public static let engine = Parts(rawValue: 1)
        /// Drains the outbox into SQL, and archives what is settled and old.
        public static let outbox = Parts(rawValue: 2)
        /// Sees through what SQL decided and Redis has not heard of (give-backs, restocks, acts), and ends half-done orders.
        public static let giveBacks = Parts(rawValue: 4)
        /// Rebuilds what is reported as fenced, and watches whether the servers keep what the sale promises.
        public static let recovery = Parts(rawValue: 8)
        /// Compares on a period, and reports what must be rebuilt.
        public static let comparison = Parts(rawValue: 16)
        public static let all: Parts = [.engine, .outbox, .giveBacks, .recovery, .comparison]
    }

    /// Works until cancelled.
    public func run(_ parts: Parts = .all) async {
        isWorking.store(parts.contains(.recovery), ordering: .relaxed)
        defer { isWorking.store(false, ordering: .relaxed) }
        await withDiscardingTaskGroup { group in
            if parts.contains(.engine) { group.addTask { await self.engine.run() } }
            if parts.contains(.outbox) {
                group.addTask { await self.worker.run() }
                group.addTask { await self.archiver.run() }
                group.addTask { await self.watchStore(self.clock) }
            }
            if parts.contains(.giveBacks) {
                group.addTask { await self.giveBacks.run() }
                group.addTask { await self.sweeper.run() }
                group.addTask { await self.latePayments.run() }
                group.addTask { await self.halfDone.run() }
                group.addTask { await self.actKeeper.run() }
            }
            if parts.contains(.recovery) {
                group.addTask { await self.supervisor.run() }
                group.addTask { [control] in await self.monitor.run { await control.halt(because: $0).succeeded } }
            }
            if parts.contains(.comparison) { group.addTask { await self.compareOnPeriod() } }
        }
    }

    /// Compares on a period until cancelled, and writes nothing: what `watch` runs beside somebody else's engines.
    public func observe() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.monitor.run(halt: nil) }
            var stillness = Stillness(now: clock.now)
            while !Task.isCancelled {
                // Asked before: what is written while it compares counts for the next time.
                let moves = stillness.differs(await Stillness.writes(of: cluster, clock.now), now: clock.now)
                if moves || stillness.isDue(now: clock.now) {
                    let comparison = await compare(beside: true)
                    stillness.compared(comparison.findings.isEmpty && comparison.unread.isEmpty, now: clock.now)
                }
                try? await clock.sleep(for: pauseAfterComparing)
            }
        }
    }

    /// The period, or as long as the last comparison took: one that takes long is not begun again at once.
    private var pauseAfterComparing: Duration {
        max(options.comparePeriod, lastComparisons.last?.duration ?? .zero)
    }

    // MARK: Comparing

    public var lastComparisons: Comparisons { comparisons.withLock { $0 } }

    /// Compares now; with `ledgers`, flow by flow.
    ///
    /// While this service works, a bucket that must be rebuilt is reported to the supervisor, which rebuilds it; until it has,
    /// the bucket is not compared, for it is known to hold nothing that could agree.
    /// - Parameter beside: gently, for somebody sells meanwhile; always so while this service works.
    public func compare(ledgers: Bool = false, beside: Bool = false) async -> Comparison {
        let isGentle = beside || isWorking.load(ordering: .relaxed)
        var configuration = isGentle ? Reconciler.Configuration.beside : .init()
        configuration.comparesLedgers = ledgers
        // Epochs first: what was recovered while it was compared must not be judged, or reported, by what it was before.
        let laneEpochs = Dictionary(uniqueKeysWithValues: engine.laneStatuses.map { ($0.bucket, $0.epoch) })
        let (epochs, fenced) = (await sqlEpochs(), supervisor.status.fenced.keys)
        let raw = await Reconciler(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: configuration,
            clock: clock
        ).compare()
        if isWorking.load(ordering: .relaxed) {
            for finding in raw.findings where finding.kind.needsRecovery {
                // SQL's epoch: a lane that nobody asks does not hear of newer ones, and its own would look recovered since.
                guard let epoch = epochs[finding.bucket] ?? laneEpochs[finding.bucket] else { continue }
                supervisor.report(
                    finding.bucket, epoch: epoch, reason: finding.kind == .lostBucket ? .noControl : .unbalanced,
                    finding: finding.sentence)
            }
        }
        let epochsNow = await sqlEpochs()
        let moved = epochs.keys.filter { epochs[$0] != epochsNow[$0] }
        var comparison = raw.leavingOut(Set(fenced).union(supervisor.status.fenced.keys).union(moved))
        comparison.epochs = epochs
        comparisons.withLock { [comparison] in
            $0.last = comparison
            $0.count += comparison.cuts
            $0.driftUnitsPeak = max($0.driftUnitsPeak, comparison.driftUnits)
        }
        return comparison
    }

    private func sqlEpochs() async -> [BucketNumber: Epoch] {
        Dictionary(uniqueKeysWithValues: ((try? await store.buckets()) ?? []).map { ($0.bucket, $0.epoch) })
    }

    /// Applies a plan; rebuilding goes through the supervisor's walk.
    public func apply(_ plan: RepairPlan) async -> RepairPlan {
        let done = await Repairer(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, clock: clock,
            recover: { [recoverer] in try await recoverer.recover($0.bucket, foundUnder: $0.foundUnder) != nil }
        ).apply(plan)
        for repair in done.repairs {
            await control.record(
                what: "repair", subject: "\(repair.kind.rawValue) \(repair.id)", before: repair.effect,
                after: repair.failure.map { "failed: \($0)" } ?? repair.state.words)
        }
        return done
    }

    /// A bucket that nobody buys from is found here: the engine would only meet its fence at the next order.
    private func compareOnPeriod() async {
        while !Task.isCancelled {
            try? await clock.sleep(for: pauseAfterComparing)
            if Task.isCancelled { return }
            _ = await compare()
        }
    }
}
