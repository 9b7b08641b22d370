import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// Damage made by hand, found by the cut, explained, planned and mended.
@Suite("Reconciliation", .timeLimit(.minutes(5)))
struct ReconciliationTests {
    /// A sale of which `sold` single units of SKU 1 are in Redis and in SQL.
    func withSale(
        _ sold: Int, units: [Int64] = [10, 10], _ body: (SaleRig, [Order]) async throws -> Void
    ) async throws {
        try await SaleRig.with(units: units) { rig async throws in
            let orders = (0..<sold).map { _ in rig.order() }
            if sold > 0 { _ = try await rig.deduct(orders) }
            try await rig.drain()
            try await body(rig, orders)
        }
    }

    func text(_ comparison: Comparison) -> [String] {
        comparison.drifts.map { "\($0.kind.rawValue) \($0.sku?.rawValue ?? 0) \($0.units) \($0.flows.count)" }
    }

    /// Compares twice, plans, applies, applies again; then nothing may differ.
    func mend(_ rig: SaleRig, expecting: [String], ledgers: Bool = false) async throws {
        let first = await rig.compare(ledgers: ledgers)
        let second = await rig.compare(ledgers: ledgers)
        #expect(first.unread.isEmpty)
        #expect(text(first) == expecting)
        let plan = RepairPlan(agreeing: first, second, catalogue: rig.catalogue)
        #expect(plan.repairs.count == expecting.count)
        let applied = await rig.apply(plan)
        for repair in applied.repairs {
            #expect(repair.state == .applied || repair.state == .recovered, "\(repair.effect): \(repair.failure ?? "")")
        }
        let cut = try await rig.cut()
        let again = await rig.apply(plan)
        for repair in again.repairs where !repair.kind.needsRecovery {
            #expect(repair.state == .alreadyApplied || repair.state == .applied)
        }
        if !plan.repairs.contains(where: { $0.kind.needsRecovery }) {
            let after = try await rig.cut()
            #expect(after.skus == cut.skus, "a plan acted twice")
        }
        try await rig.drain()
        let last = await rig.compare(ledgers: true)
        #expect(last.unread.isEmpty)
        #expect(text(last) == [])
    }

    @Test("nothing differs in a quiet sale, drained or in flight")
    func quiet() async throws {
        try await withSale(3) { rig, _ async throws in
            let drained = await rig.compare(ledgers: true)
            #expect(drained.findings.isEmpty && drained.cuts == 1 && drained.unread.isEmpty)
            #expect(try await rig.deduct([rig.order([(1, 2), (2, 5)])]) == "2 D")
            let inFlight = await rig.compare(ledgers: true, patience: .milliseconds(1))
            #expect(inFlight.driftUnits == 0 && inFlight.unitsByKind[.inFlight] == 7)
            #expect(inFlight.findings.map(\.units) == [2, 5], "each SKU is listed once")
        }
    }

    @Test("an order that is gone from the ledger is written back, also a second time")
    func missingLedgerEntry() async throws {
        try await withSale(3) { rig, orders async throws in
            for _ in 0..<2 {
                try await rig.redis("HDEL", [rig.keys.ledgers[0], orders[1].flow.bytes])
                try await mend(rig, expecting: ["missingLedgerEntry 1 1 1"], ledgers: true)
                #expect(try await rig.deduct([orders[1]]).hasSuffix(" d"))
                #expect(try await rig.stock() == 7)
            }
        }
    }

    @Test("units that SQL sold and Redis would sell again are taken off sale")
    func lostInRedis() async throws {
        try await withSale(3) { rig, _ async throws in
            for _ in 0..<2 {
                try await rig.redis("INCRBY", rig.keys.stocks[0], "2")
                let control = try #require(try await rig.cut().skus[0].control)
                try await rig.redis("HSET", rig.keys.ledgers[0], "#", "10 0 1 0 \(control.n)")
                try await mend(rig, expecting: ["lostInRedis 1 2 0"])
                #expect(try await rig.stock() == 7)
            }
        }
    }

    @Test("orders that SQL has and Redis lost whole come back to ledger and stock")
    func lostOrders() async throws {
        try await withSale(3) { rig, orders async throws in
            try await rig.redis("HDEL", [rig.keys.ledgers[0], orders[0].flow.bytes])
            try await rig.redis("INCRBY", rig.keys.stocks[0], "1")
            try await rig.redis("HSET", rig.keys.ledgers[0], "#", "10 0 2 0 1")
            try await mend(rig, expecting: ["lostInRedis 1 1 1"])
            #expect(try await rig.deduct([orders[0]]).hasSuffix(" d"))
            #expect(try await rig.stock() == 7)
        }
    }

    @Test("units that Redis has taken and no order explains go back on sale")
    func unexplained() async throws {
        try await withSale(3) { rig, _ async throws in
            try await rig.redis("DECRBY", rig.keys.stocks[0], "2")
            try await rig.redis("HSET", rig.keys.ledgers[0], "#", "10 0 5 0 1")
            try await mend(rig, expecting: ["unpersisted 1 2 0"])
            #expect(try await rig.stock() == 7)
        }
    }

