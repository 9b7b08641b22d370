import Deduction
import Inventory
import OrderStore
import Redis

/// Flow by flow: what a difference in units is made of, and damage that leaves the counters equal.
///
/// A ledger of a million entries is never read in one command: HSCAN goes through it in bounded steps while the sale runs. What
/// changes meanwhile shows up as a difference, so a difference counts only if a second look at that flow finds it too.
extension Reconciler {
    static let scanCount = 1_000
    static let pageRows = 5_000

    struct LedgerDifference: Hashable {
        enum Side: Hashable {
            case onlyRedis, settledWithoutRow, onlySQL, cancelledInSQL, cancelledInRedis, otherDigest
        }
        let flow: FlowID
        let side: Side
        let units: Int64
    }

    func compareLedgers(_ bucket: Bucket, _ keys: BucketKeys, _ counters: [Finding]) async throws -> [Finding] {
        var findings = counters.filter { $0.kind == .inFlight || $0.kind.needsRecovery }
        for (position, sku) in bucket.skus.enumerated() {
            let counter = counters.first { $0.sku == sku && ($0.kind == .unpersisted || $0.kind == .lostInRedis) }
            var look = try await look(sku, keys.ledgers[position], keys)
            if look.differs {
                try await clock.sleep(for: .milliseconds(100))
                look = look.confirmed(by: try await self.look(sku, keys.ledgers[position], keys))
            }
            if counter?.kind != .unpersisted, look.differences.contains(where: { $0.side == .onlyRedis }) {
                // The ledger names the very units that the outbox told of, order by order.
                findings.removeAll { $0.sku == sku && $0.kind == .inFlight }
            }
            let marks = look.marks
            for var finding in explain(bucket, sku, counter, look.differences) + explain(bucket, sku, look) {
                while marks.contains(finding.repairID) { finding.mendedBefore += 1 }
                findings.append(finding)
            }
        }
        return findings
    }

    private func look(_ sku: SKUNumber, _ ledgerKey: [UInt8], _ keys: BucketKeys) async throws -> LedgerLook {
        // Before the ledger is read: what SQL had settled by then must have its rows now.
        let bucket = catalogue[sku]?.bucket
        let record = try await store.buckets().first { $0.bucket == bucket }
        let drained = record?.drainedN ?? 0
        let watermark = record?.watermark
        let scan = try await scan(ledgerKey, keys)
        var redis = scan.entries
        var result: Set<LedgerDifference> = []
        var after: FlowID?
        while true {
            let rows = try await store.ledgerPage(sku: sku, after: after, limit: Self.pageRows)
            for row in rows {
                let entry = redis.removeValue(forKey: row.flow)
                let units = max(row.quantity, entry?.quantity ?? 0)
                switch entry {
                case nil:
                    if !row.cancelled && row.quantity > 0 && !row.mayBeArchived {
                        result.insert(LedgerDifference(flow: row.flow, side: .onlySQL, units: units))
                    }
                case let entry? where entry.cancelled && row.cancelled:
                    // Of two orders of one flow each book forbids another: neither holds a unit.
                    break
                case let entry? where entry.digest != row.digest:
                    result.insert(LedgerDifference(flow: row.flow, side: .otherDigest, units: units))
                case let entry? where entry.cancelled && !row.cancelled:
                    result.insert(LedgerDifference(flow: row.flow, side: .cancelledInRedis, units: units))
                case let entry? where !entry.cancelled && row.cancelled:
                    result.insert(LedgerDifference(flow: row.flow, side: .cancelledInSQL, units: units))
                default: break
                }
            }
            guard rows.count == Self.pageRows, let last = rows.last else { break }
            after = last.flow
        }
        let archived = try await archived(redis, below: watermark)
        for (flow, entry) in redis where !entry.cancelled && entry.quantity > 0 && !archived.contains(flow) {
            let side: LedgerDifference.Side = entry.n <= drained ? .settledWithoutRow : .onlyRedis
            result.insert(LedgerDifference(flow: flow, side: side, units: entry.quantity))
        }
        return LedgerLook(
            differences: result, held: try await heldDifferences(sku, scan.held), foreign: scan.foreign,
            marks: scan.marks)
    }

    /// Flows that were archived and are there again, because a server came back as it was before: SQL has their orders, though no
    /// page of its ledger names them any more, and what they hold is counted. They are no difference; the next rebuild leaves
    /// them out.
    private func archived(_ entries: [FlowID: LedgerEntry], below watermark: FlowID?) async throws -> Set<FlowID> {
        guard let watermark else { return [] }
        let old = entries.keys.filter { $0 < watermark }
        guard !old.isEmpty else { return [] }
        return Set(old).subtracting(try await store.absent(old))
    }

    /// A ledger by what its fields are.
    private struct Scan {
        var entries: [FlowID: LedgerEntry] = [:]
        var held: [BuyerID: Int64] = [:]
        /// Marks of repairs.
        var marks: Set<String> = []
        /// Fields that no script writes.
        var foreign: Set<[UInt8]> = []
    }

