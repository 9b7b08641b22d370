import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
public import Telemetry

extension SaleService {
    /// Goes through the list before an opening; changes nothing but the scripts that a server had forgotten, and notes in SQL that a
    /// commit was tried.
    ///
    /// - Parameter tell: hears the list whenever an item was decided, on any thread; must not block.
    public func preflight(_ tell: @Sendable (PreflightReport) -> Void = { _ in }) async -> PreflightReport {
        var report = PreflightReport()
        tell(report)
        func decide(_ item: PreflightReport.Item, _ verdict: PreflightReport.Verdict) {
            report.decide(item, verdict)
            tell(report)
        }
        let rules = Preflight(durability: sale.durability)
        let sight = await monitor.sight()
        let (nodes, findings) = (sight.nodes, sight.findings)
        decide(.servers, rules.verdict(findings, [.silent], fine: "\(nodes.count.counted("server"))"))
        decide(.scripts, await scriptsVerdict(rules, nodes: nodes.count))
        let stock = await stockCount(stranger: findings.first { $0.kind == .otherSale }?.sentence)
        decide(.stock, rules.stock(stock.count))
        let comparison = await compare()
        decide(
            .drift,
            rules.drift(
                units: comparison.driftUnits, cuts: comparison.cuts, unread: comparison.unread.count,
                first: comparison.drifts.first?.sentence))
        decide(.replicas, rules.replicas(nodes, findings))
        decide(.memory, rules.memory(nodes, units: stock.unitsByNode, findings))
        decide(.eviction, rules.verdict(findings, [.evicts], fine: "noeviction"))
        decide(.expiry, rules.verdict(findings, [.expiring], fine: "no time to live on any of them"))
        let commit = await tryCommit()
        decide(
            .durability,
            rules.promise(nodes, findings, commitMilliseconds: commit.milliseconds, failure: commit.failure))
        decide(.clock, await clockVerdict(rules))
        return report
    }

    // MARK: Facts

    private static let lookPatience = Duration.seconds(1)

    private func scriptsVerdict(_ rules: Preflight, nodes: Int) async -> PreflightReport.Verdict {
        let all = scripts.all
        func missing() async -> (missing: [String: Int], failed: String?) {
            var command = RedisCommand("SCRIPT", "EXISTS", capacity: 64 + all.count * 48)
            for script in all { command.append(script.sha) }
            var found: [String: Int] = [:]
            for answer in await cluster.onEachMaster(command, deadline: clock.now + Self.lookPatience) {
                switch answer.result {
                case .success(let reply):
                    let count = (reply.array ?? []).count { $0.int == 0 }
                    if count > 0 { found[answer.address.description] = count }
                case .failure(let error): return (found, error.message)
                }
            }
            return (found, nil)
        }
        let first = await missing()
        guard first.failed == nil, !first.missing.isEmpty else {
            return rules.scripts(count: all.count, nodes: nodes, missing: first.missing, failed: first.failed)
        }
        do { _ = try await Scripts.load(on: cluster) } catch {
            return rules.scripts(count: all.count, nodes: nodes, missing: first.missing, failed: error.message)
        }
        let second = await missing()
        let failed = second.failed ?? second.missing.first.map { "\($0.key) forgot \($0.value) of them at once" }
        return rules.scripts(count: all.count, nodes: nodes, missing: first.missing, failed: failed)
    }

    /// Stock by Redis beside SQL's counters. What is on its way between the two is not judged: the comparison knows it.
    private func stockCount(
        stranger: String?
    ) async -> (count: Preflight.StockCount, unitsByNode: [String: Int64]) {
        var count = Preflight.StockCount()
        count.stranger = stranger
        count.skus = catalogue.entries.count
        count.buckets = catalogue.buckets.count
        var unitsByNode: [String: Int64] = [:]
        do {
            let waiting = try await backlog()
            let cuts = await cuts()
            let records = Dictionary(uniqueKeysWithValues: try await store.buckets().map { ($0.bucket, $0) })
            let counters = Dictionary(uniqueKeysWithValues: try await store.skuCounters().map { ($0.sku, $0) })
            let totals = try await store.orderTotals()
            let isJudged =
                totals.deadLetters == 0 && totals.overCapacity == 0 && totals.partial == 0
                && totals.pendingGiveBacks == 0 && waiting.restocks.isEmpty
            for bucket in catalogue.buckets {
                guard let cut = cuts[bucket.number], let record = records[bucket.number] else {
                    count.unloaded += 1
                    count.reason = count.reason ?? "bucket \(bucket.tag) does not answer"
                    continue
                }
                let damage: String? =
                    cut.damage?.sentence
                    ?? (record.state != .open ? "SQL calls it \(record.state.rawValue)" : nil)
                    ?? (cut.id?.epoch != record.epoch ? "it is in another epoch than SQL says" : nil)
                if let damage {
                    count.unloaded += 1
                    count.reason = count.reason ?? "bucket \(bucket.tag): \(damage)"
                    continue
                }
                let isQuiet = isJudged && waiting.outboxes[bucket.number] == nil
                let node = cluster.master(ofSlot: HashSlot.of("{\(bucket.tag)}"))?.description
                for sku in cut.skus {
                    let stock = sku.stock ?? 0
                    count.units += stock
                    if let node { unitsByNode[node, default: 0] += stock }
                    guard isQuiet, let books = counters[sku.sku] else { continue }
                    let difference = abs(books.allocated - books.sold - books.reserved - stock)
                    if difference > 0 {
                        count.differing += difference
                        count.differingSKUs += 1
                    }
                }
            }
        } catch {
            count.unloaded = count.buckets
            count.reason = "SQL: \(error)"
        }
        return (count, unitsByNode)
    }

    /// Commits, for SQL may be read-only, full or locked, and nobody knows before it is tried.
    private func tryCommit() async -> (milliseconds: Double?, failure: String?) {
        let start = clock.now
        do {
            try await store.audit(control.noteOfPreflight)
            return (start.duration(to: clock.now).milliseconds, nil)
        } catch {
            return (nil, "\(error)")
        }
    }

    private func clockVerdict(_ rules: Preflight) async -> PreflightReport.Verdict {
        var apart: [String: Int64] = [:]
        let answers = await cluster.onEachMaster(RedisCommand("TIME"), deadline: clock.now + Self.lookPatience)
        let own = Int64(clock.unixMilliseconds)
        for answer in answers {
            guard case .success(let reply) = answer.result, let pair = reply.array, pair.count == 2,
                let seconds = pair[0].string.flatMap({ Int64($0) }),
                let microseconds = pair[1].string.flatMap({ Int64($0) })
            else { continue }
            apart[answer.address.description] = seconds * 1_000 + microseconds / 1_000 - own
        }
        let latest = (try? await store.lastReservationOrSweep()) ?? nil
        return rules.clocks(apart: apart, storeAhead: latest.map { $0 - own })
    }
}
