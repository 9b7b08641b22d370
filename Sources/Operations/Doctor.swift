import Deduction
public import Inventory
public import Redis

/// What somebody at a Redis can see, what they may do, what watching costs there, and what is wrong with it for a sale.
///
/// It changes nothing: commands that write are never sent; whether they would be allowed ACL DRYRUN says, where it may be asked.
public struct Doctor: Sendable {
    /// What was found about one role.
    public struct Ability: Sendable {
        public let role: AccessRole
        /// Rules that are lacking; empty: it may do everything that it takes.
        public var lacking: [String] = []
        /// Rules about which nobody would tell.
        public var unknown: [String] = []
    }

    public struct Cost: Sendable {
        public let command: String
        public let perSecond: Double
        public let what: String
    }

    public struct Finding: Sendable {
        public enum Severity: String, Sendable { case bad, warning, unknown }
        public let severity: Severity
        /// What, where, what to do, in one line.
        public let sentence: String
    }

    public struct Report: Sendable {
        public var address = ""
        public var topology = ""
        public var user: String?
        public var versions: [String: String] = [:]
        public var keyCount: Int?
        public var stockKeys: String?
        public var ledgerKeys: String?
        public var skuCount: Int?
        /// Each SKU is read within so many seconds.
        public var sweepSeconds: Int?
        public var abilities: [Ability] = []
        public var costs: [Cost] = []
        public var findings: [Finding] = []
        public var rules: [(role: AccessRole, line: String)] = []

        /// 0 good, 1 found bad, 3 something stayed unknown.
        public var exitCode: Int32 {
            if findings.contains(where: { $0.severity == .bad }) { return 1 }
            return findings.contains { $0.severity == .unknown } ? 3 : 0
        }
    }

    /// A sale of ours, as its books tell.
    public struct Books: Sendable {
        public let catalogue: Catalogue
        public let durability: Durability
        public init(catalogue: Catalogue, durability: Durability) {
            self.catalogue = catalogue
            self.durability = durability
        }
    }

    /// Keys whose time to live is looked at.
    static let sampleMax = 200
    private static let timeout = Duration.seconds(2)

    let cluster: RedisCluster
    let books: Books?
    let keys: ForeignKeys?
    let budget: ForeignBudget

    /// - Parameters:
    ///   - books: of a sale of ours; else keys that are not ours are looked at.
    ///   - keys: how those are made; `nil`: usual forms are looked for.
    public init(cluster: RedisCluster, books: Books?, keys: ForeignKeys?, budget: ForeignBudget) {
        self.cluster = cluster
        self.books = books
        self.keys = keys
        self.budget = budget
    }

    public func examine() async -> Report {
        var report = Report()
        report.address = "\(cluster.url.address)"
        report.topology = cluster.isCluster ? "cluster \(cluster.masters.count)" : "single"
        await readServers(into: &report)
        let (foreign, sample) = await readKeys(into: &report)
        await readAbilities(sample.first ?? Array("ss_{doctor}1".utf8), into: &report)
        await readLifetimes(sample, into: &report)
        addCosts(foreign, into: &report)
        for role in books == nil ? AccessRole.allCases : [.watcher, .operator, .engine] {
            report.rules.append((role, role.line(foreign: foreign)))
        }
        let rank: [Finding.Severity: Int] = [.bad: 0, .warning: 1, .unknown: 2]
        report.findings = report.findings.enumerated().sorted {
            (rank[$0.element.severity]!, $0.offset) < (rank[$1.element.severity]!, $1.offset)
        }.map(\.element)
        return report
    }

    // MARK: Servers

    private func readServers(into report: inout Report) async {
        func add(_ severity: Finding.Severity, _ sentence: String) {
            report.findings.append(Finding(severity: severity, sentence: sentence))
        }
        var facts: [NodeFacts] = []
        let settings = await config(["appendfsync", "cluster-require-full-coverage"])
        for (address, result) in await cluster.onEachMaster(RedisCommand("INFO"), deadline: .now + Self.timeout) {
            let place = address.description
            switch result {
            case .failure(let error):
                let why = error.missingRule.map { "needs \($0)" } ?? error.message
                add(.unknown, "\(place): memory, eviction, persistence and replicas are not known: \(why)")
            case .success(let reply):
                let info = InfoText(reply.string ?? "")
                var node = NodeFacts(address: place, info: reply.string ?? "")
                node.appendFsync = settings[place]?["appendfsync"]
                facts.append(node)
                let version = info["redis_version"] ?? "?"
                report.versions[place] = version
                if (version.split(separator: ".").first.flatMap { Int($0) } ?? 7) < 7 {
                    add(.bad, "\(place) runs Redis \(version): it can be watched, but a sale needs 7.0 or newer")
                }
                if let evicted = info.int("evicted_keys"), evicted > 0 {
                    add(
                        .bad, "\(place) has evicted \(evicted.counted("key")) since it started: stock may be among them"
                    )
                }
                if info.int("maxmemory") == 0 {
                    add(
                        .warning,
                        "\(place) has no maxmemory: when its machine is full, the kernel ends it; set one below that")
                }
                if node.replicasInTouch == 0 {
                    add(.warning, "\(place) has no replica in touch: when it dies, nothing takes over")
                }
                if books == nil, node.evictionPolicy != "noeviction" {
                    add(
                        .bad,
                        "\(place) may evict stock: its maxmemory-policy is \(node.evictionPolicy); set it to noeviction"
                    )
                }
                if books == nil, !node.hasAOF {
                    add(.warning, "\(place) keeps no append-only file: a crash gives sold units back to the stock")
                }
                if books == nil, node.expiringKeys > 0 {
                    add(.warning, "\(place) holds \(node.expiringKeys.counted("key")) with a time to live")
                }
            }
        }
        if cluster.isCluster {
            switch cluster.masters.compactMap({ settings[$0.description]?["cluster-require-full-coverage"] }).first {
            case "yes"?:
                add(
                    .warning,
                    "cluster-require-full-coverage is yes: one dead master stops the others, too; set it to no")
            case nil: add(.unknown, "cluster-require-full-coverage is not known: needs +config|get")
            default: break
            }
        }
        guard let books else { return }
        for finding in Preflight(durability: books.durability).findings(facts) {
            let isUnknown = finding.kind == .syncUnknown || finding.kind == .silent
            add(isUnknown ? .unknown : finding.haltsSale || finding.refusesOpening ? .bad : .warning, finding.sentence)
        }
    }