    private func scan(_ ledgerKey: [UInt8], _ keys: BucketKeys) async throws -> Scan {
        var scan = Scan()
        var cursor = "0"
        repeat {
            var command = RedisCommand("HSCAN")
            command.append(ledgerKey)
            command.append(cursor)
            command.append("COUNT")
            command.append(Self.scanCount)
            let reply = try await cluster.call(slot: keys.slot, command, deadline: clock.now + .seconds(2))
            guard let parts = reply.array, parts.count == 2, let next = parts[0].string, let fields = parts[1].array
            else { throw Unreadable(description: "HSCAN answered something unreadable") }
            for position in stride(from: 0, to: fields.count - 1, by: 2) {
                guard let name = fields[position].bytes, let value = fields[position + 1].bytes else { continue }
                if name == [UInt8(ascii: "#")] { continue }
                if let flow = FlowID(bytes: name), let entry = LedgerEntry(value) {
                    scan.entries[flow] = entry
                } else if let held = HeldField.read(name, value) {
                    scan.held[held.buyer] = held.units
                } else if name.count > 16, name[0] == UInt8(ascii: "!") {
                    // Longer than any flow, so that none is taken for one.
                    scan.marks.insert(String(decoding: name.dropFirst(), as: UTF8.self))
                } else {
                    scan.foreign.insert(name)
                }
            }
            cursor = next
        } while cursor != "0"
        return scan
    }

    /// Turns differences by flow into findings; units that no flow explains stay with the counters' finding.
    private func explain(
        _ bucket: Bucket, _ sku: SKUNumber, _ counter: Finding?, _ differences: Set<LedgerDifference>
    ) -> [Finding] {
        let name = catalogue[sku]?.sku ?? "?"
        func part(_ side: LedgerDifference.Side) -> (flows: [FlowID], units: Int64) {
            let some = differences.filter { $0.side == side }
            return (some.map(\.flow).sorted(), some.reduce(0) { $0 + $1.units })
        }
        func finding(_ kind: DriftKind, _ units: Int64, _ flows: [FlowID], _ sentence: String) -> Finding {
            Finding(
                kind: kind, bucket: bucket.number, sku: sku, units: units,
                flows: Array(flows.prefix(Finding.flowsMax)), sentence: "\(name): \(sentence)")
        }
        var findings: [Finding] = []
        let onlySQL = part(.onlySQL)
        let rowless = part(.settledWithoutRow)
        var onlyRedis = part(.onlyRedis)
        if counter?.kind == .unpersisted {
            onlyRedis = ((onlyRedis.flows + rowless.flows).sorted(), onlyRedis.units + rowless.units)
        } else if !rowless.flows.isEmpty {
            findings.append(
                finding(
                    .missingRow, rowless.units, rowless.flows,
                    "\(rowless.flows.count.counted("order")) (\(rowless.units.counted("unit"))) settled in SQL without a row there"
                ))
        }
        let cancelledInSQL = part(.cancelledInSQL)
        let conflicts = part(.otherDigest)
        let cancelledInRedis = part(.cancelledInRedis)
        let unexplained = counter?.units ?? 0
        if !onlySQL.flows.isEmpty {
            if counter?.kind == .lostInRedis {
                findings.append(
                    finding(
                        .lostInRedis, onlySQL.units, onlySQL.flows,
                        "\(onlySQL.flows.count.counted("order")) (\(onlySQL.units.counted("unit"))) are in SQL and gone from Redis"
                    ))
            } else {
                findings.append(
                    finding(
                        .missingLedgerEntry, onlySQL.units, onlySQL.flows,
                        "\(onlySQL.flows.count.counted("order")) (\(onlySQL.units.counted("unit"))) are counted in Redis but not in its ledger"
                    ))
            }
        }
        if !onlyRedis.flows.isEmpty, counter?.kind == .unpersisted {
            findings.append(
                finding(
                    .unpersisted, onlyRedis.units, onlyRedis.flows,
                    "\(onlyRedis.flows.count.counted("order")) (\(onlyRedis.units.counted("unit"))) are in Redis, drained, and not in SQL"
                ))
        } else if !onlyRedis.flows.isEmpty {
            findings.append(
                finding(
                    .inFlight, onlyRedis.units, onlyRedis.flows,
                    "\(onlyRedis.units.counted("unit")) are taken in Redis and not in SQL yet"))
        }
        if !cancelledInSQL.flows.isEmpty {
            findings.append(
                finding(
                    .inFlight, cancelledInSQL.units, cancelledInSQL.flows,
                    "\(cancelledInSQL.units.counted("unit")) are given back in SQL and not in Redis yet"))
        }
        if !conflicts.flows.isEmpty {
            findings.append(
                finding(
                    .conflict, conflicts.units, conflicts.flows,
                    "\(conflicts.flows.count) flows carry another order in Redis than in SQL"))
        }
        if !cancelledInRedis.flows.isEmpty {
            // With the counters equal only the ledger is wrong: moving units would make a difference where there is none.
            findings.append(
                finding(
                    counter?.kind == .lostInRedis ? .lostInRedis : .missingLedgerEntry, cancelledInRedis.units,
                    cancelledInRedis.flows,
                    "\(cancelledInRedis.flows.count.counted("order")) are cancelled in Redis and not in SQL"))
        }
        if let counter {
            let explained = findings.filter { $0.kind == counter.kind }.reduce(Int64(0)) { $0 + $1.units }
            if unexplained > explained {
                findings.append(
                    finding(
                        counter.kind, unexplained - explained, [],
                        "\((unexplained - explained).counted("unit")) differ and no order explains them"))
            }
        }
        return findings
    }
}
