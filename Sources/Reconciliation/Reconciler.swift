public import Deduction
public import Inventory
public import OrderStore
public import Redis

/// Compares Redis with SQL by the cut: one script reads stock, control and n of a bucket; SQL's movements are folded up to
/// that same n; then both must say the same. It reads only.
public struct Reconciler: Sendable {
    public struct Configuration: Sendable {
        /// How long SQL is given to drain up to a cut before the rest is read from the outbox itself.
        public var drainPatience = Duration.milliseconds(500)
        /// How long an order may be half done before it is a finding: longer than the finder of a running sale takes.
        public var halfDonePatience = Duration.seconds(5)
        /// Also compare every ledger flow by flow.
        public var comparesLedgers = false
        /// Buckets compared at once.
        public var concurrentMax = 8
        /// SKUs whose cuts are asked for together.
        public var batchSKUsMax = 8_000
        /// Such batches under way, beside the one that is compared.
        public var batchesMax = 3

        /// For comparing again and again beside a sale that sells: orders stand in line behind the cuts that are under way,
        /// on the same connections, and on a server that is slow at the moment it must not be a long one.
        public static let beside = {
            var configuration = Configuration()
            configuration.batchSKUsMax = 2_000
            configuration.batchesMax = 1
            return configuration
        }()
        public init() {}
    }

    let catalogue: Catalogue
    let cluster: any RedisPort
    let scripts: Scripts
    let store: any OrderStore
    let configuration: Configuration
    let clock: SaleClock

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

    /// Cuts and compares every bucket.
    public func compare() async -> Comparison {
        let start = clock.now
        var findings: [Finding] = []
        var unread: [BucketNumber: String] = [:]
        var recovering: Set<BucketNumber> = []
        var cuts = 0
        // Read before any cut: what SQL held then, Redis must have now. Once for all: a sale may have thousands of buckets.
        let known: [BucketNumber: BucketControl]
        do {
            known = Dictionary(uniqueKeysWithValues: try await store.bucketControls().map { ($0.record.bucket, $0) })
        } catch {
            return Comparison(
                findings: [], cuts: 0,
                unread: Dictionary(uniqueKeysWithValues: catalogue.buckets.map { ($0.number, "\(error)") }),
                atMilliseconds: clock.unixMilliseconds, duration: start.duration(to: clock.now))
        }
        await withTaskGroup(of: (BucketNumber, Result<[Finding], any Error>).self) { group in
            // Most agree, and are found to in few words with both stores; the others are looked at one by one.
            var rest = configuration.comparesLedgers ? catalogue.buckets : []
            if !configuration.comparesLedgers {
                await compareInBatches(known) { bucket, look in
                    switch look {
                    case .agrees: cuts += 1
                    case .unread(let error): unread[bucket.number] = "\(error)"
                    case .mayDiffer: rest.append(bucket)
                    }
                }
            }
            var next = 0
            func addOne() {
                guard next < rest.count else { return }
                let bucket = rest[next]
                next += 1
                group.addTask {
                    // Bound before it is returned: a tuple built around a throwing await is miscompiled in release builds.
                    let result = await attempt(bucket, known: known[bucket.number])
                    return (bucket.number, result)
                }
            }
            for _ in 0..<configuration.concurrentMax { addOne() }
            for await (number, result) in group {
                switch result {
                case .success(let some):
                    cuts += 1
                    findings.append(contentsOf: some)
                case .failure(let error):
                    unread[number] = "\(error)"
                    if (error as? Unreadable)?.isBeingRecovered == true { recovering.insert(number) }
                }
                addOne()
            }
        }
        findings.append(contentsOf: await halfDone())
        findings.sort { ($0.bucket, $0.sku?.rawValue ?? -1) < ($1.bucket, $1.sku?.rawValue ?? -1) }
        var comparison = Comparison(
            findings: findings, cuts: cuts, unread: unread, atMilliseconds: clock.unixMilliseconds,
            duration: start.duration(to: clock.now))
        comparison.recovering = recovering
        return comparison
    }

    private func attempt(_ bucket: Bucket, known: BucketControl?) async -> Result<[Finding], any Error> {
        do {
            let findings = try await compare(bucket, since: known)
            return .success(findings)
        } catch {
            return .failure(error)
        }
    }