    /// By address and name; what may not be asked is left out.
    private func config(_ names: [String]) async -> [String: [String: String]] {
        var all: [String: [String: String]] = [:]
        for name in names {
            let answers = await cluster.onEachMaster(RedisCommand("CONFIG", "GET", name), deadline: .now + Self.timeout)
            for (address, result) in answers {
                guard case .success(let reply) = result, let pair = reply.array, pair.count == 2 else { continue }
                all[address.description, default: [:]][name] = pair[1].string
            }
        }
        return all
    }

    // MARK: Keys

    /// How the keys that are not ours are made, and some keys of the sale.
    private func readKeys(into report: inout Report) async -> (ForeignKeys?, [[UInt8]]) {
        var count: Int? = 0
        for (_, result) in await cluster.onEachMaster(RedisCommand("DBSIZE"), deadline: .now + Self.timeout) {
            guard case .success(let reply) = result, let keys = reply.int else {
                count = nil
                break
            }
            count = count.map { $0 + Int(keys) }
        }
        report.keyCount = count
        if let books {
            report.skuCount = books.catalogue.entries.count
            var sample: [[UInt8]] = []
            for bucket in books.catalogue.buckets where sample.count < Self.sampleMax {
                let keys = BucketKeys(bucket: bucket, catalogue: books.catalogue)
                sample += [keys.control, keys.outbox]
                for position in 0..<min(keys.count, 8) { sample += [keys.stocks[position], keys.ledgers[position]] }
            }
            return (nil, sample)
        }
        do {
            let seen = try await ForeignKeys.sample(on: cluster)
            guard let found = keys ?? ForeignKeys.guess(among: seen) else {
                report.findings.append(
                    Finding(
                        severity: .unknown,
                        sentence:
                            "no keys among \(seen.count) looked at are made in a usual way; --stock-key says how they are"
                    ))
                return (nil, [])
            }
            report.stockKeys = found.stock.text
            report.ledgerKeys = found.ledger?.text
            let stock = seen.filter { found.stock.read($0) != nil }
            if stock.isEmpty {
                report.findings.append(
                    Finding(severity: .warning, sentence: "none of \(seen.count) keys looked at is \(found.stock)"))
            }
            // As many of all keys as of those that were looked at.
            report.skuCount =
                count.map { seen.isEmpty ? 0 : stock.count * max($0, seen.count) / seen.count } ?? stock.count
            return (found, Array(stock.prefix(Self.sampleMax)))
        } catch {
            report.findings.append(
                Finding(
                    severity: .unknown,
                    sentence: "SKUs cannot be looked for: \(error.missingRule.map { "needs \($0)" } ?? error.message)"))
            return (keys, [])
        }
    }

    private func readLifetimes(_ sample: [[UInt8]], into report: inout Report) async {
        var commands: [(slot: Int, command: RedisCommand)] = []
        for key in sample.prefix(Self.sampleMax) {
            var command = RedisCommand("PTTL")
            command.append(key)
            commands.append((HashSlot.of(key), command))
        }
        var expiring: [String] = []
        for (index, answer) in await cluster.callAll(commands, deadline: .now + Self.timeout).enumerated() {
            switch answer {
            case .success(let reply):
                if let left = reply.int, left >= 0 { expiring.append(String(decoding: sample[index], as: UTF8.self)) }
            case .failure(let error):
                guard let rule = error.missingRule else { continue }
                report.findings.append(
                    Finding(severity: .unknown, sentence: "whether keys of the sale expire is not known: needs \(rule)")
                )
                return
            }
        }
        guard let first = expiring.first else { return }
        report.findings.append(
            Finding(
                severity: .bad,
                sentence:
                    "\(expiring.count) of \(commands.count) keys of the sale looked at will be dropped by time, first \(first); "
                    + "PERSIST them"))
    }

