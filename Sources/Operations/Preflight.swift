public import Inventory
import Redis

/// What a Redis server says of itself, as far as a sale's promise rests on it.
public struct NodeFacts: Sendable, Hashable {
    public var address: String
    /// Bytes that count towards `maxmemory`.
    public var usedMemory: Int64 = 0
    /// `maxmemory`, or all of the machine's where none is set.
    public var memoryLimit: Int64 = 0
    public var evictionPolicy = "noeviction"
    /// It reads what it had kept, and serves nobody; what else it tells is not what it will be.
    public var isLoading = false
    public var hasAOF = false
    public var aofWritesWell = true
    /// `appendfsync`; `nil`: the server does not tell.
    public var appendFsync: String?
    /// Replicas that are attached and acknowledged lately.
    public var replicasInTouch = 0
    /// How far the replica that is furthest behind is behind, in bytes of the replication stream; `nil`: there is none.
    public var replicaBehindBytes: Int64?
    /// Keys that it has evicted since it started.
    public var evictedKeys: Int64 = 0
    /// Keys in its database that have a time to live, ours or not.
    public var expiringKeys: Int64 = 0

    /// A replica whose last acknowledgement is older does not count.
    public static let replicaSilenceSecondsMax = 2

    public init(address: String) { self.address = address }

    /// Reads `INFO memory persistence stats replication keyspace`.
    public init(address: String, info: String) {
        self.init(address: address)
        let values = RedisInfo(info)
        func number(_ name: Substring) -> Int64 { values.int(name) ?? 0 }
        usedMemory = number("used_memory") - number("mem_not_counted_for_evict")
        memoryLimit = number("maxmemory") > 0 ? number("maxmemory") : number("total_system_memory")
        evictionPolicy = String(values["maxmemory_policy"] ?? "noeviction")
        isLoading = number("loading") == 1
        hasAOF = number("aof_enabled") == 1
        aofWritesWell = values["aof_last_write_status"] ?? "ok" == "ok"
        evictedKeys = number("evicted_keys")
        for value in values.values(of: "slave") {
            guard let fields = Self.fields(value) else { continue }
            if let offset = fields["offset"].flatMap({ Int64($0) }) {
                let behind = max(0, number("master_repl_offset") - offset)
                replicaBehindBytes = max(replicaBehindBytes ?? 0, behind)
            }
            if fields["state"] == "online", let lag = fields["lag"].flatMap({ Int($0) }),
                lag <= Self.replicaSilenceSecondsMax
            {
                replicasInTouch += 1
            }
        }
        for value in values.values(of: "db") {
            if let fields = Self.fields(value) {
                expiringKeys += fields["expires"].flatMap { Int64($0) } ?? 0
            }
        }
    }

    /// `a=1,b=2`
    private static func fields(_ text: Substring) -> [Substring: Substring]? {
        guard text.contains("=") else { return nil }
        var fields: [Substring: Substring] = [:]
        for part in text.split(separator: ",") {
            guard let equals = part.firstIndex(of: "=") else { continue }
            fields[part[..<equals]] = part[part.index(after: equals)...]
        }
        return fields
    }
}

/// Whether the servers can keep what a sale promises: facts in, findings out.
///
/// | finding | at opening | during the sale |
/// |---|---|---|
/// | evicts, or our keys expire | refused | below `durable`: halted, for what goes is in no other book; at `durable`: alert |
/// | `aof`: no file, never synced | refused | halted: each yes would be worth `memory` |
/// | `aof`: setting not told | refused | alert |
/// | `aof`: writes to it fail | refused | alert: Redis itself refuses orders meanwhile |
/// | `replicated(n)`: fewer than n | refused | alert: orders hear unknown and are asked again until they are there |
/// | a bucket holds another sale | refused | not looked for: no recovery takes it over |
/// | memory runs out | refused | halted, with room kept for give-backs |
/// | a server does not answer, or still loads | at `aof` and `replicated(n)` refused, for what it keeps is not known | nothing: its buckets do not sell, which is told elsewhere |
///
/// A halted sale is opened again by a person.
public struct Preflight: Sendable {
    public enum Kind: String, Sendable, Hashable {
        case evicts, expiring, noAOF, neverSynced, syncUnknown, aofFails, tooFewReplicas, memoryLow, silent, otherSale
    }

    public struct Finding: Sendable, Hashable {
        public let kind: Kind
        /// The server's address.
        public let node: String
        /// What, where, what to do, in one line.
        public let sentence: String
        /// Whether a sale that is open must stop for it.
        public let haltsSale: Bool
        /// Whether a sale must not be opened while it lasts.
        public let refusesOpening: Bool
        /// Whether a person may open all the same, because nothing that the sale promises would be broken.
        public let mayBeOverridden: Bool
    }

