public import Deduction
public import Inventory
public import Operations
public import OrderStore
import Reconciliation
import Redis
import Synchronization
import Telemetry

/// A demo on its feet: an embedded fleet, books in SQL, a sale, everything that works behind it, and shoppers who wait at the
/// door.
public final class DemoFloor: Sendable {
    public struct Configuration: Sendable {
        public var masters = 3
        /// Replicas of each master.
        public var replicas = 0
        public var durability = Durability.durable
        public var whileFenced = WhileFenced.tryAgain
        public var skus = 1_000
        public var stock = DemoSale.Stock.story(ordersPerSecond: 4_000, seconds: 90, zipfExponent: 0.8)
        public var shoppers = Shoppers.Configuration()
        /// How late SQL learns what Redis did: a slow store.
        public var outboxDelay = Duration.zero
        /// Leaves fleet and books in this folder.
        public var keepFolder: String?
        /// How long a crashed node stays away.
        public var crashPause = Duration.milliseconds(500)
        /// Told in a few words what is being done; must not block.
        public var onProgress: @Sendable (String) -> Void = { _ in }
        public init() {}

        /// The fleet that it stands on.
        public var fleet: EmbeddedFleet.Configuration {
            .init(
                masters: masters, replicas: replicas,
                options: ServerOptions(appendOnly: durability == .aof ? .everySecond : .off), keepFolder: keepFolder)
        }
    }

    public let fleet: EmbeddedFleet
    public let service: SaleService
    public let shoppers: Shoppers
    public let book: BuyersBook
    public let store: any OrderStore
    public let ordersURL: String
    public let topology: String
    private let configuration: Configuration
    private let crashCount = Atomic<Int>(0)
    private let crashing = Mutex<Set<Int>>([])
    private let rounds = Atomic<UInt64>(0)
    private let loss = Mutex<(orders: Int64, units: Int64)>((0, 0))

    private init(
        fleet: EmbeddedFleet, service: SaleService, shoppers: Shoppers, book: BuyersBook, store: any OrderStore,
        ordersURL: String, configuration: Configuration
    ) {
        self.fleet = fleet
        self.service = service
        self.shoppers = shoppers
        self.book = book
        self.store = store
        self.ordersURL = ordersURL
        self.configuration = configuration
        topology = configuration.fleet.topology
    }

    /// Starts everything up to a warmed sale that nobody buys from. Whatever fails, nothing stays behind.
    public static func start(_ configuration: Configuration, events: EventLog) async throws -> DemoFloor {
        let servers = configuration.masters * (1 + configuration.replicas)
        configuration.onProgress(
            servers == 1 ? "starting a Redis server" : "starting \(servers) Redis servers")
        let fleet = try await EmbeddedFleet.start(configuration.fleet)
        do {
            return try await start(configuration, fleet: fleet, events: events)
        } catch {
            await fleet.stop()
            throw error
        }
    }

    private static func start(
        _ configuration: Configuration, fleet: EmbeddedFleet, events: EventLog
    ) async throws -> DemoFloor {
        configuration.onProgress("opening the books")
        // In the fleet's folder: they go with it, also when a later start sweeps what a killed demo left.
        let path = fleet.folderPath + "/books.sqlite"
        let store = try SQLiteOrderStore.open(path: path)
        _ = try await store.createSale(
            DemoSale.draft(
                skus: configuration.skus, durability: configuration.durability, stock: configuration.stock,
                whileFenced: configuration.whileFenced))
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        let workerStore: any OrderStore =
            configuration.outboxDelay > .zero
            ? DelayedOrderStore(store, delay: configuration.outboxDelay, clock: ContinuousClock()) : store
        let service = try await SaleService(cluster: cluster, store: store, workerStore: workerStore, events: events)
        configuration.onProgress("loading \(configuration.skus) SKUs")
        let buckets = try await service.warm()
        let counters = try await store.skuCounters()
        let book = BuyersBook(
            catalogue: service.catalogue,
            allocated: Dictionary(uniqueKeysWithValues: counters.map { ($0.sku, $0.allocated) }))
        let shoppers = Shoppers(engine: service.engine, book: book, configuration: configuration.shoppers)
        events.add(
            .good,
            "\(configuration.skus.counted("SKU")) in \(buckets.counted("bucket")) loaded on \(configuration.masters) Redis "
                + "\(configuration.masters == 1 ? "server" : "masters")"
                + (configuration.replicas == 0
                    ? "" : " with \((configuration.masters * configuration.replicas).counted("replica"))")
                + "; the sale is warmed, nobody buys yet")
        return DemoFloor(
            fleet: fleet, service: service, shoppers: shoppers, book: book, store: store, ordersURL: "sqlite:\(path)",
            configuration: configuration)
    }

