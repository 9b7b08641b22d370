public import Deduction
public import Inventory
public import OrderStore
public import Redis
import Synchronization
import Telemetry

/// Looks at the servers while a sale runs, tells what its promise misses, and halts the sale where that cannot wait.
public final class SaleMonitor: Sendable {
    public struct Configuration: Sendable {
        /// Pause between two looks.
        public var interval = Duration.milliseconds(500)
        /// The same where nothing follows but an event for somebody who watches.
        public var watchInterval = Duration.seconds(1)
        /// Pause between two looks at the sale's own keys, where some keys of a server expire.
        public var keysInterval = Duration.seconds(15)
        /// Bytes of a server's memory that orders must leave free; `nil`: see `Preflight.headroom`.
        public var headroomBytes: Int64?
        public init() {}
    }

    private struct State {
        var findings: [Preflight.Finding] = []
        var memory: [String: (bytes: Int64, at: SaleClock.Instant)] = [:]
        var expiring: [String: [String]] = [:]
        var keysReadAt: SaleClock.Instant?
        var leaseIsOverdue = false
        var looks = 0
        /// Keys that each server had evicted when it was first looked at, and now.
        var evicted: [String: (first: Int64, now: Int64)] = [:]
        /// Why the sale must be halted, until SQL has heard of it.
        var haltReason: String?
    }

