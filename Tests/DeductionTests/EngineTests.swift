import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Telemetry
import Testing

@testable import Deduction

/// The engine on a real server and a real file.
@Suite("The engine", .timeLimit(.minutes(5)))
struct EngineTests {
    static let yes = DeductionOutcome.done(duplicate: false)

    func withEngine(
        units: [Int64], buckets: Int = 1, durability: Durability = .durable,
        _ body: (SaleRig, DeductionEngine) async throws -> Void
    ) async throws {
        try await SaleRig.with(units: units, buckets: buckets, durability: durability) { rig async throws in
            let engine = try await rig.makeEngine()
            try await SaleRig.running([{ await engine.run() }]) { try await body(rig, engine) }
        }
    }

    func all(_ orders: [Order], _ engine: DeductionEngine) async -> [FlowID: DeductionOutcome] {
        await withTaskGroup(of: (FlowID, DeductionOutcome).self) { group in
            for order in orders { group.addTask { (order.flow, await engine.deduct(order)) } }
            var outcomes: [FlowID: DeductionOutcome] = [:]
            for await (flow, outcome) in group { outcomes[flow] = outcome }
            return outcomes
        }
    }

    @Test(
        "sells exactly 10 of 10 to 2,000 at once, and a retry after the sell-out hears its own yes",
        arguments: Durability.anywhere)
    func tenOfTen(durability: Durability) async throws {
        try await withEngine(units: [10], durability: durability) { rig, engine async throws in
            let orders = (0..<2_000).map { _ in rig.order() }
            let outcomes = await all(orders, engine)
            #expect(outcomes.values.count { $0 == Self.yes } == 10)
            #expect(outcomes.values.count { $0 == .refused(.soldOut) } == 1_990)
            let stock = try await rig.stock()
            #expect(stock == 0)
            let again = await all(orders, engine)
            for order in orders {
                #expect(
                    again[order.flow]
                        == (outcomes[order.flow] == Self.yes ? .done(duplicate: true) : .refused(.soldOut)))
            }
            try await rig.drain()
            #expect(try await rig.counters().reserved == 10)
            let totals = engine.meter.snapshot
            #expect(totals.acknowledged == 20 && totals.refused == [.soldOut: 3_980] && totals.unknown == 0)
            #expect(totals.calls < 1_000, "\(totals.calls) calls: orders were not combined")
        }
    }

    @Test("takes all lines or none", arguments: Durability.anywhere)
    func allOrNone(durability: Durability) async throws {
        try await withEngine(units: [10, 3, 0], durability: durability) { rig, engine async throws in
            #expect(await engine.deduct(rig.order([(1, 2), (2, 2)])) == Self.yes)
            #expect(await engine.deduct(rig.order([(1, 2), (2, 2)])) == .refused(.soldOut))
            #expect(await engine.deduct(rig.order([(1, 1), (3, 1)])) == .refused(.soldOut))
            let stocks = try await (rig.stock(1), rig.stock(2))
            #expect(stocks == (8, 1))
        }
    }

    @Test("a flow used for another order is refused, within a SKU's ledger and across SKUs")
    func conflicts() async throws {
        try await withEngine(units: [10, 10]) { rig, engine async throws in
            let order = rig.order(1)
            #expect(await engine.deduct(order) == Self.yes)
            #expect(await engine.deduct(rig.order([(1, 2)], flow: order.flow)) == .refused(.conflict))
            // The second SKU's ledger has never seen the flow: SQL decides before anybody hears yes.
            #expect(await engine.deduct(rig.order([(2, 1)], flow: order.flow)) == .refused(.conflict))
            let pending = try await rig.store.pendingGiveBacks(limit: 10)
            #expect(pending.map(\.order.lines) == [[OrderLine(sku: SKUNumber(rawValue: 2), quantity: 1)]])
            #expect(try await rig.counters(2).reserved == 0)
            // What Redis took for it comes back.
            for giveBack in pending { _ = await engine.release(giveBack.order) }
            let stock = try await rig.stock(2)
            #expect(stock == 10)
            #expect(try await rig.store.pendingGiveBacks(limit: 10).isEmpty)
        }
    }

    @Test(
        "a frozen SKU and a halted sale are refused as such, and sell again afterwards", arguments: Durability.anywhere)
    func freezeAndHalt(durability: Durability) async throws {
        try await withEngine(units: [10, 10], buckets: 2, durability: durability) { rig, engine async throws in
            let acts = BucketActs(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
            let sku = SKUNumber(rawValue: 1)
            _ = try await rig.store.setFrozen(sku, true)
            #expect(await acts.tell(bucketOf: sku, patience: .seconds(1)) == .applied)
            #expect(await engine.deduct(rig.order(1)) == .refused(.frozen))
            #expect(await engine.deduct(rig.order(2)) == Self.yes)
            _ = try await rig.store.setFrozen(sku, false)
            #expect(await acts.tell(bucketOf: sku, patience: .seconds(1)) == .applied)
            #expect(await engine.deduct(rig.order(1)) == Self.yes)

            _ = try await rig.store.setSaleState(from: [.open], to: .halted)
            #expect(await acts.tellAll(patience: .seconds(1)).values.allSatisfy { $0 == .applied })
            for sku: Int32 in [1, 2] { #expect(await engine.deduct(rig.order(sku)) == .refused(.halted)) }
            _ = try await rig.store.setSaleState(from: [.halted], to: .open)
            #expect(await acts.tellAll(patience: .seconds(1)).values.allSatisfy { $0 == .applied })
            for sku: Int32 in [1, 2] { #expect(await engine.deduct(rig.order(sku)) == Self.yes) }
        }
    }

    @Test("a restock reaches Redis version by version, and one that came too early is not called applied")
    func restock() async throws {
        try await withEngine(units: [1]) { rig, engine async throws in
            let acts = BucketActs(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
            let first = try await rig.store.restock(SKUNumber(rawValue: 1), units: 2)
            let second = try await rig.store.restock(SKUNumber(rawValue: 1), units: 3)
            #expect(await acts.apply(second, patience: .milliseconds(50)) != .applied)
            let unchanged = try await rig.stock()
            #expect(unchanged == 1)
            for restock in [first, first, second, first] {
                #expect(await acts.apply(restock, patience: .seconds(1)) == .applied)
            }
            let stock = try await rig.stock()
            #expect(stock == 6)
            try await rig.drain()
            #expect(try await rig.store.pendingRestocks().isEmpty)
            _ = engine
        }
    }

    @Test("a cancellation before the order forbids it, one after it gives back once", arguments: Durability.anywhere)
    func cancelling(durability: Durability) async throws {
        try await withEngine(units: [10], durability: durability) { rig, engine async throws in
            let early = rig.order()
            #expect(await engine.cancel(early) == .cancelled)
            #expect(await engine.deduct(early) == .refused(.cancelled))
            let late = rig.order(1, 3)
            #expect(await engine.deduct(late) == Self.yes)
            for _ in 0..<3 { #expect(await engine.cancel(late) == .cancelled) }
            #expect(await engine.deduct(late) == .refused(.cancelled))
            let stock = try await rig.stock()
            #expect(stock == 10)
            try await rig.drain()
            let counters = try await rig.counters()
            #expect(counters.reserved == 0 && counters.sold == 0)
            #expect(try await rig.store.pendingGiveBacks(limit: 10).isEmpty)
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("payments sell; failed ones give back exactly once, however often they are told")
    func payments() async throws {
        try await withEngine(units: [10]) { rig, engine async throws in
            let orders = (0..<4).map { _ in rig.order() }
            for order in orders { #expect(await engine.deduct(order) == Self.yes) }
            let acts = BucketActs(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
            let worker = GiveBackWorker(engine: engine, store: rig.store, acts: acts)
            try await SaleRig.running([{ await worker.run(interval: .milliseconds(1)) }]) {
                let told = orders.enumerated().map { Payment(order: $1, succeeded: $0 < 2) }
                #expect(await engine.record(told) == [.confirmed, .confirmed, .cancelled, .cancelled])
                #expect(
                    await engine.record(told + told)?.suffix(4)
                        == [.already(sold: true), .already(sold: true), .already(sold: false), .already(sold: false)])
                try await eventually("both units are back") {
                    let pending = try await rig.store.pendingGiveBacks(limit: 10)
                    return try await rig.stock() == 8 && pending.isEmpty
                }
                #expect(await engine.cancel(orders[0]) == .sold)
            }
            let counters = try await rig.counters()
            #expect(counters.sold == 2 && counters.reserved == 0)
            let stock = try await rig.stock()
            #expect(stock == 8)
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("what an engine that died left in the outbox, the worker brings to SQL")
    func abandoned() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let orders = (0..<4).map { _ in rig.order() }
            let dead = Mutex(true)
            let silent = InterposedOrderStore(rig.store) { _, _ in
                while dead.withLock({ $0 }) { try await ContinuousClock().sleep(for: .milliseconds(5)) }
                throw OrderStoreError(.refused, "the engine is dead")
            }
            let engine = try await rig.makeEngine(store: silent)
            let told = Mutex<[DeductionOutcome]>([])
            let buyers = orders.map { order -> @Sendable () async -> Void in
                {
                    let outcome = await engine.deduct(order)
                    told.withLock { $0.append(outcome) }
                }
            }
            try await SaleRig.running([{ await engine.run() }] + buyers) {
                try await eventually("Redis took them") { try await rig.stock() == 6 }
                var configuration = OutboxWorker.Configuration()
                configuration.onlyAbandoned = true
                configuration.interval = .milliseconds(2)
                let worker = OutboxWorker(
                    catalogue: rig.catalogue, cluster: rig.cluster, store: rig.store, configuration: configuration)
                #expect(told.withLock { $0.isEmpty })
                try await SaleRig.running([{ await worker.run() }]) {
                    try await eventually("SQL has them") { try await rig.counters().reserved == 4 }
                }
                #expect(worker.status.settledEntries > 0 && worker.status.exceptions == 0)
                #expect(worker.lag.summary.count > 0)
                dead.withLock { $0 = false }
            }
            #expect(try await rig.store.absent(orders.map(\.flow)).isEmpty)
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
            // The next engine tells their buyers yes.
            let next = try await rig.makeEngine()
            try await SaleRig.running([{ await next.run() }]) {
                for order in orders { #expect(await next.deduct(order) == .done(duplicate: true)) }
            }
        }
    }

    @Test("a missing entry in the outbox is reported")
    func gap() async throws {
        try await SaleRig.with(units: [10], durability: .memory) { rig async throws in
            for _ in 0..<3 { _ = try await rig.deduct([rig.order()]) }
            let epoch = try await rig.record.epoch
            try await rig.redis("XDEL", rig.keys.outbox, "\(epoch.rawValue)-2")
            var configuration = OutboxWorker.Configuration()
            configuration.interval = .milliseconds(2)
            configuration.gapPatience = .milliseconds(20)
            let gaps = Mutex<[Epoch]>([])
            let worker = OutboxWorker(
                catalogue: rig.catalogue, cluster: rig.cluster, store: rig.store, configuration: configuration
            ) { _, epoch in gaps.withLock { $0.append(epoch) } }
            try await SaleRig.running([{ await worker.run() }]) {
                try await eventually("the gap is told") { gaps.withLock { !$0.isEmpty } }
            }
            #expect(gaps.withLock { $0[0] } == epoch)
        }
    }

    @Test("nobody waits for an engine that has ended", arguments: Durability.anywhere)
    func ended(durability: Durability) async throws {
        try await SaleRig.with(units: [10], durability: durability) { rig async throws in
            let engine = try await rig.makeEngine()
            try await SaleRig.running([{ await engine.run() }]) {
                #expect(await engine.deduct(rig.order()) == Self.yes)
            }
            #expect(await engine.deduct(rig.order()) == .refused(.unreachable))
            guard case .unknown = await engine.deduct(rig.order(), isRetry: true) else {
                Issue.record("an uncertain order heard a final no")
                return
            }
            #expect(await engine.release(rig.order()) == .unknown)
            #expect(await engine.record([Payment(order: rig.order(), succeeded: true)]) == nil)
        }
    }

    @Test("SQL that does not answer makes orders unknown, and their cancellation is final")
    func storeFails() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let broken = InterposedOrderStore(rig.store) { _, _ in throw OrderStoreError(.refused, "no space left") }
            let engine = try await rig.makeEngine(store: broken)
            try await SaleRig.running([{ await engine.run() }]) {
                let order = rig.order()
                #expect(await engine.deduct(order) == .unknown(.storeFailed))
                #expect(engine.storeError?.contains("no space left") == true)
                let cancelled = try await rig.store.cancel([order])
                #expect(cancelled == [.cancelled])
                // The commit of the release fails too; Redis has done it, and the outbox tells SQL later.
                #expect(await engine.release(order) != .unknown)
            }
            #expect(try await rig.stock() == 10)
            try await rig.drain()
            #expect(try await rig.counters().reserved == 0)
            #expect(try await rig.store.pendingGiveBacks(limit: 10).isEmpty)
        }
    }
}
