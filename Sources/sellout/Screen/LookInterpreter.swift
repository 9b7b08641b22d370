import Dashboard
import Deduction
import Inventory
import Operations
import OrderStore
import Reconciliation
import Redis

/// Looks up what a screen wants to know beyond the snapshot. Each look is bounded, and none writes.
struct LookInterpreter {
    /// Orders of one SKU; of the list.
    static let entriesMax = 60
    static let ordersMax = 200
    /// Rows of the audit; how far one SKU's acts are looked for.
    static let auditMax = 500
    static let actsMax = 20
    static let losersMax = 100
    static let timeout = Duration.milliseconds(800)

    let service: SaleService

    func answer(_ look: Look) async -> Sight {
        do {
            switch look {
            case .sku(let sku): return .sku(try await books(of: sku))
            case .orders(let kind):
                let standing = kind.flatMap { OrderStanding(rawValue: $0.rawValue) }
                return .orders(try await service.store.glimpses(.newest(standing), limit: Self.ordersMax).map(sight))
            case .order(let text):
                guard let flow = FlowID(text) else { return .failed("\(text) is no order's id") }
                return .order(try await service.store.glimpses(.one(flow), limit: 1).first.map(sight))
            case .audit: return .audit(try await service.store.auditTrail(limit: Self.auditMax).map(sight))
            case .nodes: return .nodes(await servers())
            case .losers: return .losers(try await losers())
            }
        } catch {
            return .failed("\(error)")
        }
    }

    // MARK: One SKU

    /// Its newest orders by SQL, and whether Redis's ledger has each: a few fields are asked for, never the ledger.
    private func books(of sku: SKUNumber) async throws -> SKUSight {
        guard let entry = service.catalogue[sku] else { return SKUSight(note: "it is not in this sale") }
        let orders = try await service.store.glimpses(.newestOf(sku), limit: Self.entriesMax)
        let held = await held(orders.map(\.flow), sku: sku, bucket: entry.bucket)
        var sight = SKUSight()
        sight.entries = orders.enumerated().map { index, order in
            SKUSight.Entry(
                flow: order.flow.description, atMilliseconds: order.flow.milliseconds,
                units: order.lines.filter { $0.sku == sku }.reduce(0) { $0 + Int64($1.quantity) },
                kind: OrderKind(rawValue: order.standing.rawValue) ?? .reserved, isInRedis: held?[index])
        }
        sight.acts = try await service.store.auditTrail(limit: Self.auditMax).filter { $0.subject == entry.sku }
            .prefix(Self.actsMax).map(sight(_:))
        return sight
    }

    /// Which flows a SKU's ledger has; `nil`: no answer.
    private func held(_ flows: [FlowID], sku: SKUNumber, bucket number: BucketNumber) async -> [Bool]? {
        guard !flows.isEmpty, let bucket = service.catalogue[number] else { return nil }
        let keys = BucketKeys(bucket: bucket, catalogue: service.catalogue)
        guard let position = keys.position(of: sku) else { return nil }
        var command = RedisCommand("HMGET", capacity: 64 + flows.count * 24)
        command.append(keys.ledgers[position])
        for flow in flows { command.append(flow.bytes) }
        let reply = try? await service.cluster.call(slot: keys.slot, command, deadline: .now + Self.timeout)
        return reply?.array.flatMap { $0.count == flows.count ? $0.map { $0.bytes != nil } : nil }
    }

    // MARK: Orders and acts

    private func sight(_ order: OrderGlimpse) -> OrderSight {
        let tag = service.catalogue[order.bucket]?.tag ?? "?"
        return OrderSight(
            flow: order.flow.description, atMilliseconds: order.flow.milliseconds,
            kind: OrderKind(rawValue: order.standing.rawValue) ?? .reserved,
            lines: order.lines.map {
                .init(sku: $0.sku, name: service.catalogue[$0.sku]?.sku ?? "?", units: Int64($0.quantity))
            }, entry: "\(tag) \(order.id)", deadlineMilliseconds: order.deadline.map { UInt64(max(0, $0)) })
    }

    private func sight(_ entry: AuditEntry) -> AuditSight {
        AuditSight(
            atMilliseconds: UInt64(max(0, entry.atMilliseconds)), who: entry.who, origin: entry.origin,
            what: entry.what,
            subject: entry.subject, before: entry.before, after: entry.after)
    }

    private func losers() async throws -> LosersSight {
        let plan = try await service.oversoldPlan(policy: .newestFirst)
        func sentence(_ decision: OversoldPlan.Decision) -> String {
            let lines = decision.order.lines.map {
                "\($0.quantity) × \(service.catalogue[$0.sku]?.sku ?? "SKU number \($0.sku.rawValue)")"
            }
            return "\(decision.order.flow): \(lines.joined(separator: ", "))\(decision.isPaid ? ", paid" : "")"
        }
        return LosersSight(
            losers: plan.losers.prefix(Self.losersMax).map(sentence),
            takenIn: plan.takenIn.prefix(Self.losersMax).map(sentence), policy: "newest first",
            losersCount: plan.losers.count)
    }

    // MARK: Servers

    private func servers() async -> [ServerSight] { await Self.servers(of: service.cluster) }

    static func servers(of cluster: any RedisPort) async -> [ServerSight] {
        let answers = await cluster.onEachMaster(RedisCommand("INFO"), deadline: .now + Self.timeout)
        return answers.map { answer in
            let address = answer.address.description
            switch answer.result {
            case .success(let reply):
                guard let text = reply.string else { return ServerSight(address: address, failure: "it says nothing") }
                return ServerInfo(text).sight(of: address)
            case .failure(let error):
                return ServerSight(address: address, failure: error.missingRule.map { "needs \($0)" } ?? "\(error)")
            }
        }
    }
}

/// What `INFO` says, by field.
struct ServerInfo {
    private let fields: [Substring: Substring]

    init(_ text: String) {
        var fields: [Substring: Substring] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        self.fields = fields
    }

    private func int(_ name: Substring) -> Int64? { fields[name].flatMap { Int64($0) } }

    func sight(of address: String) -> ServerSight {
        let limit = int("maxmemory") ?? 0
        return ServerSight(
            address: address, version: String(fields["redis_version"] ?? "?"),
            uptimeSeconds: int("uptime_in_seconds").map(Double.init),
            appendOnly: fields["aof_enabled"].map { $0 == "1" ? "on" : "off" } ?? "",
            evictionPolicy: String(fields["maxmemory_policy"] ?? ""), memoryBytes: int("used_memory"),
            memoryLimitBytes: limit > 0 ? limit : nil, clients: int("connected_clients").map { Int($0) },
            commandsPerSecond: int("instantaneous_ops_per_sec").map(Double.init), evictedKeys: int("evicted_keys"),
            expiredKeys: int("expired_keys"), replicas: replicas)
    }

    /// `slave0:ip=127.0.0.1,port=7004,state=online,offset=42,lag=0`
    private var replicas: [ServerSight.Replica] {
        let end = int("master_repl_offset")
        return (0..<16).compactMap { index in
            guard let line = fields["slave\(index)"] else { return nil }
            var parts: [Substring: Substring] = [:]
            for part in line.split(separator: ",") {
                let pair = part.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { parts[pair[0]] = pair[1] }
            }
            let offset = parts["offset"].flatMap { Int64($0) }
            let behind = end.flatMap { end in offset.map { max(0, end - $0) } }
            return ServerSight.Replica(
                address: "\(parts["ip"] ?? "?"):\(parts["port"] ?? "?")", isOnline: parts["state"] == "online",
                behindBytes: behind)
        }
    }
}
