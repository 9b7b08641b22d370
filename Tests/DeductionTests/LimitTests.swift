import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// Units per SKU per buyer: exact under concurrency, after recovery, and against whoever writes into the ledger.
@Suite("Limits per buyer", .timeLimit(.minutes(5)))
struct LimitTests {
    static func buyer(_ number: Int) -> BuyerID { BuyerID(high: 0xb, low: UInt64(number + 1))! }

    static let yes = DeductionOutcome.done(duplicate: false)

    @Test("many at once never hold more than the limit, nor less than they could", arguments: Durability.anywhere)
    func concurrent(durability: Durability) async throws {
        try await SaleRig.with(units: [1_000, 1_000], limitsPerBuyer: [1: 3], durability: durability) {
            rig async throws in
            let engines = [try await rig.makeEngine(), try await rig.makeEngine()]
            try await SaleRig.running(engines.map { engine in { await engine.run() } }) {
                let outcomes = await withTaskGroup(of: (Int, DeductionOutcome).self) { group in
                    for attempt in 0..<400 {
                        group.addTask {
                            let buyer = attempt % 10
                            // Two lines: SKU 2 has no limit.
                            let order = rig.order([(1, 1), (2, 2)], buyer: Self.buyer(buyer))
                            let outcome = await engines[attempt % 2].deduct(order)
                            return (buyer, outcome)
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                for buyer in 0..<10 {
                    let mine = outcomes.filter { $0.0 == buyer }.map(\.1)
                    #expect(mine.count { $0 == Self.yes } == 3 && mine.count { $0 == .refused(.limit) } == 37)
                }
                try await rig.drain()
                #expect([try await rig.stock(1), try await rig.stock(2)] == [970, 940])
                let held = try await rig.store.heldUnits(sku: SKUNumber(rawValue: 1), after: nil, limit: 100)
                #expect(held.map(\.units) == Array(repeating: 3, count: 10))
                #expect(await rig.compare(ledgers: true).findings.isEmpty)
            }
        }
    }

    @Test("a retry at the limit hears its own yes; what is given back may be bought again; nobody buys nothing")
    func answers() async throws {
        try await SaleRig.with(units: [100, 100], limitsPerBuyer: [1: 2]) { rig async throws in
            let engine = try await rig.makeEngine()
            try await SaleRig.running([{ await engine.run() }]) {
                let first = rig.order([(1, 2)], buyer: Self.buyer(1))
                #expect(await engine.deduct(first) == Self.yes)
                #expect(await engine.deduct(rig.order([(1, 1)], buyer: Self.buyer(1))) == .refused(.limit))
                #expect(await engine.deduct(first) == .done(duplicate: true))
                // The same flow by another buyer is another order.
                #expect(
                    await engine.deduct(rig.order([(1, 2)], buyer: Self.buyer(2), flow: first.flow))
                        == .refused(.conflict))
                #expect(await engine.deduct(rig.order([(1, 1)])) == .refused(.limit))
                #expect(await engine.deduct(rig.order([(2, 50)])) == Self.yes)
                #expect(await engine.deduct(rig.order([(1, 3)], buyer: Self.buyer(3))) == .refused(.limit))
                #expect(await engine.cancel(first) == .cancelled)
                #expect(await engine.deduct(rig.order([(1, 2)], buyer: Self.buyer(1))) == Self.yes)
                let stock = try await rig.stock()
                #expect(stock == 98)
            }
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("several orders of one buyer in one call, with lines over several SKUs, are counted one after another")
    func oneCall() async throws {
        try await SaleRig.with(units: [100, 100, 100], limitsPerBuyer: [1: 5, 3: 2]) { rig async throws in
            func order(_ lines: [(Int32, Int32)], _ buyer: Int) -> Order { rig.order(lines, buyer: Self.buyer(buyer)) }
            let orders = [
                order([(1, 2), (3, 1)], 1), order([(1, 2), (2, 9)], 1), order([(1, 2)], 1), order([(3, 2)], 1),
                order([(1, 1), (3, 1)], 1), order([(3, 1)], 1), order([(1, 5), (3, 2)], 2), rig.order([(2, 1)]),
            ]
            #expect(try await rig.deduct(orders) == "1 DDLLDLDD")
            #expect(try await rig.redis("HGET", [rig.keys.ledgers[0], [0x40] + Self.buyer(1).bytes]).int == 5)
            #expect(try await rig.release([orders[0], orders[1], orders[4]]) == "2 RRR")
            #expect(try await rig.redis("HGET", [rig.keys.ledgers[0], [0x40] + Self.buyer(1).bytes]).int == nil)
            #expect(try await rig.redis("HLEN", rig.keys.ledgers[0]).int == 1 + 4 + 1)
        }
    }

    @Test(
        "the limit holds after everything in Redis was lost, and in what a lost tail leaves",
        arguments: Durability.anywhere)
    func recovery(durability: Durability) async throws {
        try await SaleRig.with(units: [100], limitsPerBuyer: [1: 2], durability: durability) { rig async throws in
            let first = rig.order([(1, 1)], buyer: Self.buyer(1))
            #expect(try await rig.deduct([first, rig.order([(1, 2)], buyer: Self.buyer(2))]) == "1 DD")
            try await rig.drain()
            // The tail: SQL never hears of it.
            #expect(try await rig.deduct([rig.order([(1, 1)], buyer: Self.buyer(1))]) == "2 D")
            try await rig.redis("FLUSHALL", [])
            try await rig.recover()
            let again = [1, 1, 2, 3].map { rig.order([(1, 1)], buyer: Self.buyer($0)) }
            #expect(try await rig.deduct(again) == "1 DLLD")
            #expect(try await rig.cut().skus[0].control?.limitPerBuyer == 2)
            try await rig.drain()
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            #expect(try await rig.store.cancel([first]) == [.cancelled])
            #expect(try await rig.release([first]) == "2 R")
            #expect(try await rig.deduct([rig.order([(1, 1)], buyer: Self.buyer(1))]) == "3 D")
        }
    }

    @Test("a buyer's count that somebody changes is found, and the bucket rebuilt", arguments: ["gone", "0", "7", "x"])
    func tampered(how: String) async throws {
        try await SaleRig.with(units: [100], limitsPerBuyer: [1: 2]) { rig async throws in
            #expect(try await rig.deduct([rig.order([(1, 2)], buyer: Self.buyer(1))]) == "1 D")
            try await rig.drain()
            let field = [0x40] + Self.buyer(1).bytes
            if how == "gone" {
                try await rig.redis("HDEL", [rig.keys.ledgers[0], field])
            } else {
                try await rig.redis("HSET", [rig.keys.ledgers[0], field, Array(how.utf8)])
            }
            let first = await rig.compare(ledgers: true)
            #expect(first.drifts.contains { $0.kind == .unbalanced && $0.sku?.rawValue == 1 })
            let plan = RepairPlan(agreeing: first, await rig.compare(ledgers: true), catalogue: rig.catalogue)
            _ = await rig.apply(plan)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            #expect(try await rig.deduct([rig.order([(1, 1)], buyer: Self.buyer(1))]) == "0 L")
        }
    }
}
