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
        /// How long a reservation waits for its payment; `nil`: for ever.
        public var reservationTimeout: Duration? = DemoSale.reservationTimeout
        public var latePayments = LatePaymentPolicy.refund
        public var skus = 1_000
        public var stock = DemoSale.Stock.story(ordersPerSecond: 4_000, seconds: 90, zipfExponent: 0.8)
        public var shoppers = Shoppers.Configuration()
        /// Units of each SKU that one buyer may hold; `nil`: any number.
        public var limitPerBuyer: Int64?
        /// Orders a second for each SKU and each node.
        public var rateLimits = RateLimits()
        /// How long after it was made an order is answered from Redis's ledger.
        public var dedupeHorizon: Duration?
        /// How late SQL learns what Redis did: a slow store.
        public var outboxDelay = Duration.zero
        /// Leaves fleet and books in this folder.
        public var keepFolder: String?
        /// How long a crashed node stays away.
        public var crashPause = Duration.milliseconds(500)
        /// Told in a few words what is being done; must not block.
        public var onProgress: @Sendable (String) -> Void = { _ in }
        public init() {}

        /// Whether a replica takes over from a master that is killed. Not where a single master is kept: without a proxy its
        /// clients would not find the replica.
        public var replicasTakeOver: Bool { replicas > 0 && (masters > 1 || keepFolder == nil) }

        /// The fleet that it stands on.
        public var fleet: EmbeddedFleet.Configuration {
            // A single master's clients find a promoted replica at the address that they know.
            .init(
                masters: masters, replicas: replicas,
                options: ServerOptions(appendOnly: durability == .aof ? .everySecond : .off),
                isProxied: masters == 1 && replicas > 0 && keepFolder == nil, keepFolder: keepFolder)
        }
    }

    public let fleet: EmbeddedFleet
    public let service: SaleService
    public let shoppers: Shoppers
    public let book: BuyersBook
    public let store: any OrderStore
    public let ordersURL: String
    public let topology: String
    let configuration: Configuration
    let crashCount = Atomic<Int>(0)
    let crashing = Mutex<Set<Int>>([])
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
                whileFenced: configuration.whileFenced, limitPerBuyer: configuration.limitPerBuyer,
                reservationTimeoutMilliseconds: configuration.reservationTimeout.map { Int64($0.milliseconds) },
                latePayments: configuration.latePayments))
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        let workerStore: any OrderStore =
            configuration.outboxDelay > .zero
            ? DelayedOrderStore(store, delay: configuration.outboxDelay, clock: ContinuousClock()) : store
        var options = SaleService.Options()
        if let horizon = configuration.dedupeHorizon { options.archive.horizon = horizon }
        options.engine.rateLimits = configuration.rateLimits
        let service = try await SaleService(
            cluster: cluster, store: store, workerStore: workerStore, options: options, events: events)
        configuration.onProgress("loading \(configuration.skus) SKUs")
        let buckets = try await service.warm()
        let counters = try await store.skuCounters()
        let book = BuyersBook(
            catalogue: service.catalogue,
            allocated: Dictionary(uniqueKeysWithValues: counters.map { ($0.sku, $0.allocated) }))
        var crowd = configuration.shoppers
        crowd.reservationTimeout = configuration.reservationTimeout
        let shoppers = Shoppers(engine: service.engine, book: book, configuration: crowd)
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
            group.addTask { await self.watchProcesses() }
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

    func readStocks() async -> [SKUNumber: (stock: Int64, taken: Int64)] {
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
        Array(await service.cuts().values)
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

    /// How to come back to what `--keep` left, and how to end it; `nil` where nothing is kept.
    public var keptSentence: String? {
        guard configuration.keepFolder != nil else { return nil }
        let pids = fleet.nodes.filter(\.isUp).map { "\($0.pid)" }.joined(separator: " ")
        return """
            kept: sellout watch --redis \(fleet.url) --orders \(ordersURL) (its servers run on; to end them: kill \(pids))
            """
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
    public func note(allocated: [SKUNumber: Int64]) { book.note(allocated: allocated) }

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