    public let durability: Durability
    /// Bytes kept free of orders; `nil`: a sixteenth of the limit, within 16 MiB and a quarter of it.
    public let headroomBytes: Int64?

    public init(durability: Durability, headroomBytes: Int64? = nil) {
        self.durability = durability
        self.headroomBytes = headroomBytes
    }

    /// Bytes that orders must leave free for give-backs, state changes and rebuilding.
    public func headroom(of limit: Int64) -> Int64 {
        min(headroomBytes ?? max(limit / 16, 16 << 20), limit / 4 * (headroomBytes == nil ? 1 : 4))
    }

    /// - Parameters:
    ///   - growth: bytes that a server's memory is expected to grow by before it is looked at again, by address.
    ///   - expiring: keys of ours that have a time to live, by address.
    ///   - silent: servers that did not answer, and why.
    ///   - stranger: a bucket that holds another sale, in one sentence.
    public func findings(
        _ nodes: [NodeFacts], growth: [String: Int64] = [:], expiring: [String: [String]] = [:],
        silent: [(address: String, reason: String)] = [], stranger: (address: String, sentence: String)? = nil
    ) -> [Finding] {
        var findings: [Finding] = []
        let isBelowDurable = durability != .durable
        let asksServers = durability == .aof || durability.replicas > 0
        func add(_ kind: Kind, _ node: String, _ halts: Bool, _ sentence: String) {
            findings.append(
                Finding(
                    kind: kind, node: node, sentence: "\(node) \(sentence)", haltsSale: halts,
                    refusesOpening: kind != .silent || asksServers,
                    mayBeOverridden: mayBeOverridden(kind)))
        }
        for node in nodes {
            // A server that reads its append-only file says that it keeps none.
            if node.isLoading {
                add(.silent, node.address, false, "still reads what it had kept; it serves nobody until then")
                continue
            }
            if node.evictionPolicy != "noeviction" {
                add(
                    .evicts, node.address, isBelowDurable,
                    "may evict keys of the sale: its maxmemory-policy is \(node.evictionPolicy); set it to noeviction")
            }
            if let keys = expiring[node.address], let first = keys.first {
                add(
                    .expiring, node.address, isBelowDurable,
                    "will drop \(keys.count.counted("key")) of the sale by time, first \(first); PERSIST them")
            }
            if durability == .aof { aof(node, add) }
            if node.replicasInTouch < durability.replicas {
                add(
                    .tooFewReplicas, node.address, false,
                    "has \(node.replicasInTouch) of \(durability.replicas.counted("replica")) that this sale waits for; attach more"
                )
            }
            memory(node, growth[node.address] ?? 0, add)
        }
        if let stranger { add(.otherSale, stranger.address, false, "serves another sale: \(stranger.sentence)") }
        for (address, reason) in silent { add(.silent, address, false, "does not answer: \(reason)") }
        return findings
    }

    /// At `durable` what goes from Redis is rebuilt from SQL, and a silent server only does not sell. What the sale halts for by itself,
    /// or what its yes would rest on, is never overridden.
    private func mayBeOverridden(_ kind: Kind) -> Bool {
        switch kind {
        case .evicts, .expiring: durability == .durable
        case .silent: durability != .aof && durability.replicas == 0
        case .noAOF, .neverSynced, .syncUnknown, .aofFails, .tooFewReplicas, .memoryLow, .otherSale: false
        }
    }

    private func aof(_ node: NodeFacts, _ add: (Kind, String, Bool, String) -> Void) {
        guard node.hasAOF else {
            return add(.noAOF, node.address, true, "keeps no append-only file: set appendonly yes, or sell at memory")
        }
        switch node.appendFsync {
        case "everysec"?, "always"?: break
        case nil:
            add(.syncUnknown, node.address, false, "does not tell its appendfsync: allow CONFIG GET, or sell at memory")
        case let setting?:
            add(
                .neverSynced, node.address, true,
                "leaves its append-only file to the system: appendfsync is \(setting); set it to everysec or always")
        }
        if !node.aofWritesWell {
            add(.aofFails, node.address, false, "cannot write its append-only file: look at its disk")
        }
    }

    private func memory(_ node: NodeFacts, _ growth: Int64, _ add: (Kind, String, Bool, String) -> Void) {
        guard node.memoryLimit > 0 else { return }
        let room = node.memoryLimit - headroom(of: node.memoryLimit)
        guard node.usedMemory + growth >= room else { return }
        func megabytes(_ bytes: Int64) -> String { "\(bytes >> 20) MiB" }
        add(
            .memoryLow, node.address, true,
            "runs out of memory: \(megabytes(node.usedMemory)) of \(megabytes(node.memoryLimit)) used, "
                + "the last \(megabytes(headroom(of: node.memoryLimit))) are kept for give-backs; raise its maxmemory, then open"
        )
    }
}
