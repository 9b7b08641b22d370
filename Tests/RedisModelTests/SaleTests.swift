import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// A whole sale on a real server, the model beside it.
@Suite("The Redis model beside a sale", .timeLimit(.minutes(5)))
struct SaleTests {
    @Test(
        "answers an engine, its worker, its give-backs and recoveries as the server does",
        arguments: Durability.anywhere)
    func sale(durability: Durability) async throws {
        try await SaleRig.with(
            units: [300, 40, 5, 1_000], buckets: 2, durability: durability, port: TwinPort.beside
        ) { rig async throws in
            let twin = try #require(rig.cluster as? TwinPort)
            let engine = try await rig.makeEngine()
            try await SaleRig.running([{ await engine.run() }]) {
                for round in 0..<6 {
                    let orders: [Order] = (0..<150).map { number in
                        if number % 7 == 0 { return rig.order([(1, 1), (3, 1)]) }
                        return rig.order(Int32(number % 4 + 1), Int32(number % 3 + 1))
                    }
                    let asked: [Order] = orders + orders.prefix(20)
                    await withTaskGroup { group in
                        for order in asked { group.addTask { _ = await engine.deduct(order) } }
                    }
                    try await rig.drain()
                    _ = try await rig.store.cancel(Array(orders.prefix(10)))
                    for giveBack in try await rig.store.pendingGiveBacks(limit: 50) {
                        _ = await engine.release(giveBack.order)
                    }
                    try await rig.redis("XTRIM", rig.keys.outbox, "MINID", "\(try await rig.record.drainedThrough)")
                    switch round {
                    case 1: try await rig.redis("DEL", rig.keys.stocks[0])
                    case 2: try await rig.redis("SCRIPT", [Array("FLUSH".utf8)])
                    case 3: try await rig.redis("HSET", rig.keys.ledgers[0], "#", "10 0 5 0 1")
                    case 4: try await rig.redis("FLUSHALL", [])
                    default: continue
                    }
                    _ = await engine.deduct(rig.order(1))
                    for bucket in rig.catalogue.buckets { _ = try await rig.recoverer.recover(bucket.number) }
                    _ = await rig.compare(ledgers: true)
                }
            }
            try await twin.compareContents()
            #expect(twin.compared > 200, "compared \(twin.compared) answers only")
        }
    }
}