    // MARK: Who we are

    private func readAbilities(_ key: [UInt8], into report: inout Report) async {
        let slot = HashSlot.of(key)
        func call(_ command: RedisCommand) async -> Result<RedisReply, RedisError> {
            await cluster.callAll([(slot, command)], deadline: .now + Self.timeout)[0]
        }
        let who = try? await call(RedisCommand("ACL", "WHOAMI")).get().string
        // Whoever logged in without a name is the default user.
        report.user = who ?? cluster.url.user ?? "default"
        var known: [AccessNeed: Bool?] = [:]
        for need in Set(AccessRole.allCases.flatMap(\.needs)) {
            known[need] = await isAllowed(need, key, user: who, call)
        }
        for role in books == nil ? AccessRole.allCases : [.watcher, .operator, .engine] {
            var ability = Ability(role: role)
            for need in role.needs {
                switch known[need] ?? nil {
                case true?: break
                case false?: ability.lacking.append(need.rule)
                case nil: ability.unknown.append(need.rule)
                }
            }
            report.abilities.append(ability)
        }
        let wanted: AccessRole = books == nil ? .foreignWatcher : .watcher
        guard let own = report.abilities.first(where: { $0.role == wanted }), !own.lacking.isEmpty else { return }
        report.findings.append(
            Finding(
                severity: .bad,
                sentence: "this user cannot watch all of it: allow \(own.lacking.joined(separator: " "))"))
    }

    private func isAllowed(
        _ need: AccessNeed, _ key: [UInt8], user: String?,
        _ call: (RedisCommand) async -> Result<RedisReply, RedisError>
    ) async -> Bool? {
        func append(to command: inout RedisCommand, _ words: ArraySlice<String>) {
            for word in words { if word == "KEY" { command.append(key) } else { command.append(word) } }
        }
        if let user {
            var command = RedisCommand("ACL", "DRYRUN", user)
            append(to: &command, need.words[...])
            if case .success(let reply) = await call(command), let text = reply.string {
                return text == "OK"
            }
        }
        guard need.isHarmless else { return nil }
        var command = RedisCommand(need.words[0])
        append(to: &command, need.words.dropFirst())
        switch await call(command) {
        case .success: return true
        case .failure(let error):
            // Any other error came after it was allowed.
            return error.kind == .noPermission ? false : error.outcome == .refused ? true : nil
        }
    }

    // MARK: Costs

    private func addCosts(_ foreign: ForeignKeys?, into report: inout Report) {
        let masters = Double(max(1, cluster.masters.count))
        if let books {
            let interval = max(0.1, Double(books.catalogue.entries.count) / WarRoomSampler.skusPerSecond)
            let buckets = Double(books.catalogue.buckets.count)
            report.sweepSeconds = Int(interval.rounded(.up))
            report.costs = [
                Cost(
                    command: "EVALSHA", perSecond: buckets / interval,
                    what: "a cut of each bucket: some work for each SKU"),
                Cost(command: "INFO", perSecond: masters * 2.5, what: "memory, replicas, persistence of each master"),
            ]
            return
        }
        guard let foreign else { return }
        let count = report.skuCount ?? 0
        let readsPerSKU = foreign.ledger == nil ? 1 : 2
        let plan = SweepPlan(readsPerSecond: budget.readsPerSecond, readsPerSKU: readsPerSKU)
        let skus = min(count, plan.skusPerSecond)
        report.sweepSeconds = plan.sweepSeconds(of: count)
        let pace = ScanPace(keysPerSecond: budget.scanKeysPerSecond)
        // In a cluster a call covers one slot.
        let calls = cluster.isCluster ? min(skus, HashSlot.count) : (skus + 99) / ForeignSampler.keysPerMGET
        report.costs = [
            Cost(
                command: "MGET", perSecond: Double(calls),
                what: "\(skus) keys a second, each SKU within \(report.sweepSeconds ?? 1) s"),
            Cost(command: "HLEN", perSecond: foreign.ledger == nil ? 0 : Double(skus), what: "a ledger each"),
            Cost(
                command: "SCAN", perSecond: 1 / (pace.pause / .seconds(1)),
                what:
                    "\(pace.keysPerCall) keys each, \(Int(pace.seconds(for: report.keyCount ?? 0).rounded(.up))) s for all keys, then a tenth of that"
            ),
            Cost(command: "INFO", perSecond: masters / 2, what: "memory, evictions, keys that expire, of each master"),
            Cost(
                command: "PTTL", perSecond: Double(ExpiryWatch.keysMax) / 2,
                what: "at most, and only where a server says that keys of its expire"),
        ].filter { $0.perSecond > 0 }
    }
}

/// `INFO`, by field.
private struct InfoText {
    private var fields: [Substring: Substring] = [:]

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
    }

    subscript(name: String) -> String? { fields[Substring(name)].map(String.init) }
    func int(_ name: String) -> Int64? { fields[Substring(name)].flatMap { Int64($0) } }
}