    /// One bucket's findings.
    public func compare(_ bucket: Bucket) async throws -> [Finding] {
        try await compare(
            bucket, since: try await store.bucketControls().first { $0.record.bucket == bucket.number })
    }

    /// - Parameter control: the bucket as SQL had it at some moment before. If Redis has less, it was rolled back, however well it
    ///   balances.
    private func compare(_ bucket: Bucket, since control: BucketControl?) async throws -> [Finding] {
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        let known = control?.record
        for _ in 0..<5 {
            let cut = try await readCut(bucket, keys)
            if let refusal = SaleMark.refusal(bucket, holds: cut.sale, in: catalogue) {
                throw Unreadable(description: refusal)
            }
            if let damage = cut.damage { return [try await damaged(bucket, cut, damage)] }
            guard let id = cut.id else { continue }
            if let known, known.state == .open, id < known.drainedThrough {
                return [try await damaged(bucket, cut, .behind)]
            }
            let fold: [SKUNumber: CutFold]
            let inFlight: [SKUNumber: Int64]
            switch try await foldThrough(id, bucket, keys) {
            case .folded(let some, let moving): (fold, inFlight) = (some, moving)
            case .damaged(let reason): return [try await damaged(bucket, cut, reason)]
            case .epochMovedOn: continue
            case .beyondBooks(let known): throw beyondBooks(bucket, cut, id.epoch, known)
            }
            var findings = compareCounters(bucket, cut, fold, inFlight)
            findings += try await compareBalance(bucket, keys)
            if configuration.comparesLedgers || findings.contains(where: \.kind.countsAsDrift) {
                let byLedger = try await compareLedgers(bucket, keys, findings)
                findings = byLedger
            }
            if let control {
                if cut.missedAct(of: control) { findings.append(missedAct(bucket, cut, control)) }
                if cut.act > control.act, let finding = try await haltAhead(bucket, cut) { findings.append(finding) }
            }
            if configuration.comparesLedgers, let finding = try await expiring(bucket, keys) {
                findings.append(finding)
            }
            return findings
        }
        throw Unreadable(
            description: "bucket \(bucket.tag) changed its epoch while it was compared; compare again",
            isBeingRecovered: true)
    }

    /// Epochs are given out by SQL, so one that SQL does not know is not from these books.
    private func beyondBooks(_ bucket: Bucket, _ cut: BucketCut, _ epoch: Epoch, _ known: Epoch) -> Unreadable {
        let whose =
            cut.sale != nil && cut.sale == catalogue.sale
            ? "this order store is an older copy of the sale's" : "these are not its books, or an older copy of them"
        return Unreadable(
            description: """
                bucket \(bucket.tag) is in epoch \(epoch.rawValue) in Redis and this order store knows only \(known.rawValue): \(whose); \
                name the file that the sale wrote last
                """)
    }

