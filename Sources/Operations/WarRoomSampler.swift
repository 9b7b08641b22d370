import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import Synchronization
public import Telemetry

/// Reads both stores and whoever works on them, and publishes what the war room shows; the latest snapshot wins.
///
/// Stock and ledgers come from one cut a bucket (constant work for each SKU), counters and positions from SQL. It writes
/// nothing.
public actor WarRoomSampler {
    /// SKUs that may be cut per second: 10 Hz up to 2,000 SKUs, slower beyond.
    public static let skusPerSecond = 20_000.0

    let service: SaleService
    private let witness: (any BuyersWitness)?
    private let redisURL: String
    private let ordersURL: String
    private let thresholds: AlertThresholds
    let publish: @Sendable (WarRoomSnapshot) -> Void
    /// From one cut of everything to the next.
    private let interval: Duration
    /// What the screen has in sight.
    let sight: RowsInSight?
    /// Rows that were read by themselves lately.
    var freshRows: [SKUNumber: FreshRow] = [:]
    let clock = ContinuousClock()
    let keys: [BucketKeys]
    let start = ContinuousClock.now

    var snapshot: WarRoomSnapshot
    var cuts: [BucketCut?]
    var rates: RateBook
    var records: [BucketNumber: BucketRecord] = [:]
    private var backlogWatch = BacklogWatch()
    private var counters: [SKUNumber: SKUCounters] = [:]
    var totals: OrderTotals?
    private var payments: PaymentTotals?
    private var deadLetters: [DeadLetter] = []
    private var sale: Sale
    private var slowReadAt: ContinuousClock.Instant?
    private var cutAt: ContinuousClock.Instant?
    private var judgedOversoldAt: ContinuousClock.Instant?
    var memory = MemoryBook()
    private(set) var trends = TrendBook()
    private var alertBook = AlertBook()
    private var memoryReadAt: ContinuousClock.Instant?
    /// Values of the large screens that are kept over time.
    var seriesBook = SeriesBook()
    private var lastAnswerAt: ContinuousClock.Instant
    private var lastCompareCount = 0
    private var comparedAt: ContinuousClock.Instant?
    private var teller: EventTeller
    private var auditTeller = AuditTeller()
    private var lockWatch = LockWatch()
    private var storeError: String?
    /// The ACL rules without which buckets and the servers' memory cannot be read; `nil`: they can.
    private var cutsLack: String?
    private var memoryLacks: String?
    /// Since when each node answers for its buckets, or does not.
    private var fenceWaves: [String: FenceWave] = [:]
    private var nodeStates: [String: (isUp: Bool, since: ContinuousClock.Instant)] = [:]
    /// Ledger entries that came by selling; what a rebuild writes again is no growth.
    private var entriesGrown: Int64 = 0
    private var bucketEntries: [(epoch: Epoch, entries: Int64)?]

    /// - Parameter publish: hears every snapshot, on any thread; must not block.
    public init(
        service: SaleService, witness: (any BuyersWitness)?, topology: String, redisURL: String, ordersURL: String,
        thresholds: AlertThresholds = AlertThresholds(), sight: RowsInSight? = nil,
        skusPerSecond: Double = skusPerSecond, publish: @escaping @Sendable (WarRoomSnapshot) -> Void
    ) {
        self.service = service
        self.witness = witness
        self.redisURL = redisURL
        self.ordersURL = ordersURL
        self.publish = publish
        self.sight = sight
        self.thresholds = thresholds
        interval = .seconds(Self.sweepSeconds(of: service.catalogue.entries.count, skusPerSecond: skusPerSecond))
        keys = service.catalogue.buckets.map { BucketKeys(bucket: $0, catalogue: service.catalogue) }
        cuts = Array(repeating: nil, count: service.catalogue.buckets.count)
        bucketEntries = Array(repeating: nil, count: service.catalogue.buckets.count)
        rates = RateBook(skus: service.catalogue.entries.count, buckets: service.catalogue.buckets.count)
        sale = service.sale
        lastAnswerAt = .now
        teller = EventTeller(events: service.events, catalogue: service.catalogue)
        snapshot = WarRoomSnapshot(
            phase: .live, saleName: service.sale.name, saleState: service.sale.state,
            durability: service.sale.durability,
            topology: topology, redisURL: redisURL, ordersURL: ordersURL)
    }

    /// Samples until cancelled.
    public func run() async {
        var next = clock.now
        var stillness = Stillness(now: clock.now)
        while !Task.isCancelled {
            let began = clock.now
            await sample(stillness)
            stillness.note(snapshot, now: clock.now)
            if stillness.isStill(now: clock.now) {
                await waitWhileStill(&stillness)
                next = clock.now
                continue
            }
            // A large sale's walk that took long is not begun again at once.
            let rest = interval > .seconds(1) ? began.duration(to: clock.now) : .milliseconds(20)
            next = max(next + interval, clock.now + rest)
            if interval > .seconds(1) { await keepFresh(until: next) }
            try? await clock.sleep(until: next)
        }
    }

    /// What the buyers' own record says, where there is one, as far as it moves.
    var stillMark: [Int64] {
        witness.map(\.reading).map { [$0.acknowledged, $0.refused, $0.unknown, Int64($0.buyersPerSecond ?? -1)] } ?? []
    }

    /// One snapshot, now.
    public func sample() async { await sample(nil) }

    /// - Parameter stillness: where it says that nobody wrote since the servers were last cut, they are not cut again; only now and
    ///   then they are, for what a server does by itself, such as evicting, it does not count as a write.
    private func sample(_ stillness: Stillness?) async {
        if let stillness, let cutAt, stillness.holds(cutAt: cutAt, now: clock.now) {
            // All servers answered when they were asked whether anybody wrote.
            lastAnswerAt = clock.now
        } else {
            cutAt = clock.now
            await readRedis()
        }
        await readSQL(every: stillness?.isStill(now: clock.now) == true ? .seconds(2) : .seconds(1))
        await readMemory()
        await judgeOversold()
        assemble()
        publish(snapshot)
    }

    /// Whether the audit was looked at: what others do from now on is told.
    var hasReadAudit: Bool { auditTeller.mark != nil }

    // MARK: Reading

    /// Before anybody is told that units were oversold, SQL says how many there are: somebody may have restocked meanwhile. Once it is
    /// told, SQL is asked once a second.
    private func judgeOversold() async {
        guard let witness, !witness.reading.oversold.isEmpty else {
            judgedOversoldAt = nil
            return
        }
        guard judgedOversoldAt.map({ clock.now - $0 >= .seconds(1) }) ?? true,
            let now = try? await service.store.skuCounters()
        else { return }
        witness.note(allocated: Dictionary(uniqueKeysWithValues: now.map { ($0.sku, $0.allocated) }))
        judgedOversoldAt = witness.reading.oversold.isEmpty ? nil : clock.now
    }

    private func readRedis() async {
        let isLarge = service.catalogue.entries.count > SaleService.cutSKUsMax
        await service.readCuts(keys, patience: .milliseconds(isLarge ? 1_000 : 400)) { cuts[$0] = $1 }
        if cuts.contains(where: { $0 != nil }) { lastAnswerAt = clock.now }
        await noteForbidden()
    }

    /// Who may not look sees no stock; the servers are up all the same, and nothing is fenced.
    private func noteForbidden() async {
        cutsLack = nil
        guard let position = cuts.firstIndex(where: { $0 == nil }) else { return }
        let bucket = service.catalogue.buckets[position].withoutSKUs
        do {
            _ = try await BucketCut.read(
                bucket, BucketKeys(bucket: bucket, catalogue: service.catalogue), by: service.scripts,
                on: service.cluster, deadline: clock.now + .milliseconds(400))
        } catch {
            guard error.isForbidden else { return }
            // A server does not say what a script wanted; what else is forbidden may.
            cutsLack = error.missingRule ?? memoryLacks ?? "the watcher's rules that sellout doctor prints"
            lastAnswerAt = clock.now
        }
    }

    private func readSQL(every pause: Duration) async {
        do {
            records = Dictionary(uniqueKeysWithValues: try await service.store.buckets().map { ($0.bucket, $0) })
            if slowReadAt.map({ clock.now - $0 >= pause }) ?? true {
                slowReadAt = clock.now
                counters = Dictionary(uniqueKeysWithValues: try await service.store.skuCounters().map { ($0.sku, $0) })
                totals = try await service.store.orderTotals()
                payments = try await service.store.paymentTotals()
                auditTeller.tell(
                    try await service.store.auditNews(since: auditTeller.mark, limit: 50), to: service.events)
                deadLetters = (totals?.deadLetters ?? 0) > 0 ? try await service.store.deadLetters(limit: 10) : []
                if let read = try await service.store.sale() { sale = read }
                lockWatch.note(await service.store.writer(), records.values, now: clock.now)
            } else if let read = try await service.store.sale() {
                sale = read
            }
            storeError = lockWatch.sentence(now: clock.now)
        } catch {
            storeError = "\(error)"
            // How far others drain it cannot be seen now: nobody is blamed for it.
            backlogWatch = BacklogWatch()
        }
    }

    private func readMemory() async {
        guard memoryReadAt.map({ clock.now - $0 >= .seconds(2) }) ?? true else { return }
        memoryReadAt = clock.now
        let answers = await service.cluster.onEachMaster(
            RedisCommand("INFO", "memory"), deadline: clock.now + .milliseconds(300))
        for answer in answers {
            if case .failure(let error) = answer.result, let rule = error.missingRule { memoryLacks = rule }
            guard case .success(let reply) = answer.result, let text = reply.string else { continue }
            memoryLacks = nil
            memory.take(text, of: answer.address.description)
        }
        memory.note()
    }

    // MARK: Assembling

    private func assemble() {
        let now = clock.now
        let catalogue = service.catalogue
        let reading = witness?.reading
        let nodes = service.cluster.status
        let status = service.supervisor.status
        let lanes = Dictionary(uniqueKeysWithValues: service.engine.laneStatuses.map { ($0.bucket, $0) })

        var nodeOfSlot: [Int: Int] = [:]
        func node(ofSlot slot: Int) -> Int? {
            if let known = nodeOfSlot[slot] { return known }
            let found = nodes.firstIndex { $0.slotRanges.contains { $0.contains(slot) } }
            if let found { nodeOfSlot[slot] = found }
            return found
        }

        var taken = [Int64?](repeating: nil, count: catalogue.entries.count)
        var stock = [Int64?](repeating: nil, count: catalogue.entries.count)
        var allocated = [Int64?](repeating: nil, count: catalogue.entries.count)
        var frozen = [Bool](repeating: false, count: catalogue.entries.count)
        var bucketN = [Int64?](repeating: nil, count: catalogue.buckets.count)
        var ledgers = [Int64?](repeating: nil, count: catalogue.entries.count)
        var ledgerEntries: Int64 = 0
        var fencedPositions = Set<Int>()
        for (position, cut) in cuts.enumerated() {
            let bucket = catalogue.buckets[position]
            if status.fenced[bucket.number] != nil
                || lanes[bucket.number]?.fence.map({ $0 != .halted && $0 != .closed }) == true && witness != nil
            {
                fencedPositions.insert(position)
            }
            guard let cut else { continue }
            if cut.damage != nil { fencedPositions.insert(position) }
            bucketN[position] = cut.id?.n
            let entries = cut.skus.reduce(Int64(0)) { $0 + $1.ledgerEntries }
            ledgerEntries += entries
            if let id = cut.id, cut.state != "recovering" {
                if let before = bucketEntries[position], before.epoch == id.epoch {
                    entriesGrown += max(0, entries - before.entries)
                }
                bucketEntries[position] = (id.epoch, entries)
            }
            for sku in cut.skus {
                guard let index = catalogue.position(of: sku.sku) else { continue }
                ledgers[index] = sku.ledgerEntries
                guard let control = sku.control else { continue }
                taken[index] = control.taken
                allocated[index] = control.allocated
                stock[index] = sku.stock
                frozen[index] = control.frozen
            }
        }
        rates.add(
            at: start.duration(to: now).milliseconds / 1_000, taken: taken,
            accepted: reading?.acknowledged ?? totals.map { $0.reserved + $0.sold } ?? 0, entries: entriesGrown)

        var skus: [WarRoomSnapshot.SKU] = []
        skus.reserveCapacity(catalogue.entries.count)
        var bucketRates = [Double](repeating: 0, count: catalogue.buckets.count)
        for (index, entry) in catalogue.entries.enumerated() {
            let counter = counters[entry.number]
            let position = catalogue.position(of: entry.bucket) ?? 0
            let rate = rates.unitsPerSecond(index)
            bucketRates[position] += rate
            var shown = WarRoomSnapshot.SKU(
                number: entry.number, sku: entry.sku, name: entry.name, tag: catalogue.buckets[position].tag,
                node: node(ofSlot: keys[position].slot), allocated: allocated[index] ?? counter?.allocated ?? 0,
                stock: stock[index], taken: taken[index] ?? counter.map { $0.sold + $0.reserved } ?? 0,
                unitsPerSecond: rate, history: rates.history(index),
                frozen: taken[index] == nil ? counter?.frozen ?? false : frozen[index],
                fenced: fencedPositions.contains(position),
                oversold: reading?.oversold[entry.number] ?? (witness == nil ? counter?.overCapacity ?? 0 : 0))
            shown.ledgerEntries = ledgers[index]
            shown.isUnseen = cutsLack != nil && cuts[position] == nil
            shown.hour = rates.hour(index)
            skus.append(shown)
        }

        if let rate = service.engine.rateLimits.perSKU {
            for index in skus.indices {
                skus[index].rateLimit = .init(
                    ordersPerSecond: rate, turnedAway: service.engine.turnedAway(skuAt: index))
            }
        }
        if thresholds.lowStockShare != 0.1 {
            for index in skus.indices { skus[index].lowShare = thresholds.lowStockShare }
        }
        snapshot.skus = skus
        snapshot.denied = [
            cutsLack.map { .init(part: .stock, rule: $0) }, memoryLacks.map { .init(part: .memory, rule: $0) },
        ].compactMap { $0 }
        snapshot.saleState = sale.state
        // Time goes on for a sale that is open; how long a halted one was open, SQL does not know.
        snapshot.openSeconds =
            sale.state != .open
            ? nil : sale.openedAtMilliseconds.map { (Double(WallClock.milliseconds) - Double($0)) / 1_000 }
        snapshot.bucketCount = catalogue.buckets.count
        snapshot.fencedBuckets = fencedPositions.count
        snapshot.haltedAheadBuckets =
            sale.state == .open ? cuts.count { $0?.state == "halted" && $0?.damage == nil } : 0
        snapshot.recoveries = status.recoveries
        snapshot.nodes = nodes.enumerated().map { index, node in
            let members = catalogue.buckets.indices.filter { self.nodeIndex(nodes, keys[$0].slot) == index }
            // A node that accepts connections and serves none of its buckets (empty, still joining) is not up for a sale.
            let isUp = node.isUp && (members.isEmpty || cutsLack != nil || members.contains { cuts[$0] != nil })
            let address = node.address.description
            if nodeStates[address]?.isUp != isUp { nodeStates[address] = (isUp, now) }
            var shown = WarRoomSnapshot.Node(
                address: address, isUp: isUp,
                sinceSeconds: (nodeStates[address]?.since ?? now).duration(to: now).milliseconds / 1_000,
                ordersPerSecond: members.reduce(0) { $0 + bucketRates[$1] }, callsPerSecond: node.callsPerSecond,
                p99Milliseconds: node.p99.milliseconds, errors: node.errors, buckets: members.count,
                fencedBuckets: members.count { fencedPositions.contains($0) },
                memoryBytes: memory.used[address])
            fenceWaves[address, default: FenceWave()].take(Set(members.filter { fencedPositions.contains($0) }))
            shown.recoveredBuckets = fenceWaves[address]?.recovered ?? 0
            shown.slots = node.slotRanges
            shown.inFlight = node.inFlight
            shown.p50Milliseconds = node.p50.milliseconds
            shown.lastError = node.lastError
            shown.memoryLimitBytes = memory.own[address]
            shown.rateLimit = service.engine.rateLimits.perNode.map {
                .init(ordersPerSecond: $0, turnedAway: service.engine.turnedAway(node: node.address))
            }
            return shown
        }
        assembleBuckets(bucketRates, skus, node: node(ofSlot:), fenced: fencedPositions, reasons: status.fenced)
        snapshot.hottestTags = hottest(bucketRates, skus, node: node(ofSlot:), fenced: fencedPositions)
        assembleOrders(reading, now)
        assembleLedger(ledgerEntries, bucketN, now)
        assembleDrift(reading, now)
        assembleLife()
        assembleSeries(comparedAt: comparedAt, now)
        snapshot.phase =
            now - lastAnswerAt > .seconds(2)
            ? .stale(lastAnswerAt.duration(to: now).milliseconds / 1_000) : .live
        snapshot.opening = service.schedule.present
        assembleAlerts(now)
        teller.tell(snapshot, isDemo: witness != nil)
        snapshot.events = service.events.events
    }

    private func assembleAlerts(_ now: ContinuousClock.Instant) {
        let seconds = start.duration(to: now).milliseconds / 1_000
        for node in snapshot.nodes {
            trends.add(
                node.address, at: seconds, bytes: node.memoryBytes, errors: node.errors,
                callsPerSecond: node.callsPerSecond)
        }
        var conditions =
            Alerts.of(
                snapshot, storeError: storeError ?? service.engine.storeError, findings: service.monitor.findings,
                evicted: service.monitor.evicted, leaseOverdue: service.engine.leaseOverdue, thresholds: thresholds)
            + Alerts.ofLoad(
                snapshot, trends: trends, memoryLimits: memory.limits, thresholds: thresholds)
        let denied = Set(snapshot.denied.map(\.rule)).sorted().joined(separator: " ")
        if !denied.isEmpty {
            conditions.append(
                AlertCondition(
                    kind: .other, subject: "denied", severity: .warning,
                    text: "some of it cannot be seen: allow this user \(denied)"))
        }
        let (alerts, news) = alertBook.take(conditions, seconds: seconds, unixMilliseconds: WallClock.milliseconds)
        snapshot.alerts = alerts
        // Whoever works on the sale tells of SQL's refusals itself, and sooner.
        for one in news where one.alert != .store || witness == nil {
            service.events.add(one.severity, one.text, of: one.alert, one.subject)
        }
    }

    private func nodeIndex(_ nodes: [RedisNodeStatus], _ slot: Int) -> Int? {
        nodes.firstIndex { $0.slotRanges.contains { $0.contains(slot) } }
    }

    private func hottest(
        _ bucketRates: [Double], _ skus: [WarRoomSnapshot.SKU], node: (Int) -> Int?, fenced: Set<Int>
    ) -> [WarRoomSnapshot.Tag] {
        let catalogue = service.catalogue
        let order = bucketRates.indices.sorted { bucketRates[$0] > bucketRates[$1] }.prefix(10)
        return order.map { position in
            let members = catalogue.buckets[position].skus.compactMap { catalogue.position(of: $0) }
                .sorted { skus[$0].unitsPerSecond > skus[$1].unitsPerSecond }
            return WarRoomSnapshot.Tag(
                tag: catalogue.buckets[position].tag, slot: keys[position].slot, node: node(keys[position].slot),
                ordersPerSecond: bucketRates[position], skus: members.prefix(4).map { skus[$0].sku },
                fenced: fenced.contains(position))
        }
    }

    private func assembleOrders(_ reading: BuyersReading?, _ now: ContinuousClock.Instant) {
        let latency = service.engine.meter.latency.recent(now: now)
        snapshot.orders = WarRoomSnapshot.Orders(
            acceptedPerSecond: rates.acceptedPerSecond, history: rates.acceptedHistory,
            accepted: reading?.acknowledged ?? totals.map { $0.reserved + $0.sold } ?? 0, refused: reading?.refused,
            unknown: reading?.unknown, released: reading?.released ?? totals?.cancelled ?? 0,
            p50Milliseconds: latency.count > 0 ? latency.p50Milliseconds : nil,
            p99Milliseconds: latency.count > 0 ? latency.p99Milliseconds : nil,
            buyersPerSecond: reading.map { $0.buyersPerSecond ?? .infinity })
    }

    private func assembleLedger(_ entries: Int64, _ bucketN: [Int64?], _ now: ContinuousClock.Instant) {
        var backlog: Int64 = 0
        for (position, n) in bucketN.enumerated() {
            guard let n, let record = records[service.catalogue.buckets[position].number],
                cuts[position]?.id?.epoch == record.drainedThrough.epoch
            else { continue }
            let entries = max(0, n - record.drainedThrough.n)
            backlogWatch.note(record.bucket, entries: entries, drained: record.drainedThrough, now: now)
            backlog += entries
        }
        var lag = service.worker.lag.recent(now: now)
        if lag.count == 0 { lag = service.engine.meter.latency.recent(now: now) }
        let status = service.worker.status
        snapshot.ledger = WarRoomSnapshot.Ledger(
            entries: entries, entriesPerSecond: rates.entriesPerSecond, history: rates.entriesHistory,
            persisted: totals?.orders ?? 0,
            backlogEntries: backlog,
            backlogMilliseconds: backlog == 0
                ? 0 : max(status.oldestMilliseconds, Int64(backlogWatch.longest(now: now).milliseconds)),
            lagP50Milliseconds: lag.p50Milliseconds, lagP99Milliseconds: lag.p99Milliseconds,
            redisBytes: memory.usedBytes,
            pendingGiveBacks: totals?.pendingGiveBacks ?? 0,
            deadLetters: totals?.deadLetters ?? 0,
            storeError: storeError ?? service.engine.storeError ?? status.lastError,
            archivedOrders: service.archiver.status.archivedOrders)
        // Whoever looks on only, sees by what does not move that nobody else works either.
        snapshot.ledger.isUnattended =
            witness == nil && storeError == nil && backlog > 0
            && backlogWatch.longest(now: now) >= SaleService.watchPatience
    }

    private func assembleLife() {
        let lag = service.sweeper.lag.summary
        var life = WarRoomSnapshot.Life()
        life.expired = totals?.expired ?? 0
        life.sweepP50Milliseconds = lag.count > 0 ? lag.p50Milliseconds : 0
        life.sweepP99Milliseconds = lag.count > 0 ? lag.p99Milliseconds : 0
        life.paymentsWaiting = payments?.waiting ?? 0
        life.latePayments = payments?.late ?? 0
        life.reservedAgain = payments?.reservedAgain ?? 0
        life.refundsPending = payments?.refundsPending ?? 0
        life.refundsSettled = payments?.refundsSettled ?? 0
        life.overCapacityOrders = totals?.overCapacity ?? 0
        life.deadLetters = deadLetters.map { $0.sentence(service.catalogue) }
        snapshot.life = life
    }

    private func assembleDrift(_ reading: BuyersReading?, _ now: ContinuousClock.Instant) {
        let comparisons = service.lastComparisons
        if comparisons.count != lastCompareCount {
            lastCompareCount = comparisons.count
            comparedAt = now
        }
        snapshot.drift = WarRoomSnapshot.Drift(
            units: comparisons.last?.driftUnits ?? 0, unitsPeak: comparisons.driftUnitsPeak,
            byKind: comparisons.last?.unitsByKind ?? [:],
            cutAgeSeconds: comparedAt.map { $0.duration(to: now).milliseconds / 1_000 }, cuts: comparisons.count,
            findings: Array(
                ((comparisons.last?.drifts.map(\.sentence) ?? []) + deadLetters.map { $0.sentence(service.catalogue) })
                    .prefix(50)),
            unread: comparisons.last?.unread.count ?? 0,
            oversoldUnits: reading.map { $0.oversold.values.reduce(0, +) }
                ?? counters.values.reduce(0) { $0 + $1.overCapacity },
            lostOrders: reading?.lostOrders, lostUnits: reading?.lostUnits)
    }
}