    @Test("an order that only Redis has is written into SQL")
    func unpersisted() async throws {
        try await withSale(3) { rig, _ async throws in
            let order = rig.order([(1, 2), (2, 1)])
            // Taken, as the ledgers say, and no entry of the outbox tells of it.
            let digest = String(decoding: order.digest.bytes, as: UTF8.self)
            for (position, line) in order.lines.enumerated() {
                try await rig.redis(
                    "HSET", [rig.keys.ledgers[position], order.flow.bytes, Array("\(line.quantity)t1.\(digest)".utf8)])
                try await rig.redis("DECRBY", rig.keys.stocks[position], "\(line.quantity)")
            }
            try await rig.redis("HSET", rig.keys.ledgers[0], "#", "10 0 5 0 1")
            try await rig.redis("HSET", rig.keys.ledgers[1], "#", "10 0 1 0 1")
            try await mend(rig, expecting: ["unpersisted 1 2 1", "unpersisted 2 1 1"])
            #expect(try await rig.store.absent([order.flow]).isEmpty)
            #expect(try await rig.stock() == 5)
            #expect(try await rig.counters().reserved == 5)
        }
    }

    @Test("an order cancelled in Redis alone is written back, and its units with it")
    func cancelledInRedis() async throws {
        try await withSale(2) { rig, orders async throws in
            let digest = String(decoding: orders[0].digest.bytes, as: UTF8.self)
            try await rig.redis(
                "HSET", [rig.keys.ledgers[0], orders[0].flow.bytes, Array("1c1.\(digest)".utf8)])
            try await mend(rig, expecting: ["missingLedgerEntry 1 1 1"], ledgers: true)
            #expect(try await rig.stock() == 8)
            #expect(try await rig.deduct([orders[0]]).hasSuffix(" d"))
        }
    }

    @Test("stock that was changed alone is not trusted: the bucket is rebuilt", arguments: ["5", "100", "-3"])
    func unbalanced(stock: String) async throws {
        try await withSale(3) { rig, orders async throws in
            try await rig.redis("SET", rig.keys.stocks[0], stock)
            let units = abs(7 - Int64(stock)!)
            try await mend(rig, expecting: ["\(stock == "-3" ? "negative" : "unbalanced") 0 \(units) 0"])
            #expect(try await rig.stock() == 7)
            #expect(try await rig.deduct(orders) == "0 ddd")
        }
    }

    @Test(
        "an entry gone from the outbox before SQL had it: the bucket is rebuilt from what SQL has",
        arguments: [1, 2, 3])
    func outboxGap(lost: Int) async throws {
        try await withSale(0) { rig, _ async throws in
            for _ in 0..<3 { _ = try await rig.deduct([rig.order()]) }
            let epoch = try await rig.record.epoch
            try await rig.redis("XDEL", rig.keys.outbox, "\(epoch.rawValue)-\(lost)")
            let first = await rig.compare(patience: .milliseconds(1))
            let second = await rig.compare(patience: .milliseconds(1))
            #expect(first.unread.isEmpty && first.drifts.map(\.kind) == [.lostBucket])
            let applied = await rig.apply(RepairPlan(agreeing: first, second, catalogue: rig.catalogue))
            #expect(applied.repairs.map(\.state) == [.recovered])
            #expect(try await rig.stock() == 8)
            #expect(try await rig.counters().reserved == 2)
            let last = await rig.compare(ledgers: true)
            #expect(last.driftUnits == 0 && last.unread.isEmpty)
        }
    }

    @Test("two comparisons that disagree plan nothing")
    func disagreeing() async throws {
        try await withSale(3) { rig, orders async throws in
            try await rig.redis("HDEL", [rig.keys.ledgers[0], orders[0].flow.bytes])
            let first = await rig.compare(ledgers: true)
            try await rig.redis("HDEL", [rig.keys.ledgers[0], orders[1].flow.bytes])
            let second = await rig.compare(ledgers: true)
            #expect(first.driftUnits == 1 && second.driftUnits == 2)
            #expect(RepairPlan(agreeing: first, second, catalogue: rig.catalogue).repairs.isEmpty)
            #expect(RepairPlan(agreeing: second, second, catalogue: rig.catalogue).repairs.count == 1)
        }
    }

    @Test("no drift shows while orders and cancellations run", arguments: [false, true])
    func liveTraffic(ledgers: Bool) async throws {
        try await SaleRig.with(units: [100_000, 100_000, 100_000], buckets: 2) { rig async throws in
            let engine = try await rig.makeEngine()
            try await SaleRig.running([{ await engine.run() }]) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for buyer in 0..<20 {
                        group.addTask {
                            while !Task.isCancelled {
                                let sku = Int32(buyer % 3 + 1)
                                let order = sku == 2 ? rig.order(2) : rig.order([(1, 1), (3, 2)])
                                let outcome = await engine.deduct(order)
                                #expect(outcome == .done(duplicate: false))
                                if buyer % 4 == 0 { #expect(await engine.cancel(order) == .cancelled) }
                            }
                        }
                    }
                    for _ in 0..<(ledgers ? 5 : 20) {
                        let comparison = await rig.compare(ledgers: ledgers)
                        #expect(comparison.unread.isEmpty && comparison.cuts == 2)
                        #expect(text(comparison) == [])
                    }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }
}
