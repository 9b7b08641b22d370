public import Deduction
public import Inventory
public import OrderStore
public import Redis

/// Applies a plan of repairs: stock and taken move together by a delta behind the fence, or the bucket is rebuilt.
public struct Repairer: Sendable {
    let catalogue: Catalogue
    let cluster: any RedisPort
    let scripts: Scripts
    let store: any OrderStore
    private let recover: @Sendable (RepairPlan.Repair) async throws -> Bool
    let clock: SaleClock

    /// - Parameter recover: rebuilds a repair's bucket; returns once it is open, false if another process did it.
    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore,
        clock: SaleClock = .system, recover: @escaping @Sendable (RepairPlan.Repair) async throws -> Bool
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.recover = recover
        self.clock = clock
    }

    /// Applies every repair that is still planned; the plan comes back with what became of each.
    public func apply(_ plan: RepairPlan) async -> RepairPlan {
        var plan = plan
        var rebuilt: [BucketNumber: RepairPlan.State] = [:]
        var announced: Set<FlowID> = []
        for position in plan.repairs.indices where plan.repairs[position].state == .planned {
            let repair = plan.repairs[position]
            do {
                if repair.kind.needsRecovery {
                    let state =
                        if let done = rebuilt[repair.bucket] { done } else { try await rebuild(repair) }
                    rebuilt[repair.bucket] = state
                    plan.repairs[position].state = state
                } else if let state = rebuilt[repair.bucket] {
                    plan.repairs[position].state = state
                } else {
                    plan.repairs[position].state = try await mend(repair, &announced)
                }
            } catch {
                plan.repairs[position].state = .failed
                plan.repairs[position].failure = "\(error)"
            }
        }
        return plan
    }

    private func rebuild(_ repair: RepairPlan.Repair) async throws -> RepairPlan.State {
        try await recover(repair) ? .recovered : .recoveredByAnother
    }

    struct Failure: Error, CustomStringConvertible { let description: String }

    private func mend(_ repair: RepairPlan.Repair, _ announced: inout Set<FlowID>) async throws -> RepairPlan.State {
        if repair.kind == .halfDone { return try await endHalfDone(repair) }
        guard let sku = repair.sku, let bucket = catalogue[repair.bucket] else {
            throw Failure(description: "the repair names no SKU of this sale")
        }
        // What its buyers hold moves with the units, and only SQL knows whose they are.
        if catalogue[sku]?.limitPerBuyer != nil, repair.kind != .missingLedgerEntry {
            return try await rebuild(repair)
        }
        let mark = OutboxBlob(milliseconds: clock.unixMilliseconds, payload: .state).bytes
        switch repair.kind {
        case .missingLedgerEntry:
            return try await run(repair, bucket, sku, blob: mark, delta: 0, fields: try await fields(repair, sku))
        case .lostInRedis:
            return try await run(
                repair, bucket, sku, blob: mark, delta: repair.units, fields: try await fields(repair, sku))
        case .unpersisted where repair.flows.isEmpty:
            return try await run(repair, bucket, sku, blob: mark, delta: -repair.units, fields: [])
        case .unpersisted:
            let flows = repair.flows.filter { !announced.contains($0) }
            guard !flows.isEmpty else { return .applied }
            let orders = try await ordersInRedis(flows, bucket)
            announced.formUnion(flows)
            let blob = OutboxBlob(milliseconds: clock.unixMilliseconds, payload: .deduct(orders)).bytes
            return try await run(
                repair, bucket, sku, blob: blob, results: String(repeating: "D", count: orders.count), delta: 0,
                fields: [])
        default:
            throw Failure(description: "\(repair.kind.rawValue) is for a person to decide; nothing was changed")
        }
    }

    private func run(
        _ repair: RepairPlan.Repair, _ bucket: Bucket, _ sku: SKUNumber, blob: [UInt8], results: String = "R",
        delta: Int64, fields: [(flow: [UInt8], value: String)]
    ) async throws -> RepairPlan.State {
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        guard let record = try await store.buckets().first(where: { $0.bucket == bucket.number }),
            let position = keys.position(of: sku)
        else { throw Failure(description: "bucket \(bucket.tag) is not in SQL") }
        var call = ScriptCall(keyCount: 4)
        call.append(keys.control)
        call.append(keys.outbox)
        call.append(keys, at: position)
        call.append(record.epoch.rawValue)
        call.append(record.drainedN)
        call.append(blob)
        call.append(results)
        call.append(repair.id)
        call.append(delta)
        for (flow, value) in fields {
            call.append(flow)
            call.append(value)
        }
        let reply = try await cluster.evaluate(scripts.repair, call, slot: keys.slot, deadline: clock.now + .seconds(2))
        switch ScriptAnswer(reply) {
        case .done(let n, let letter, _, let stocks):
            switch letter.first {
            case UInt8(ascii: "R"):
                try await settle(bucket, OutboxID(epoch: record.epoch, n: n), blob: blob, results: results)
                return .applied
            case UInt8(ascii: "r"): return .alreadyApplied
            default:
                throw Failure(
                    description:
                        "only \((stocks.first ?? 0).counted("unit")) are left, \(delta) would have to go: rebuild the bucket"
                )
            }
        case .fenced(let reason, _): throw Failure(description: "bucket \(bucket.tag): \(reason.sentence)")
        case .unreadable: throw Failure(description: "bucket \(bucket.tag) answered something unreadable")
        }
    }

    /// SQL learns of the repair at once where the outbox is drained that far; else the worker brings it.
    private func settle(_ bucket: Bucket, _ id: OutboxID, blob: [UInt8], results: String) async throws {
        let entry = OutboxEntry(bucket: bucket.number, id: id, blob: blob, results: Array(results.utf8))
        _ = try await store.commit(CommitBatch(entries: [entry.settlement]))
    }

    /// The ledger entries that SQL has for the repair's flows; `@` stands for the n of the repair's own entry.
    private func fields(
        _ repair: RepairPlan.Repair, _ sku: SKUNumber
    ) async throws -> [(flow: [UInt8], value: String)] {
        let wanted = Set(repair.flows)
        var result: [(flow: [UInt8], value: String)] = []
        var after: FlowID?
        while result.count < wanted.count {
            let rows = try await store.ledgerPage(sku: sku, after: after, limit: Reconciler.pageRows)
            for row in rows where wanted.contains(row.flow) {
                let digest = String(decoding: row.digest.bytes, as: UTF8.self)
                result.append((row.flow.bytes, "\(row.quantity)\(row.cancelled ? "c" : "t")@.\(digest)"))
            }
            guard let last = rows.last, rows.count == Reconciler.pageRows else { break }
            after = last.flow
        }
        return result
    }

    /// Puts orders together again from the ledgers of their bucket.
    private func ordersInRedis(_ flows: [FlowID], _ bucket: Bucket) async throws -> [Order] {
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        var lines: [FlowID: [OrderLine]] = [:]
        var digests: [FlowID: OrderDigest] = [:]
        for (position, sku) in bucket.skus.enumerated() {
            var command = RedisCommand("HMGET")
            command.append(keys.ledgers[position])
            for flow in flows { command.append(flow.bytes) }
            let reply = try await cluster.call(slot: keys.slot, command, deadline: clock.now + .seconds(2))
            for (flow, value) in zip(flows, reply.array ?? []) {
                guard let bytes = value.bytes, let entry = LedgerEntry(bytes), !entry.cancelled else { continue }
                lines[flow, default: []].append(OrderLine(sku: sku, quantity: Int32(clamping: entry.quantity)))
                digests[flow] = entry.digest
            }
        }
        return flows.compactMap { flow in
            guard let some = lines[flow] else { return nil }
            let order = Order(trustedFlow: flow, bucket: bucket.number, sortedLines: some)
            // A ledger that lost a line of the order cannot say what was ordered: left for a person.
            return order.digest == digests[flow] ? order : nil
        }
    }
}
