import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

@testable import Deduction

/// What SQL decided reaches Redis, whatever else waits.
@Suite("The give-back worker", .timeLimit(.minutes(5)))
struct GiveBackTests {
    static let yes = DeductionOutcome.done(duplicate: false)

    private func withWorker(
        units: [Int64], buckets: Int = 1, _ body: (SaleRig, DeafPort, DeductionEngine) async throws -> Void
    ) async throws {
        try await SaleRig.with(units: units, buckets: buckets, port: DeafPort.between) { rig async throws in
            let port = try #require(rig.cluster as? DeafPort)
            let engine = try await rig.makeEngine()
            let worker = GiveBackWorker(
                engine: engine, store: rig.store,
                acts: BucketActs(catalogue: rig.catalogue, cluster: port, scripts: rig.scripts, store: rig.store))
            try await SaleRig.running([{ await engine.run() }, { await worker.run(interval: .milliseconds(1)) }]) {
                try await body(rig, port, engine)
            }
        }
    }

    @Test("keeps nobody waiting for a bucket that is down: neither give-backs nor restocks")
    func oneBucketIsDown() async throws {
        try await withWorker(units: [10, 10], buckets: 2) { rig, port, engine async throws in
            let (first, second) = (rig.order(1, 4), rig.order(2, 3))
            for order in [first, second] { #expect(await engine.deduct(order) == Self.yes) }
            let dead = rig.catalogue.buckets[1]
            port.setDeaf(true, dead)
            for _ in 0..<40 { _ = try await rig.store.restock(SKUNumber(rawValue: 2), units: 1) }
            try await eventually("the dead one is asked") { port.missed(dead) > 0 }
            // Its give-backs are many more than are under way at once, and older.
            let forbidden = (0..<5_000).map { _ in rig.order(2) }
            #expect(try await rig.store.cancel([second] + forbidden).allSatisfy { $0 == .cancelled })
            try await eventually("they are asked") { engine.laneStatuses.contains { !$0.isOpen } }
            #expect(try await rig.store.cancel([first]) == [.cancelled])
            _ = try await rig.store.restock(SKUNumber(rawValue: 1), units: 5)
            try await eventually("the other has its units", within: .seconds(2)) { try await rig.stock() == 15 }
            port.setDeaf(false, dead)
            let stock = BucketKeys(bucket: dead, catalogue: rig.catalogue).stocks[0]
            let slot = HashSlot.of(stock)
            try await eventually("the dead one has its own", within: .seconds(20)) {
                try await port.call(
                    slot: slot, RedisCommand("GET", String(decoding: stock, as: UTF8.self)), deadline: rig.soon
                ).int == 50
            }
            try await eventually("nothing is pending", within: .seconds(20)) {
                try await rig.store.pendingGiveBacks(limit: 1).isEmpty
            }
        }
    }

    @Test(
        "gives both orders of one flow back: the cancelled one and another that Redis took under it",
        arguments: [false, true])
    func twoOrdersOfOneFlow(isAnsweredBefore: Bool) async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let cancelled = rig.order([(1, 2)])
            #expect(try await rig.deduct([cancelled]) == "1 D")
            try await rig.drain()
            #expect(try await rig.store.cancel([cancelled]) == [.cancelled])
            // Another line: the ledgers do not see each other, so Redis takes it, and SQL gives it back.
            let other = rig.order([(2, 3)], flow: cancelled.flow)
            #expect(try await rig.deduct([other]) == "2 D")
            try await rig.drain()
            #expect(try await rig.store.pendingGiveBacks(limit: 9).count == 2)
            // Done in Redis by somebody who died, so that the worker hears "already" before SQL knows by which entry.
            if isAnsweredBefore { #expect(try await rig.release([cancelled]) == "3 R") }
            let engine = try await rig.makeEngine()
            let worker = GiveBackWorker(
                engine: engine, store: rig.store,
                acts: BucketActs(catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
            )
            try await SaleRig.running([{ await engine.run() }, { await worker.run(interval: .milliseconds(1)) }]) {
                if isAnsweredBefore { try await rig.drain() }
                try await eventually("both are back") {
                    let stocks = [try await rig.stock(1), try await rig.stock(2)]
                    return stocks == [10, 10]
                }
                try await eventually("SQL knows") {
                    try await rig.drain()
                    return try await rig.store.pendingGiveBacks(limit: 9).isEmpty
                }
            }
            let findings = await rig.compare(ledgers: true).findings.map(\.sentence)
            #expect(findings == [])
            let reserved = [try await rig.counters(1).reserved, try await rig.counters(2).reserved]
            #expect(reserved == [0, 0])
        }
    }
}
