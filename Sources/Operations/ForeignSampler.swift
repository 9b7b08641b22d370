import Deduction
import Inventory
public import Redis
import Synchronization
public import Telemetry

/// The rows that a screen has in sight, as it told last.
public final class RowsInSight: Sendable {
    private let rows = Mutex<[Int]>([])
    public init() {}
    /// - Parameter positions: in the snapshot's `skus`, best first.
    public func put(_ positions: [Int]) { rows.withLock { $0 = positions } }
    public var positions: [Int] { rows.withLock { $0 } }
}

/// What watching somebody else's keys may cost their servers.
public struct ForeignBudget: Sendable, Hashable {
    /// Keys a second that the search for SKUs looks at.
    public var scanKeysPerSecond = 5_000
    /// Keys a second whose value is read.
    public var readsPerSecond = 10_000
    public init() {}
}

/// Watches keys that somebody else sells from: no SQL, no engine, no scripts. It writes nothing.
///
/// SKUs are learnt by SCAN, within a budget; stock and ledgers are read within another, what is in sight or sells first. Rates are the
/// growth of the ledgers, or what leaves the stock where there are none. It fills the same snapshot as `WarRoomSampler`; what nobody
/// could know without SQL is left out and said so.
public actor ForeignSampler {
    /// Reads go out in so many parts a second, so that nobody else waits behind a second's worth.
    static let slicesPerSecond = 10
    static let keysPerMGET = 100
    private static let timeout = Duration.seconds(2)

    let cluster: RedisCluster
    let keys: ForeignKeys
    let budget: ForeignBudget
    let pace: ScanPace
    let events: EventLog
    let thresholds: AlertThresholds
    private let sight: RowsInSight?
    private let publish: @Sendable (WarRoomSnapshot) -> Void
    private let clock = ContinuousClock()
    let start = ContinuousClock.now

    var scan: ForeignScan
    var book = ForeignBook()
    private var plan: SweepPlan
    var snapshot: WarRoomSnapshot
    private(set) var denied: Set<WarRoomSnapshot.Denied> = []
    /// HLEN is not tried again: it was forbidden, or the keys hold something else.
    private var ledgerIsUnreadable = false
    var memory = MemoryBook()
    var trends = TrendBook()
    var alertBook = AlertBook()
    let began = ContinuousClock.now
    /// What the servers say of evicting and expiring, by address.
    var losses: [String: LossWatch] = [:]
    var expiry = ExpiryWatch()
    /// PTTL is forbidden, and was told of.
    var expiryIsUnreadable = false
    private var memoryReadAt: ContinuousClock.Instant?
    private var lastAnswerAt = ContinuousClock.now
    private var lastReads = 0
    private var teller: EventTeller
    private var isTold = (found: false, full: false)

    /// - Parameters:
    ///   - name: of the place, for the header.
    ///   - sight: what the screen has in sight.
    ///   - publish: hears every snapshot, on any thread; must not block.
    public init(
        cluster: RedisCluster, keys: ForeignKeys, name: String, topology: String, redisURL: String,
        budget: ForeignBudget = ForeignBudget(), thresholds: AlertThresholds = AlertThresholds(), events: EventLog,
        sight: RowsInSight? = nil, publish: @escaping @Sendable (WarRoomSnapshot) -> Void
    ) {
        self.cluster = cluster
        self.keys = keys
        self.budget = budget
        self.thresholds = thresholds
        self.events = events
        self.sight = sight
        self.publish = publish
        pace = ScanPace(keysPerSecond: budget.scanKeysPerSecond)
        scan = ForeignScan(keys)
        plan = SweepPlan(readsPerSecond: budget.readsPerSecond, readsPerSKU: keys.ledger == nil ? 1 : 2)
        teller = EventTeller(events: events, catalogue: Catalogue(entries: [], tags: [:]))
        snapshot = WarRoomSnapshot(
            phase: .live, saleName: name, saleState: .open, durability: .memory, topology: topology,
            redisURL: redisURL, ordersURL: "")
        snapshot.foreign = WarRoomSnapshot.Foreign(
            stockKeys: keys.stock.text, ledgerKeys: keys.ledger?.text, readsPerSecondMax: budget.readsPerSecond)
    }

    /// Watches until cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.search() }
            group.addTask { await self.sweep() }
        }
    }

    // MARK: Searching

    private func search() async {
        while !Task.isCancelled {
            let began = clock.now
            scan.begin(cluster.masters, total: await countKeys())
            await walk()
            guard !Task.isCancelled else { return }
            if !scan.isWalking { tellFound() }
            // A walk that was forbidden is tried again as one that ended: rules may be granted meanwhile.
            try? await clock.sleep(for: pace.rest(after: began.duration(to: clock.now) / .seconds(1)))
        }
    }

    private func walk() async {
        var next = clock.now
        while !Task.isCancelled, let (address, command) = scan.next(count: pace.keysPerCall) {
            do {
                let reply = try await cluster.call(at: address, command, deadline: clock.now + Self.timeout)
                allow(.search)
                _ = scan.take(reply, count: pace.keysPerCall)
            } catch {
                if deny(error, .search) { return }
                if error.kind == .slotUncovered { scan.skip() } else { scan.pass() }
                try? await clock.sleep(for: .milliseconds(500))
            }
            next = max(next + pace.pause, clock.now - .milliseconds(200))
            try? await clock.sleep(until: next)
        }
    }

    /// `nil` where a master does not tell.
    private func countKeys() async -> Int? {
        var total = 0
        for (_, result) in await cluster.onEachMaster(RedisCommand("DBSIZE"), deadline: clock.now + Self.timeout) {
            guard case .success(let reply) = result, let count = reply.int else { return nil }
            total += Int(count)
        }
        return total
    }

    private func tellFound() {
        if !isTold.found {
            isTold.found = true
            events.add(
                scan.rows.isEmpty ? .warning : .info,
                "looked at all keys: \(scan.rows.count.inGroups) of them \(scan.rows.count == 1 ? "is" : "are") \(keys.stock)"
                    + (scan.rows.isEmpty ? "; --stock-key says how the stock's keys are made" : ""))
        }
        if scan.isFull, !isTold.full {
            isTold.full = true
            events.add(.warning, "more than \(ForeignScan.skusMax) SKUs: the others are not watched")
        }
    }

    // MARK: Sweeping

    private func sweep() async {
        // What is found first is shown at once.
        publish(snapshot)
        let giveUpAt = clock.now + .seconds(1)
        while scan.rows.isEmpty, clock.now < giveUpAt, !Task.isCancelled {
            try? await clock.sleep(for: .milliseconds(20))
        }
        var next = clock.now
        while !Task.isCancelled {
            await readSecond(endingBy: next + .seconds(1))
            next = max(next + .seconds(1), clock.now)
            try? await clock.sleep(until: next)
        }
    }

    /// One second's reads, in parts, and two snapshots.
    private func readSecond(endingBy end: ContinuousClock.Instant) async {
        book.grow(to: scan.rows.count)
        let positions = plan.nextSecond(
            count: scan.rows.count, visible: sight?.positions ?? [], hot: book.hottest(SweepPlan.hotMax))
        let began = clock.now
        let size = max(1, (positions.count + Self.slicesPerSecond - 1) / Self.slicesPerSecond)
        var slice = 0
        var from = 0
        lastReads = 0
        while from < positions.count, !Task.isCancelled {
            await read(Array(positions[from..<min(positions.count, from + size)]))
            from += size
            slice += 1
            if from < positions.count {
                try? await clock.sleep(until: began + .milliseconds(1_000 * slice / Self.slicesPerSecond))
            }
        }
        book.tick()
        if await readMemory() { await readExpiry() }
        assemble()
        publish(snapshot)
    }

    /// Reads these SKUs now.
    private func read(_ positions: [Int]) async {
        var commands: [(slot: Int, command: RedisCommand)] = []
        /// Which of `positions` each command asks for; the second number: how many.
        var asks: [[Int]] = []
        let groups: [[Int]] =
            cluster.isCluster
            ? Array(Dictionary(grouping: positions) { scan.rows[$0].slot }.values)
            : stride(from: 0, to: positions.count, by: Self.keysPerMGET).map {
                Array(positions[$0..<min(positions.count, $0 + Self.keysPerMGET)])
            }
        for group in groups {
            var command = RedisCommand("MGET", capacity: 32 + group.count * 32)
            for position in group { command.append(scan.rows[position].stockKey) }
            commands.append((scan.rows[group[0]].slot, command))
            asks.append(group)
        }
        let stockCommands = commands.count
        if keys.ledger != nil, !ledgerIsUnreadable {
            for position in positions {
                guard let ledger = scan.rows[position].ledger else { continue }
                var command = RedisCommand("HLEN")
                command.append(ledger.key)
                commands.append((ledger.slot, command))
                asks.append([position])
            }
        }
        lastReads += positions.count + commands.count - stockCommands
        let answers = await cluster.callAll(commands, deadline: clock.now + Self.timeout)
        let seconds = start.duration(to: clock.now) / .seconds(1)
        var ledgers: [Int: Int64] = [:]
        var stocks: [(Int, Int64?)] = []
        for (index, answer) in answers.enumerated() {
            switch answer {
            case .success(let reply):
                lastAnswerAt = clock.now
                if index < stockCommands {
                    allow(.stock)
                    for (position, value) in zip(asks[index], reply.array ?? []) {
                        stocks.append((position, value.int))
                    }
                } else if let entries = reply.int {
                    allow(.ledger)
                    ledgers[asks[index][0]] = entries
                }
            case .failure(let error):
                if index < stockCommands {
                    _ = deny(error, .stock)
                } else if deny(error, .ledger) {
                    ledgerIsUnreadable = true
                } else if error.kind == .wrongType, !ledgerIsUnreadable {
                    ledgerIsUnreadable = true
                    events.add(
                        .warning,
                        "the ledgers (\(keys.ledger?.text ?? "")) are no hashes: rates are what leaves the stock")
                }
            }
        }
        for (position, stock) in stocks {
            book.take(.init(position: position, stock: stock, ledger: ledgers[position]), at: seconds)
        }
    }

    /// - Returns: whether it was time to.
    private func readMemory() async -> Bool {
        guard memoryReadAt.map({ clock.now - $0 >= .seconds(2) }) ?? true else { return false }
        memoryReadAt = clock.now
        // All of it: older servers take one section a call, and three calls would cost them more.
        let answers = await cluster.onEachMaster(
            RedisCommand("INFO"), deadline: clock.now + .milliseconds(500))
        for (address, result) in answers {
            switch result {
            case .success(let reply):
                allow(.memory)
                let text = reply.string ?? ""
                memory.take(text, of: address.description)
                losses[address.description, default: LossWatch()].take(NodeFacts(address: "", info: text))
            case .failure(let error): _ = deny(error, .memory)
            }
        }
        memory.note()
        return true
    }

    // MARK: What is forbidden

    /// - Returns: whether it was forbidden.
    private func deny(_ error: RedisError, _ part: WarRoomSnapshot.Denied.Part) -> Bool {
        guard let rule = error.missingRule else { return false }
        let keyRule = part == .ledger ? keys.ledger?.readRule : keys.stock.readRule
        let denial = WarRoomSnapshot.Denied(part: part, rule: rule == "~…" ? keyRule ?? rule : rule)
        if denied.insert(denial).inserted {
            events.add(.warning, "the server forbids what \(part.words) needs: allow this user \(denial.rule)")
        }
        return true
    }

    private func allow(_ part: WarRoomSnapshot.Denied.Part) {
        guard denied.contains(where: { $0.part == part }) else { return }
        denied = denied.filter { $0.part != part }
        events.add(.good, "\(part.words) may be read now")
    }

    // MARK: Assembling

    private func assemble() {
        snapshot.phase = .live
        let silence = lastAnswerAt.duration(to: clock.now) / .seconds(1)
        if silence > 3, !scan.rows.isEmpty { snapshot.phase = .stale(silence) }
        assembleStock()
        assemblePlaces()
        snapshot.foreign?.isScanned = scan.walks > 0
        snapshot.foreign?.scan = scan.sentence(pace: pace)
        snapshot.foreign?.sweepSeconds = plan.sweepSeconds(of: scan.rows.count)
        snapshot.foreign?.readsPerSecond = lastReads
        snapshot.foreign?.scanKeysPerSecond = scan.isWalking ? budget.scanKeysPerSecond : 0
        if ledgerIsUnreadable { snapshot.foreign?.ledgerKeys = nil }
        snapshot.denied = denied.sorted()
        teller.tellStock(snapshot)
        snapshot.alerts = alerts()
        snapshot.events = events.events
    }
}

extension KeyTemplate {
    /// The ACL rule by which these keys may be read.
    public var readRule: String { "%R~" + String(decoding: pattern, as: UTF8.self) }
}

extension WarRoomSnapshot.Denied.Part {
    /// As the start of a sentence or in one.
    var words: String {
        switch self {
        case .stock: "the stock"
        case .ledger: "the ledger"
        case .memory: "the servers' memory"
        case .nodes: "the nodes"
        case .search: "the search for SKUs"
        }
    }
}
