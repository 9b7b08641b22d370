import Deduction
import Inventory
import Lab
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// A bucket whose lineage alone changed is opened as it is; one that lost anything, however little, is rebuilt.
@Suite("Recovery without rebuilding", .timeLimit(.minutes(5)))
struct ReopeningTests {
    /// As after a promotion: the same data under another lineage.
    func breakLineage(_ rig: SaleRig) async throws {
        try await rig.redis("HSET", rig.keys.control, "lineage", "another")
    }

    /// `count` orders in Redis and in SQL, one of them with two lines.
    func sell(_ rig: SaleRig, _ count: Int) async throws -> [Order] {
        let orders = [rig.order([(1, 2), (2, 1)])] + (1..<count).map { _ in rig.order() }
        _ = try await rig.deduct(orders)
        try await rig.drain()
        return orders
    }

    @Test("a first replica attaches: open again without reading a ledger, whatever the ledgers hold")
    func firstReplica() async throws {
        try await SaleRig.with(units: [30_000, 10], serverLines: ["repl-diskless-sync-delay 0"]) { rig async throws in
            var orders: [Order] = []
            for _ in 0..<40 {
                let some = (0..<500).map { _ in rig.order() }
                _ = try await rig.deduct(some)
                orders += some
            }
            try await rig.drain()
            let master = rig.fleet.nodes[0].address
            let ledger = try await rig.redis("HGETALL", rig.keys.ledgers[0]).array?.count
            _ = try await rig.fleet.addServer(extraLines: ["replicaof \(master.host) \(master.port)"])
            try await eventually("the lineage changes") { try await rig.cut().damage == .lineage }
            let before = try await rig.record.epoch
            let report = try await rig.recover()
            #expect(!report.isRebuilt && report.ledgerEntries == 0 && report.epoch > before)
            #expect(try await rig.redis("HGETALL", rig.keys.ledgers[0]).array?.count == ledger)
            #expect(try await rig.stock() == 10_000)
            #expect(try await rig.deduct([orders[0], orders[19_999]]) == "0 dd")
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            try await rig.drain()
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("what SQL lacked is drained first, and what was pending stays pending", arguments: Durability.anywhere)
    func undrained(durability: Durability) async throws {
        try await SaleRig.with(units: [10, 10], durability: durability) { rig async throws in
            let orders = try await sell(rig, 3)
            let late = [rig.order(), rig.order(2, 2)]
            #expect(try await rig.deduct(late) == "2 DD")
            // Decided in SQL, unknown to Redis: they reach it after the opening.
            let restock = try await rig.store.restock(SKUNumber(rawValue: 1), units: 5)
            #expect(try await rig.store.cancel([orders[0]]) == [.cancelled])
            try await breakLineage(rig)
            let report = try await rig.recover()
            #expect(!report.isRebuilt && report.survivors == 1)
            #expect(try await rig.store.absent(late.map(\.flow)).isEmpty)
            #expect(try await rig.store.pendingGiveBacks(limit: 10).map(\.order.flow) == [orders[0].flow])
            #expect(try await rig.store.pendingRestocks() == [restock])
            let reopened = [try await rig.stock(), try await rig.stock(2)]
            #expect(reopened == [5, 7])
            #expect(try await rig.release([orders[0]]) == "1 R")
            let acts = BucketActs(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
            #expect(await acts.apply(restock, patience: .seconds(1)) == .applied)
            try await rig.drain()
            let after = [try await rig.stock(), try await rig.stock(2)]
            #expect(after == [12, 8])
            #expect(try await rig.store.pendingGiveBacks(limit: 10).isEmpty)
            #expect(try await rig.store.pendingRestocks().isEmpty)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("state and freezes come from SQL")
    func freezes() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            _ = try await sell(rig, 2)
            _ = try await rig.store.setSaleState(from: [.open], to: .halted)
            try await breakLineage(rig)
            #expect(try await !rig.recover().isRebuilt)
            #expect(try await rig.deduct([rig.order()]) == "fenced halted")
            // A freeze that Redis never heard of: the books differ, so the long way.
            _ = try await rig.store.setFrozen(SKUNumber(rawValue: 2), true)
            _ = try await rig.store.setSaleState(from: [.halted], to: .open)
            try await breakLineage(rig)
            #expect(try await rig.recover().isRebuilt)
            #expect(try await rig.deduct([rig.order(2)]) == "0 F")
        }
    }

    enum Harm: CaseIterable {
        case tailLost, ledgerFieldGone, ledgerFieldMore, stock, control, taken, outbox, outboxBehind, wholeLedger,
            noHarm
    }

    @Test("the least loss is met by a rebuild", arguments: Harm.allCases)
    func harmed(harm: Harm) async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let orders = try await sell(rig, 4)
            let dump = try await rig.dump()
            let more = [rig.order(), rig.order(2)]
            #expect(try await rig.deduct(more) == "2 DD")
            try await rig.drain()
            let ledger = rig.keys.ledgers[0]
            switch harm {
            case .tailLost: try await rig.flushAndReload(dump)
            // With right counters: the number of flows betrays it.
            case .ledgerFieldGone: try await rig.redis("HDEL", [ledger, orders[1].flow.bytes])
            case .ledgerFieldMore:
                try await rig.redis("HSET", [ledger, rig.flow().bytes, Array("1t2.abcdef".utf8)])
            case .stock: try await rig.redis("INCR", rig.keys.stocks[0])
            case .control: try await rig.redis("HDEL", ledger, "#")
            case .taken:
                try await rig.redis("INCR", rig.keys.stocks[0])
                try await rig.redis("HSET", ledger, "#", "10 0 5 0 2")
            case .outbox: try await rig.redis("DEL", rig.keys.outbox)
            case .outboxBehind:
                try await rig.redis("HSET", rig.keys.control, "n", "1")
            case .wholeLedger: try await rig.redis("DEL", ledger)
            case .noHarm: break
            }
            try await breakLineage(rig)
            let report = try await rig.recover()
            #expect(report.isRebuilt == (harm != .noHarm))
            let stocks = [try await rig.stock(), try await rig.stock(2)]
            #expect(stocks == [4, 8])
            #expect(try await rig.deduct(orders + more) == "0 dddddd")
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("an engine that heard of more, and books that have more, ask for a rebuild")
    func knownBeyond() async throws {
        try await SaleRig.with(units: [10, 10], durability: .memory) { rig async throws in
            _ = try await sell(rig, 2)
            let epoch = try await rig.record.epoch
            try await breakLineage(rig)
            let heard = OutboxID(epoch: epoch, n: 2)
            #expect(try await rig.recoverer.recover(rig.bucket.number, known: heard).isRebuilt)
            // SQL settled an entry beyond a gap; Redis never had it, or lost it.
            let present = try await rig.record.epoch
            let beyond = EntrySettlement(
                bucket: rig.bucket.number, id: OutboxID(epoch: present, n: 2), action: .deduct([rig.order()]))
            _ = try await rig.store.commit(CommitBatch(entries: [beyond]))
            try await breakLineage(rig)
            #expect(try await rig.recover().isRebuilt)
            #expect(try await rig.stock() == 6)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test(
        "a recovery that ended half way leaves the short way open until it began to rebuild", arguments: [false, true])
    func abandoned(hadBegun: Bool) async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let orders = try await sell(rig, 3)
            try await breakLineage(rig)
            let dead = try await rig.store.claimEpoch(bucket: rig.bucket.number, above: .none, by: "dead")
            #expect(try await rig.step(rig.scripts.close, epoch: dead) == "ok")
            if hadBegun { #expect(try await rig.step(rig.scripts.rebuild, epoch: dead, ["0", "clear"]) == "ok") }
            let report = try await rig.recover()
            #expect(report.isRebuilt == hadBegun && report.epoch > dead)
            #expect(try await rig.stock() == 6)
            #expect(try await rig.deduct(orders) == "0 ddd")
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("an entry of the old epoch that comes after the reopening is void")
    func lateEntry() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            _ = try await sell(rig, 2)
            let old = try await rig.record.epoch
            try await breakLineage(rig)
            #expect(try await !rig.recover().isRebuilt)
            let late = EntrySettlement(
                bucket: rig.bucket.number, id: OutboxID(epoch: old, n: 2), action: .deduct([rig.order()]))
            guard case .stale = try await rig.store.commit(CommitBatch(entries: [late])).entries[0] else {
                Issue.record("an entry of an epoch that ended was settled")
                return
            }
            // The same n under the new epoch is another entry.
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            try await rig.drain()
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }
}