    private let catalogue: Catalogue
    private let cluster: any RedisPort
    private let scripts: Scripts
    private let store: any OrderStore
    private let engine: DeductionEngine
    private let events: EventLog
    private let clock: SaleClock
    private let configuration: Configuration
    private let preflight: Preflight
    private let durability: Durability
    private let state = Mutex(State())

    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore, engine: DeductionEngine,
        durability: Durability, events: EventLog, configuration: Configuration = Configuration(),
        clock: SaleClock = .system
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.engine = engine
        self.durability = durability
        self.events = events
        self.configuration = configuration
        self.clock = clock
        preflight = Preflight(durability: durability, headroomBytes: configuration.headroomBytes)
    }

    /// What the last look found.
    public var findings: [Preflight.Finding] { state.withLock { $0.findings } }

    /// Keys that servers evicted since they were first looked at; a server that started again counts from there.
    public var evicted: [String: Int64] {
        state.withLock { $0.evicted.mapValues { $0.now - $0.first }.filter { $0.value > 0 } }
    }

    /// Looks that `run` has taken and told of.
    public var looks: Int { state.withLock { $0.looks } }

    /// Looks now, at everything.
    public func check() async -> [Preflight.Finding] { await look(atKeys: true) }

    /// Looks until cancelled.
    ///
    /// - Parameter halt: stops the sale for a reason, in SQL and Redis; false if SQL could not be told. `nil`: only tell.
    public func run(halt: (@Sendable (String) async -> Bool)?) async {
        while !Task.isCancelled {
            let found = await look(atKeys: false)
            tell(found)
            if let halt {
                let reason = state.withLock { state in
                    // Kept until SQL has it, also when its cause has passed.
                    state.haltReason = state.haltReason ?? found.first(where: \.haltsSale)?.sentence
                    return state.haltReason
                }
                if let reason { await stop(because: reason, halt) }
            }
            tellLease()
            state.withLock { $0.looks += 1 }
            try? await clock.sleep(for: halt == nil ? configuration.watchInterval : configuration.interval)
        }
    }

    /// Stops orders here at once, then everywhere. Without SQL nobody else hears of it, and this engine stays stopped until SQL
    /// has: then the sale's state holds, which a person changes.
    private func stop(because reason: String, _ halt: @Sendable (String) async -> Bool) async {
        engine.setBrake(true)
        guard let sale = try? await store.sale() else { return }
        if sale.state == .open, await !halt(reason) { return }
        state.withLock { $0.haltReason = nil }
        engine.setBrake(false)
    }

    // MARK: Looking

    /// What the servers say, all of it, and what follows for the sale.
    public func sight() async -> Sight {
        let (nodes, silent) = await facts()
        return Sight(nodes: nodes, silent: silent, findings: await look(atKeys: true, nodes, silent))
    }

    /// One look at every server.
    public struct Sight: Sendable {
        public var nodes: [NodeFacts]
        public var silent: [(address: String, reason: String)]
        public var findings: [Preflight.Finding]
    }

    private func look(atKeys: Bool) async -> [Preflight.Finding] {
        let (nodes, silent) = await facts()
        return await look(atKeys: atKeys, nodes, silent)
    }

    private func look(
        atKeys: Bool, _ nodes: [NodeFacts], _ silent: [(address: String, reason: String)]
    ) async -> [Preflight.Finding] {
        let now = clock.now
        let growth = state.withLock { state in
            var growth: [String: Int64] = [:]
            for node in nodes {
                if let before = state.memory[node.address], now > before.at {
                    // What it grew by since is expected to come again, twice.
                    let span = (now - before.at) / configuration.interval
                    growth[node.address] = max(0, Int64(Double(node.usedMemory - before.bytes) / max(span, 1) * 2))
                }
                state.memory[node.address] = (node.usedMemory, now)
                let first = state.evicted[node.address]?.first ?? node.evictedKeys
                state.evicted[node.address] = (min(first, node.evictedKeys), node.evictedKeys)
            }
            return growth
        }
        let suspects = Set(nodes.filter { $0.expiringKeys > 0 }.map(\.address))
        let isDue = state.withLock { state in
            let isDue = atKeys || state.keysReadAt.map { now - $0 >= configuration.keysInterval } ?? true
            if isDue { state.keysReadAt = now }
            return isDue
        }
        if isDue {
            let expiring = suspects.isEmpty ? [:] : await expiringKeys(on: suspects)
            state.withLock { $0.expiring = expiring }
        }
        // To halt for it would write into what is another sale's: only an opening asks.
        let stranger = atKeys ? await SaleMark.stranger(in: catalogue, on: cluster, clock: clock) : nil
        return preflight.findings(
            nodes, growth: growth, expiring: state.withLock { $0.expiring }, silent: silent,
            stranger: stranger.map { stranger in
                let slot = BucketKeys(bucket: stranger.bucket, catalogue: catalogue).slot
                return (cluster.master(ofSlot: slot)?.description ?? "Redis", stranger.sentence)
            })
    }

    private func facts() async -> (nodes: [NodeFacts], silent: [(address: String, reason: String)]) {
        let deadline = clock.now + .seconds(1)
        var nodes: [NodeFacts] = []
        var silent: [(address: String, reason: String)] = []
        var settings: [String: String] = [:]
        if durability == .aof {
            for (address, result) in await cluster.onEachMaster(
                RedisCommand("CONFIG", "GET", "appendfsync"), deadline: deadline)
            {
                guard case .success(let reply) = result, let pair = reply.array, pair.count == 2 else { continue }
                settings[address.description] = pair[1].string
            }
        }
        for (address, result) in await cluster.onEachMaster(
            RedisCommand("INFO", "memory", "persistence", "stats", "replication", "keyspace"), deadline: deadline)
        {
            switch result {
            case .success(let reply):
                var facts = NodeFacts(address: address.description, info: reply.string ?? "")
                facts.appendFsync = settings[facts.address]
                nodes.append(facts)
            case .failure(let error): silent.append((address.description, error.message))
            }
        }
        return (nodes, silent)
    }

    /// Keys of ours with a time to live, by server.
    private func expiringKeys(on suspects: Set<String>) async -> [String: [String]] {
        var found: [String: [String]] = [:]
        for bucket in catalogue.buckets {
            let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
            guard let node = cluster.master(ofSlot: keys.slot)?.description, suspects.contains(node),
                let reply = try? await cluster.evaluate(
                    scripts.expiring, BucketCut.call(keys: keys), slot: keys.slot, deadline: clock.now + .seconds(1))
            else { continue }
            for key in reply.array ?? [] { found[node, default: []].append(key.string ?? "?") }
        }
        return found
    }

    // MARK: Telling

    private func tell(_ found: [Preflight.Finding]) {
        let before = state.withLock { state in
            defer { state.findings = found }
            return state.findings
        }
        func place(_ finding: Preflight.Finding) -> String { "\(finding.kind) \(finding.node)" }
        let known = Set(before.map(place))
        // A server that is silent is told of as a node that is down.
        for finding in found where finding.kind != .silent && !known.contains(place(finding)) {
            events.add(
                finding.haltsSale ? .bad : .warning, finding.sentence, of: .promise,
                "\(finding.kind.rawValue) \(finding.node)")
        }
        let present = Set(found.map(place))
        for finding in before where finding.kind != .silent && !present.contains(place(finding)) {
            if !found.contains(where: { $0.kind == .silent && $0.node == finding.node }) {
                events.add(
                    .info, "\(finding.node) is fit again: \(finding.kind.relief)", of: .promise,
                    "\(finding.kind.rawValue) \(finding.node)")
            }
        }
    }

    private func tellLease() {
        let overdue = engine.leaseOverdue
        let changed = state.withLock { state in
            defer { state.leaseIsOverdue = overdue != nil }
            return state.leaseIsOverdue != (overdue != nil)
        }
        guard changed else { return }
        if let overdue {
            events.add(
                .bad,
                "SQL has not answered for \(overdue.formatted): at \(durability.rawValue) with replicas no yes is said without it; orders wait",
                of: .paused)
        } else {
            events.add(.good, "SQL answers again; orders go on", of: .paused)
        }
    }
}

extension Preflight.Kind {
    /// What a person reads when the finding is gone.
    var relief: String {
        switch self {
        case .evicts: "it evicts nothing"
        case .expiring: "no key of the sale expires"
        case .noAOF, .neverSynced, .syncUnknown: "its append-only file is kept"
        case .aofFails: "its append-only file is written"
        case .tooFewReplicas: "its replicas are there"
        case .memoryLow: "it has memory again; a halted sale is opened by a person"
        case .silent: "it answers"
        case .otherSale: "it holds this sale"
        }
    }
}
