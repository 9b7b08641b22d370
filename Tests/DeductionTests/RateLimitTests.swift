import Inventory
import Redis
import SaleRig
import Testing

@testable import Deduction

@Suite("Limits on the rate of orders", .timeLimit(.minutes(5)))
struct RateLimitTests {
    @Test("tokens come at the rate, up to the burst, whatever the clock does")
    func bucket() {
        let bucket = TokenBucket(perSecond: 100)
        let start = ContinuousClock.now
        func count(_ now: ContinuousClock.Instant) -> Int { (0..<1_000).count { _ in bucket.take(at: now) } }
        #expect(count(start) == 10)
        #expect(count(start + .milliseconds(50)) == 5)
        #expect(count(start + .milliseconds(20)) == 0, "a clock that steps back brings nothing")
        #expect(count(start + .seconds(60)) == 10)
        #expect(bucket.turnedAway == 4 * 1_000 - 25)
    }

    @Test("an order that one limit turns away takes no token of another")
    func together() {
        let gate = RateGate(RateLimits(perSKU: 20), skus: 2)
        let now = ContinuousClock.now
        #expect(gate.admits(skus: [0], nodes: [], now: now) && gate.admits(skus: [0], nodes: [], now: now))
        for _ in 0..<5 { #expect(!gate.admits(skus: [1, 0], nodes: [], now: now)) }
        #expect(gate.admits(skus: [1], nodes: [], now: now) && gate.admits(skus: [1], nodes: [], now: now))
        #expect(!gate.admits(skus: [1], nodes: [], now: now))
        #expect(gate.turnedAway(sku: 0) == 5 && gate.turnedAway(sku: 1) == 1)
    }

    @Test("an engine turns away what exceeds the limit of a SKU or a node, and never an attempt of unknown outcome")
    func engine() async throws {
        try await SaleRig.with(units: [1_000, 1_000], durability: .memory) { rig async throws in
            for limits in [RateLimits(perSKU: 1), RateLimits(perNode: 1)] {
                var configuration = DeductionEngine.Configuration()
                configuration.rateLimits = limits
                let engine = try await rig.makeEngine(configuration: configuration)
                try await SaleRig.running([{ await engine.run() }]) {
                    let stockBefore = try await rig.stock()
                    #expect(await engine.deduct(rig.order(), attempt: .first) == .done(duplicate: false))
                    let over = rig.order()
                    #expect(await engine.deduct(over, attempt: .first) == .refused(.overloaded))
                    let other = await engine.deduct(rig.order(2), attempt: .first)
                    #expect(other == (limits.perSKU != nil ? .done(duplicate: false) : .refused(.overloaded)))
                    #expect(await engine.deduct(over, attempt: .afterUnknown) == .done(duplicate: false))
                    let stock = try await rig.stock()
                    #expect(stock == stockBefore.map { $0 - 2 })
                    let node = try #require(rig.cluster.master(ofSlot: rig.keys.slot))
                    let turnedAway = limits.perSKU != nil ? engine.turnedAway(skuAt: 0) : engine.turnedAway(node: node)
                    #expect(turnedAway == (limits.perSKU != nil ? 1 : 2))
                }
            }
        }
    }
}
