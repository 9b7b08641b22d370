import Deduction
import Inventory
import Operations
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Telemetry
import Testing

/// Ledgers that somebody writes into: what Redis and SQL's movements agree about may still be wrong.
@Suite("Holes in a ledger", .timeLimit(.minutes(5)))
struct LedgerHoleTests {
    private func mend(_ rig: SaleRig) async throws {
        let plan = RepairPlan(
            agreeing: await rig.compare(ledgers: true), await rig.compare(ledgers: true), catalogue: rig.catalogue)
        let applied = await rig.apply(plan)
        #expect(applied.repairs.allSatisfy { $0.state == .recovered })
        #expect(await rig.compare(ledgers: true).findings.isEmpty)
    }

    @Test(
        "a flow that lost its field and was asked again took its units twice: found, rebuilt",
        arguments: Durability.anywhere)
    func takenTwice(durability: Durability) async throws {
        try await SaleRig.with(units: [10, 10], durability: durability) { rig async throws in
            let order = rig.order([(1, 2), (2, 1)])
            #expect(try await rig.deduct([order, rig.order()]) == "1 DD")
            try await rig.drain()
            for key in rig.keys.ledgers { try await rig.redis("HDEL", [key, order.flow.bytes]) }
            #expect(try await rig.deduct([order]) == "2 D")
            try await rig.drain()
            #expect(try await rig.stock() == 5)
            // Without looking at single flows, as it is compared all the time.
            let comparison = await rig.compare()
            #expect(
                comparison.drifts.map { "\($0.kind) \($0.sku!.rawValue) \($0.units)" }
                    == ["unaccounted 1 2", "unaccounted 2 1"])
            try await mend(rig)
            #expect(try await rig.stock() == 7)
            #expect(try await rig.counters().reserved == 3)
            #expect(try await rig.deduct([order]) == "0 d")
        }
    }

    @Test("at durable the engine that took it twice has the bucket rebuilt at once, and the buyer hears his yes")
    func takenTwiceAtDurable() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let supervisor = RecoverySupervisor(recoverer: rig.recoverer)
            let engine = try await rig.makeEngine {
                supervisor.report($0.bucket, epoch: $0.epoch, reason: $0.reason)
            }
            try await SaleRig.running([{ await engine.run() }, { await supervisor.run() }]) {
                let order = rig.order(1, 2)
                #expect(await engine.deduct(order) == .done(duplicate: false))
                try await rig.redis("HDEL", [rig.keys.ledgers[0], order.flow.bytes])
                guard case .done = await engine.deduct(order) else {
                    Issue.record("a buyer who was told yes hears something else")
                    return
                }
                try await eventually("the units come back") { try await rig.stock() == 8 }
                // Counted a moment after the bucket opened.
                try await eventually("the recovery is counted") { supervisor.status.recoveries == 1 }
                try await eventually("it sells on") { await engine.deduct(rig.order()) == .done(duplicate: false) }
                #expect(await engine.deduct(order) == .done(duplicate: true))
            }
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("fields that nobody of ours wrote are told, and rebuilding takes them out")
    func foreign() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            try await rig.drain()
            try await rig.redis("HSET", rig.keys.ledgers[0], "left-by-a-person", "1", "x", "y")
            // A flow with a value that says nothing.
            try await rig.redis("HSET", [rig.keys.ledgers[0], rig.flow().bytes, Array("nonsense".utf8)])
            #expect(await rig.compare().findings.isEmpty)
            let comparison = await rig.compare(ledgers: true)
            #expect(comparison.drifts.map { "\($0.kind) \($0.units)" } == ["foreignField 3"])
            try await rig.recover()
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    // MARK: SQL out

    @Test("SQL that begins to refuse in the middle of a sale is an event at once, and so is its return")
    func events() async throws {
        try await SaleRig.with(units: [100], durability: .memory) { rig async throws in
            let store = FailingOrderStore(base: rig.store)
            let events = EventLog()
            let service = try await SaleService(cluster: rig.cluster, store: store, events: events)
            func told(_ text: String) -> Bool { events.events.contains { $0.text.contains(text) } }
            try await SaleRig.running([{ await service.run() }]) {
                #expect(await service.engine.deduct(rig.order()) == .done(duplicate: false))
                store.fail(with: "disk full")
                #expect(await service.engine.deduct(rig.order()) == .done(duplicate: false))
                try await eventually("it is told", within: .seconds(2)) { told("SQL refuses: disk full") }
                store.fail(with: nil)
                try await eventually("its return is told") { told("SQL takes orders again") }
                try await eventually("nothing is lost") { try await rig.counters().reserved == 2 }
            }
        }
    }
}
