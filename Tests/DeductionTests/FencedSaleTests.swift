import Deduction
import Inventory
import Lab
import OrderStore
import Reconciliation
import SaleRig
import Telemetry
import Testing

/// A sale that goes on in SQL while its only server is down, and is handed back.
@Suite("While fenced", .timeLimit(.minutes(5)))
struct FencedSaleTests {
    @Test("SQL sells at the chosen rate while the server is down, and hands back exactly")
    func sellsOnAndHandsBack() async throws {
        try await SaleRig.with(units: [1_000], whileFenced: .sellInSQL(ordersPerSecond: 50)) { rig async throws in
            let supervisor = RecoverySupervisor(recoverer: rig.recoverer)
            let engine = try await rig.makeEngine { supervisor.report($0.bucket, epoch: $0.epoch, reason: $0.reason) }
            try await SaleRig.running([{ await engine.run() }, { await supervisor.run() }]) {
                var yes: [Order] = []
                for _ in 0..<20 {
                    let order = rig.order()
                    if await engine.deduct(order).isDone { yes.append(order) }
                }
                #expect(yes.count == 20)
                try await rig.fleet.crash(0)
                let start = ContinuousClock.now
                // Long enough for the silence to count and some seconds of selling; ends by what was sold, not by time.
                try await eventually("60 orders were sold in SQL", within: .seconds(20)) {
                    let order = rig.order()
                    if await engine.deduct(order).isDone { yes.append(order) }
                    return engine.meter.snapshot.soldInSQL >= 60
                }
                let seconds = start.duration(to: .now) / .seconds(1)
                #expect(Double(engine.meter.snapshot.soldInSQL) <= 50 * (seconds + 0.25) + 1, "the rate was kept")
                try await rig.fleet.restart(0)
                try await eventually("Redis sells again", within: .seconds(20)) {
                    engine.laneStatuses.allSatisfy(\.isOpen)
                }
                let inSQL = engine.meter.snapshot.soldInSQL
                let after = rig.order()
                #expect(await engine.deduct(after) == .done(duplicate: false))
                yes.append(after)
                #expect(engine.meter.snapshot.soldInSQL == inSQL)
                #expect(await engine.deduct(yes[40]) == .done(duplicate: true), "a retry hears the yes that SQL gave")
                let counters = try await rig.counters()
                #expect(counters.reserved == Int64(yes.count))
                let stock = try await rig.stock()
                #expect(stock == 1_000 - Int64(yes.count))
                #expect(await rig.compare(ledgers: true).driftUnits == 0)
            }
        }
    }
}

extension DeductionOutcome {
    fileprivate var isDone: Bool {
        if case .done = self { true } else { false }
    }
}
