import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// Units taken off sale again: by Redis first, all of them or none, once, whoever buys, dies or recovers meanwhile.
@Suite("A reverse restock", .serialized, .timeLimit(.minutes(5)))
struct ReverseRestockTests {
    static let sku = SKUNumber(rawValue: 1)

    private func acts(_ rig: SaleRig) -> BucketActs {
        BucketActs(catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
    }

    /// Stock in Redis, and what SQL says is allocated.
    private func standing(_ rig: SaleRig) async throws -> [Int64] {
        [try await rig.stock() ?? -1, try await rig.counters().allocated]
    }

    @Test("takes what is unsold, in both books", arguments: Durability.anywhere)
    func takes(durability: Durability) async throws {
        try await SaleRig.with(units: [10], durability: durability) { rig async throws in
            #expect(try await rig.deduct([rig.order(1, 4)]) == "1 D")
            let movement = try await rig.store.restock(Self.sku, units: -6)
            // Until Redis took them somebody may buy them.
            #expect(try await rig.counters().allocated == 10)
            #expect(try await rig.store.outcome(of: movement) == .pending)
            #expect(await acts(rig).apply(movement, patience: .seconds(5)) == .applied)
            #expect(try await rig.store.outcome(of: movement) == .applied)
            #expect(try await standing(rig) == [0, 4])
            // Told again, by anybody: once.
            #expect(await acts(rig).apply(movement, patience: .seconds(5)) == .applied)
            #expect(try await standing(rig) == [0, 4])
            #expect(try await rig.deduct([rig.order()]) == "2 S")
            // The sale's first order is not in SQL yet, the reversal is: the comparison knows both.
            #expect(await rig.compare(patience: .milliseconds(20)).findings.map(\.kind) == [.inFlight])
            try await rig.drain()
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            #expect(try await rig.store.pendingRestocks().isEmpty)
        }
    }

    @Test("is refused for good where fewer are left: units that come back later do not go")
    func refuses() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let bought = rig.order(1, 5)
            #expect(try await rig.deduct([bought]) == "1 D")
            // SQL has not heard of the order, so it cannot say no by itself.
            let movement = try await rig.store.restock(Self.sku, units: -6)
            #expect(await acts(rig).apply(movement, patience: .seconds(5)) == .applied)
            #expect(try await rig.store.outcome(of: movement) == .refused)
            #expect(try await standing(rig) == [5, 10])
            try await rig.drain()
            #expect(try await rig.store.cancel([bought]) == [.cancelled])
            #expect(try await rig.release([bought]) == "3 R")
            #expect(await acts(rig).apply(movement, patience: .seconds(5)) == .applied)
            try await rig.drain()
            #expect(try await standing(rig) == [10, 10])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            // The next one takes the next number.
            let next = try await rig.store.restock(Self.sku, units: -10)
            #expect(await acts(rig).apply(next, patience: .seconds(5)) == .applied)
            #expect(try await standing(rig) == [0, 0])
        }
    }

    @Test("is refused by SQL at once where its own books have fewer, those that are on their way counted")
    func refusedBySQL() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order(1, 4)]) == "1 D")
            try await rig.drain()
            _ = try await rig.store.restock(Self.sku, units: -4)
            let error = await #expect(throws: OrderStoreError.self) {
                try await rig.store.restock(Self.sku, units: -3)
            }
            #expect(error?.message == "2 units are left, fewer than the 3 to take back; nothing was changed")
            #expect(try await rig.store.pendingRestocks().count == 1)
        }
    }

    @Test("among buyers takes no unit that one of them has", arguments: Durability.anywhere)
    func amongBuyers(durability: Durability) async throws {
        try await SaleRig.with(units: [60], durability: durability) { rig async throws in
            let engine = try await rig.makeEngine()
            let worker = OutboxWorker(catalogue: rig.catalogue, cluster: rig.cluster, store: rig.store)
            try await SaleRig.running([{ await engine.run() }, { await worker.run() }]) {
                let (bought, movements) = await rush(rig, engine)
                try await eventually("all were decided", within: .seconds(30)) {
                    try await rig.store.pendingRestocks().isEmpty
                }
                try await eventually("the books agree", within: .seconds(30)) {
                    await rig.compare(ledgers: true).findings.isEmpty
                }
                var gone: Int64 = 0
                for movement in movements where try await rig.store.outcome(of: movement) == .applied {
                    gone -= movement.units
                }
                #expect(gone > 0)
                let counters = try await rig.counters()
                #expect(counters.allocated == 60 - gone)
                #expect(counters.sold + counters.reserved == bought)
                #expect(try await rig.stock() == 60 - gone - bought)
            }
        }
    }

    /// 40 buyers of one unit each, and six who take units back at the same time: of the 20 that are left, one of them at least has enough.
    /// Returns what was bought, and what was asked back.
    private func rush(_ rig: SaleRig, _ engine: DeductionEngine) async -> (bought: Int64, movements: [Restock]) {
        let acts = acts(rig)
        return await withTaskGroup(of: (Int64, Restock?).self) { group in
            for _ in 0..<40 {
                group.addTask {
                    let outcome = await engine.deduct(rig.order())
                    if case .done = outcome { return (1, nil) }
                    return (0, nil)
                }
            }
            for units in [7, 9, 11, 13, 15, 17] as [Int64] {
                group.addTask {
                    guard let movement = try? await rig.store.restock(Self.sku, units: -units) else { return (0, nil) }
                    _ = await acts.apply(movement, patience: .seconds(10))
                    return (0, movement)
                }
            }
            var bought: Int64 = 0
            var movements: [Restock] = []
            for await (units, movement) in group {
                bought += units
                if let movement { movements.append(movement) }
            }
            return (bought, movements)
        }
    }

    @Test("that Redis did and SQL had not heard of when the server lost everything, the fold does once more")
    func lostAfterRedis() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let movement = try await rig.store.restock(Self.sku, units: -6)
            #expect(try await apply(movement, rig) == "1 R")
            #expect(try await rig.stock() == 4)
            try await rig.redis("FLUSHALL", [])
            try await rig.recover()
            #expect(try await rig.store.outcome(of: movement) == .applied)
            #expect(try await standing(rig) == [4, 4])
            // Who comes late, under whatever epoch, changes nothing.
            #expect(await acts(rig).apply(movement, patience: .seconds(5)) == .applied)
            try await rig.drain()
            #expect(try await standing(rig) == [4, 4])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("survives in the outbox: a recovery drains it, and the fold does not do it again")
    func drained() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let done = try await rig.store.restock(Self.sku, units: -6)
            #expect(try await apply(done, rig) == "1 R")
            #expect(try await rig.deduct([rig.order(1, 4)]) == "2 D")
            let tooMany = try await rig.store.restock(Self.sku, units: -1)
            #expect(try await apply(tooMany, rig) == "3 S")
            // The stock key is gone, the outbox is there.
            try await rig.redis("DEL", rig.keys.stocks[0])
            try await rig.recover()
            #expect(try await rig.store.outcome(of: done) == .applied)
            #expect(try await rig.store.outcome(of: tooMany) == .refused)
            #expect(try await standing(rig) == [0, 4])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("that waits is folded in the order of its number: what a later restock adds does not help it")
    func folded() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order(1, 3)]) == "1 D")
            let first = try await rig.store.restock(Self.sku, units: -7)
            try await rig.drain()
            // SQL counts this at once, Redis never has both.
            _ = try await rig.store.restock(Self.sku, units: 5)
            let third = try await rig.store.restock(Self.sku, units: -5)
            let fourth = try await rig.store.restock(Self.sku, units: 2)
            #expect(try await rig.counters().allocated == 17)
            try await rig.redis("FLUSHALL", [])
            try await rig.recover()
            var outcomes: [RestockOutcome] = []
            for movement in [first, third, fourth] { outcomes.append(try await rig.store.outcome(of: movement)) }
            #expect(outcomes == [.applied, .applied, .applied])
            #expect(try await standing(rig) == [2, 5])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("that sold out before the fold is refused there")
    func refusedByTheFold() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order(1, 3)]) == "1 D")
            let movement = try await rig.store.restock(Self.sku, units: -8)
            let later = try await rig.store.restock(Self.sku, units: 5)
            try await rig.redis("DEL", rig.keys.stocks[0])
            try await rig.recover()
            #expect(try await rig.store.outcome(of: movement) == .refused)
            #expect(try await rig.store.outcome(of: later) == .applied)
            #expect(try await standing(rig) == [12, 15])
            #expect(await acts(rig).apply(movement, patience: .seconds(5)) == .applied)
            try await rig.drain()
            #expect(try await standing(rig) == [12, 15])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("reaches SQL in whatever order entries are settled, and no order is refused for it")
    func outOfOrder() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let given = rig.order(1, 4)
            #expect(try await rig.deduct([given]) == "1 D")
            try await rig.drain()
            #expect(try await rig.store.cancel([given]) == [.cancelled])
            #expect(try await rig.release([given]) == "2 R")
            #expect(try await rig.deduct([rig.order(1, 4)]) == "3 D")
            let movement = try await rig.store.restock(Self.sku, units: -3)
            #expect(try await apply(movement, rig) == "4 R")
            #expect(try await rig.deduct([rig.order(1, 3)]) == "5 D")
            let entries = try await rig.outbox(after: rig.record.drainedThrough)
            #expect(entries.map(\.id.n) == [2, 3, 4, 5])
            for position in [2, 3, 0, 1] {
                let result = try await rig.store.commit(CommitBatch(entries: [entries[position].settlement]))
                guard case .settled(let exceptions) = result.entries[0] else {
                    Issue.record("\(entries[position].id) was not settled")
                    return
                }
                #expect(exceptions.isEmpty)
            }
            #expect(try await standing(rig) == [0, 7])
            #expect(try await rig.counters().reserved == 7)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("that Redis could do only because orders were gone from it is not followed by SQL, and the comparison tells")
    func meddled() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order(1, 8)]) == "1 D")
            try await rig.drain()
            let movement = try await rig.store.restock(Self.sku, units: -2)
            // Somebody forged the order away, in stock and control alike, and the units are sold once more.
            try await rig.redis("SET", rig.keys.stocks[0], "10")
            try await rig.redis("HSET", rig.keys.ledgers[0], "#", "10 0 0 0 1")
            #expect(try await rig.deduct([rig.order(1, 2)]) == "2 D")
            try await rig.drain()
            #expect(try await apply(movement, rig) == "3 R")
            try await rig.drain()
            #expect(try await rig.store.outcome(of: movement) == .refused)
            #expect(try await rig.counters().allocated == 10)
            #expect(await rig.compare().driftUnits > 0)
            try await rig.recover()
            #expect(try await standing(rig) == [0, 10])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    /// restock.lua by hand, in words; nobody tells SQL.
    private func apply(_ movement: Restock, _ rig: SaleRig) async throws -> String {
        var call = ScriptCall(keyCount: 4)
        call.append(rig.keys.control)
        call.append(rig.keys.outbox)
        call.append(rig.keys, at: 0)
        call.append(try await rig.record.epoch.rawValue)
        call.append(Int64(0))
        call.append(
            OutboxBlob(
                milliseconds: WallClock.milliseconds,
                payload: .restock(sku: movement.sku, fromVersion: movement.fromVersion, units: movement.units)
            ).bytes)
        call.append(movement.fromVersion)
        call.append(movement.units)
        return SaleRig.words(
            ScriptAnswer(
                try await rig.cluster.evaluate(rig.scripts.restock, call, slot: rig.keys.slot, deadline: rig.soon)))
    }
}