    /// More units than a bucket has, fewer than overflow when a bucket's are added up.
    static let unitsMax: Int64 = 1_000_000_000_000

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
        /// It passes by itself: somebody recovers the bucket.
        var isBeingRecovered = false
    }

    func readCut(_ bucket: Bucket, _ keys: BucketKeys) async throws -> BucketCut {
        let deadline = clock.now + .seconds(2)
        let cut = try await BucketCut.read(
            bucket, keys, by: scripts, on: cluster, countsEntries: false, deadline: deadline)
        guard let cut else {
            throw Unreadable(description: "bucket \(bucket.tag): a replica answered; nothing was compared")
        }
        return cut
    }

    /// A bucket of which nothing can be trusted: its units are those that SQL says are taken.
    private func damaged(_ bucket: Bucket, _ cut: BucketCut, _ damage: FenceReason) async throws -> Finding {
        if damage == .recovering {
            throw Unreadable(
                description: "bucket \(bucket.tag) is being recovered; compare again", isBeingRecovered: true)
        }
        let counters = try await store.skuCounters(of: bucket.number)
        let redis = Dictionary(uniqueKeysWithValues: cut.skus.map { ($0.sku, $0) })
        let units = counters.reduce(Int64(0)) { sum, counter in
            let should = counter.allocated - counter.sold - counter.reserved
            // Somebody else may have written any number.
            let stock = min(max(redis[counter.sku]?.stock ?? 0, -Self.unitsMax), Self.unitsMax)
            let difference = abs(should - stock)
            // A ledger that is gone has forgotten what was taken.
            let forgotten = redis[counter.sku]?.control == nil ? counter.sold + counter.reserved : 0
            return sum + max(difference, forgotten)
        }
        let kind: DriftKind
        switch damage {
        case .unbalanced:
            kind = cut.skus.contains { ($0.stock ?? 0) < 0 } ? .negative : .unbalanced
        case .reusedID: kind = .reusedID
        default: kind = .lostBucket
        }
        return Finding(
            kind: kind, bucket: bucket.number, sku: nil, units: max(units, 1),
            sentence: "bucket \(bucket.tag): \(evidence(cut) ?? damage.sentence); it must be rebuilt from SQL")
    }

    private func expiring(_ bucket: Bucket, _ keys: BucketKeys) async throws -> Finding? {
        let reply = try await cluster.evaluate(
            scripts.expiring, BucketCut.call(keys: keys), slot: keys.slot, deadline: clock.now + .seconds(2))
        let names = (reply.array ?? []).compactMap(\.string)
        guard let first = names.first else { return nil }
        return Finding(
            kind: .expiring, bucket: bucket.number, sku: nil, units: 0,
            sentence:
                "bucket \(bucket.tag): \(names.count.counted("key")) will vanish by time, first \(first); PERSIST them")
    }

    private func missedAct(_ bucket: Bucket, _ cut: BucketCut, _ control: BucketControl) -> Finding {
        func words(_ state: String, _ frozen: Int) -> String { "\(state) with \(frozen) frozen" }
        let inRedis = words(cut.state, cut.skus.count { $0.control?.frozen == true })
        return Finding(
            kind: .missedAct, bucket: bucket.number, sku: nil, units: 0,
            sentence: """
                bucket \(bucket.tag): SQL says \(words(control.saleState.nameInRedis, control.frozen.count)) (act \(control.act)), \
                Redis \(inRedis) (act \(cut.act)); a running sale tells it again
                """)
    }

    /// A halt that Redis has and SQL has not: whoever halted waits for SQL, or ended before it answered.
    private func haltAhead(_ bucket: Bucket, _ cut: BucketCut) async throws -> Finding? {
        // What was newer than the first reading of SQL may be in SQL by now.
        guard let control = try await store.bucketControls().first(where: { $0.record.bucket == bucket.number }),
            cut.act > control.act, cut.state != control.saleState.nameInRedis
        else { return nil }
        return Finding(
            kind: .missedAct, bucket: bucket.number, sku: nil, units: 0,
            sentence: """
                bucket \(bucket.tag): Redis is \(cut.state) by an act that SQL has not heard of (act \(cut.act) after \(control.act)); \
                SQL says \(control.saleState.nameInRedis): halt the sale once more, then open it
                """)
    }

    private enum Fold {
        case folded([SKUNumber: CutFold], inFlight: [SKUNumber: Int64])
        case damaged(FenceReason)
        case epochMovedOn
        /// Redis is in an epoch beyond the one that SQL, read later, is in.
        case beyondBooks(Epoch)
    }

    /// Which SKU of a damaged bucket gives it away, with its numbers.
    private func evidence(_ cut: BucketCut) -> String? {
        guard cut.id != nil, cut.lineageHolds else { return nil }
        guard let reading = cut.damagedSKU else { return nil }
        let name = catalogue[reading.sku]?.sku ?? "?"
        guard let stock = reading.stock else { return "the stock of \(name) is gone or no number" }
        guard let control = reading.control else { return "the ledger of \(name) is gone" }
        return "\(name): \(stock) in stock + \(control.taken) taken ≠ \(control.allocated) allocated"
    }

    /// SQL's movements up to `id`, the part that SQL does not have yet read from the outbox.
    private func foldThrough(_ id: OutboxID, _ bucket: Bucket, _ keys: BucketKeys) async throws -> Fold {
        let giveUpAt = clock.now + configuration.drainPatience
        while true {
            if let fold = try await store.foldForCut(bucket: bucket.number, through: id) {
                return .folded(fold, inFlight: [:])
            }
            if clock.now >= giveUpAt { break }
            try await clock.sleep(for: .milliseconds(10))
        }
        guard let record = try await drainPosition(bucket) else { return .epochMovedOn }
        if id.epoch > record.epoch { return .beyondBooks(record.epoch) }
        guard record.state == .open else { return .epochMovedOn }
        guard record.epoch == id.epoch,
            let base = try await store.foldForCut(bucket: bucket.number, through: record.drainedThrough)
        else { return .epochMovedOn }
        var taken: [SKUNumber: Int64] = [:]
        var allocated: [SKUNumber: Int64] = [:]
        var versions: [SKUNumber: Int64] = [:]
        var position = record.drainedThrough
        while position < id {
            let command = OutboxEntry.readCommand(
                keys: keys, after: position, sameEpoch: true, limit: Recoverer.entriesMax)
            let reply = try await cluster.call(slot: keys.slot, command, deadline: clock.now + .seconds(2))
            let entries = OutboxEntry.read(reply, bucket: bucket.number)
            let isGapless = !entries.isEmpty && zip(entries, (position.n + 1)...).allSatisfy { $0.id.n == $1 }
            guard isGapless, let last = entries.last else {
                // Drained and trimmed meanwhile, or gone before SQL had it?
                guard try await drainPosition(bucket) == record else { return .epochMovedOn }
                return .damaged(.outboxGap)
            }
            for entry in entries where entry.id <= id {
                switch entry.settlement.action {
                case .deduct(let orders):
                    for line in orders.flatMap(\.lines) { taken[line.sku, default: 0] += Int64(line.quantity) }
                case .release(let orders, _):
                    for line in orders.flatMap(\.lines) { taken[line.sku, default: 0] -= Int64(line.quantity) }
                case .restock(let sku, let version, let units):
                    allocated[sku, default: 0] += units
                    versions[sku] = version + 1
                case .repair(let sku, let delta): taken[sku, default: 0] += delta
                case .mark, .unreadable: break
                }
            }
            position = last.id
        }
        var fold = base
        for (sku, was) in base {
            fold[sku] = CutFold(
                allocated: was.allocated + (allocated[sku] ?? 0), version: versions[sku] ?? was.version,
                taken: was.taken + (taken[sku] ?? 0), frozen: was.frozen)
        }
        return .folded(fold, inFlight: taken.mapValues { abs($0) })
    }

    private func drainPosition(_ bucket: Bucket) async throws -> BucketRecord? {
        try await store.bucket(bucket.number)
    }

    private func compareCounters(
        _ bucket: Bucket, _ cut: BucketCut, _ fold: [SKUNumber: CutFold], _ inFlight: [SKUNumber: Int64]
    ) -> [Finding] {
        var findings: [Finding] = []
        for reading in cut.skus {
            guard let control = reading.control, let folded = fold[reading.sku] else { continue }
            let name = catalogue[reading.sku]?.sku ?? "?"
            if let units = inFlight[reading.sku], units > 0 {
                findings.append(
                    Finding(
                        kind: .inFlight, bucket: bucket.number, sku: reading.sku, units: units,
                        sentence: "\(name): \(units.counted("unit")) are taken in Redis and not in SQL yet"))
            }
            if control.allocated != folded.allocated || control.version != folded.version {
                findings.append(
                    Finding(
                        kind: .unbalanced, bucket: bucket.number, sku: reading.sku,
                        units: max(1, abs(control.allocated - folded.allocated)),
                        sentence: """
                            \(name): Redis has \(control.allocated.counted("unit")) allocated (version \(control.version)), SQL \
                            \(folded.allocated) (version \(folded.version))
                            """))
            }
            let difference = control.taken - folded.taken
            if difference > 0 {
                findings.append(
                    Finding(
                        kind: .unpersisted, bucket: bucket.number, sku: reading.sku, units: difference,
                        sentence: "\(name): Redis has \(difference.counted("unit")) taken that SQL does not know of"))
            } else if difference < 0 {
                findings.append(
                    Finding(
                        kind: .lostInRedis, bucket: bucket.number, sku: reading.sku, units: -difference,
                        sentence: "\(name): SQL has \((-difference).counted("unit")) taken that Redis would sell again")
                )
            }
        }
        return findings
    }
}