    /// Works until cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.service.run() }
            group.addTask { await self.shoppers.runCheckout() }
            group.addTask { await self.watchForLosses() }
        }
    }

    /// Ends everything; with `keepFolder` fleet and books stay.
    public func stop() async {
        service.cluster.close()
        await store.close()
        await fleet.stop()
    }

    // MARK: Acts

    /// Opens the sale and lets buyers in for `seconds`; returns when they have gone.
    ///
    /// Returns whether they stayed to the end: not if another crowd came or everybody was sent home.
    @discardableResult
    public func sell(buyersPerSecond: Double?, seconds: Double?) async -> Bool {
        let round = rounds.add(1, ordering: .relaxed).newValue
        return await shoppers.buy(ratePerSecond: buyersPerSecond, seconds: seconds, round: round)
    }

    public var crashes: Int { crashCount.load(ordering: .relaxed) }

    /// Kills a node with SIGKILL; it comes back empty after a pause.
    public func crash(_ node: Int) async -> SaleControl.Report {
        let nodes = fleet.nodes
        guard nodes.indices.contains(node), nodes[node].isUp,
            crashing.withLock({ $0.insert(node).inserted })
        else {
            return SaleControl.Report(
                sentence: "node \(node + 1) is down already; nothing was crashed", succeeded: false)
        }
        defer { crashing.withLock { _ = $0.remove(node) } }
        let address = nodes[node].address
        do {
            crashCount.add(1, ordering: .relaxed)
            try await fleet.crash(node)
            service.events.add(
                .bad, "node \(node + 1) (\(address)) was killed with SIGKILL; everything it held in memory is gone")
            await service.control.record(
                what: "crash", subject: "node \(node + 1) \(address)", before: "up, pid \(nodes[node].pid)",
                after: "killed")
            try? await ContinuousClock().sleep(for: configuration.crashPause)
            try await fleet.restart(node)
            service.events.add(.warning, "node \(node + 1) (\(address)) is back, and empty")
            return SaleControl.Report(
                sentence: "node \(node + 1) was killed and came back empty", succeeded: true)
        } catch {
            return SaleControl.Report(sentence: "crash of node \(node + 1): \(error)", succeeded: false)
        }
    }

    /// The node to crash so that a loss shows: the master of the most demand for SKUs that sell now and are close to their end,
    /// so that they sell out again even after a long outage.
    ///
    /// - Parameter elapsed: seconds since the opening, over which units taken give a SKU's rate.
    public func nodeForCrash(remainingSeconds: Double, elapsed: Double) async -> Int {
        var demand = [Double](repeating: 0, count: fleet.nodes.count)
        for (number, reading) in await readStocks() where reading.stock > 0 && reading.taken > 0 {
            let rate = Double(reading.taken) / max(elapsed, 0.1)
            let secondsLeft = Double(reading.stock) / rate
            guard secondsLeft < remainingSeconds * 0.15, let entry = service.catalogue[number],
                let bucket = service.catalogue[entry.bucket],
                let address = service.cluster.master(ofSlot: HashSlot.of("{\(bucket.tag)}")),
                let node = fleet.nodes.firstIndex(where: { $0.address == address })
            else { continue }
            demand[node] += rate
        }
        return demand.indices.max { demand[$0] < demand[$1] } ?? 0
    }

    private func readStocks() async -> [SKUNumber: (stock: Int64, taken: Int64)] {
        var all: [SKUNumber: (stock: Int64, taken: Int64)] = [:]
        for cut in await cuts() {
            for sku in cut.skus {
                guard let stock = sku.stock, let control = sku.control else { continue }
                all[sku.sku] = (stock, control.taken)
            }
        }
        return all
    }

    /// A cut of every bucket that answers.
    public func cuts() async -> [BucketCut] {
        let (cluster, scripts, catalogue) = (service.cluster, service.scripts, service.catalogue)
        return await withTaskGroup(of: BucketCut?.self) { group in
            for bucket in catalogue.buckets {
                group.addTask {
                    let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
                    let reply = try? await cluster.evaluate(
                        scripts.cut, BucketCut.call(keys: keys), slot: keys.slot, deadline: .now + .seconds(1))
                    return reply.flatMap { BucketCut($0, bucket: bucket) }
                }
            }
            var all: [BucketCut] = []
            for await cut in group { if let cut { all.append(cut) } }
            return all
        }
    }

    /// What the buyers' own record says against both books, in plain sentences; empty while they agree.
    public var explanation: [String] {
        let lost = loss.withLock { $0 }
        let oversold = book.oversold
        var lines: [String] = []
        if lost.orders > 0 {
            lines.append(
                "\(lost.orders.counted("order")) (\(lost.units.counted("unit"))) were told yes and are in neither Redis nor SQL: they lay in the outbox"
                    + " of a node when it was killed, and SQL had not heard of them")
            lines.append(
                "the rebuild from SQL put their \(lost.units.counted("unit")) back on sale: `memory` says yes before SQL knows"
            )
        }
        if !oversold.isEmpty {
            let worst = oversold.sorted { $0.value > $1.value }.prefix(4)
                .map { "\(service.catalogue[$0.key]?.sku ?? "?") by \($0.value)" }.joined(separator: ", ")
            lines.append(
                "\(oversold.values.reduce(0, +)) of those units have been sold a second time, beyond what there is: \(worst)"
            )
        }
        return lines
    }

    // MARK: Losses

    /// After each recovery: which yeses does no book hold any more?
    private func watchForLosses() async {
        let clock = ContinuousClock()
        var recoveries = 0
        while !Task.isCancelled {
            try? await clock.sleep(for: .milliseconds(100))
            let status = service.supervisor.status
            guard status.recoveries != recoveries, status.fenced.isEmpty else { continue }
            recoveries = status.recoveries
            let mark = book.yesCount
            guard await drained(patience: .seconds(20)) else { continue }
            if let lost = try? await book.lost(in: store, upTo: mark) { loss.withLock { $0 = lost } }
        }
    }

    /// Waits until SQL holds everything that Redis did before now.
    public func drained(patience: Duration) async -> Bool {
        let clock = ContinuousClock()
        let giveUpAt = clock.now + patience
        let wanted = await cuts().compactMap { cut in cut.id.map { (cut.bucket, $0) } }
        while clock.now < giveUpAt, !Task.isCancelled {
            if let records = try? await store.buckets() {
                let positions = Dictionary(uniqueKeysWithValues: records.map { ($0.bucket, $0.drainedThrough) })
                if wanted.allSatisfy({ (positions[$0.0] ?? OutboxID(epoch: .none, n: 0)) >= $0.1 }) { return true }
            }
            try? await clock.sleep(for: .milliseconds(20))
        }
        return false
    }

    /// Counts what is lost now, over every yes; call it after a drain.
    public func countLosses() async throws -> (orders: Int64, units: Int64) {
        let lost = try await book.lost(in: store)
        loss.withLock { $0 = lost }
        return lost
    }
}

extension DemoFloor: BuyersWitness {
    public var reading: BuyersReading {
        let totals = book.totals
        let lost = loss.withLock { $0 }
        var reading = BuyersReading()
        reading.acknowledged = totals.acknowledged
        reading.refused = totals.refused
        reading.unknown = totals.unknown
        reading.released = totals.released
        reading.oversold = book.oversold
        reading.lostOrders = lost.orders
        reading.lostUnits = lost.units
        reading.buyersPerSecond = shoppers.rate
        return reading
    }
}
