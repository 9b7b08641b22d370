import Deduction
import Inventory
import Lab
import Operations
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Telemetry
import Testing

/// What the monitor does with a real server that changes under a sale.
@Suite("The monitor of a sale", .timeLimit(.minutes(5)))
struct SaleMonitorTests {
    static let yes = DeductionOutcome.done(duplicate: false)

    func withService(
        _ rig: SaleRig, store: (any OrderStore)? = nil, headroomBytes: Int64? = nil,
        _ body: (SaleService, EventLog) async throws -> Void
    ) async throws {
        var options = SaleService.Options()
        options.monitor.interval = .milliseconds(20)
        options.monitor.keysInterval = .milliseconds(20)
        options.monitor.headroomBytes = headroomBytes
        options.worker.interval = .milliseconds(2)
        let events = EventLog()
        let service = try await SaleService(
            cluster: rig.cluster, store: store ?? rig.store, options: options, events: events)
        try await SaleRig.running([{ await service.run() }]) { try await body(service, events) }
    }

    func set(_ rig: SaleRig, _ name: String, _ value: String) async throws {
        try await rig.redis("CONFIG", ["SET", name, value].map { Array($0.utf8) })
    }

    static func buyUntilHalted(_ engine: DeductionEngine, _ rig: SaleRig) async -> [Order] {
        var orders: [Order] = []
        while true {
            let order = rig.order()
            let outcome = await engine.deduct(order)
            if outcome == .refused(.halted) { return orders }
            // A full server may keep a call waiting; that one is not counted as sold.
            if outcome == yes { orders.append(order) }
        }
    }

    @Test("a sale is opened only on servers that keep its promise, and the first reason is told in one line")
    func opening() async throws {
        try await SaleRig.with(units: [10], durability: .aof, isOpen: false) { rig async throws in
            try await withService(rig) { service, _ async throws in
                _ = try await service.warm()
                let refused = await service.control.open()
                #expect(!refused.succeeded && refused.sentence.contains("set appendonly yes"), "\(refused.sentence)")
                #expect(try await rig.store.sale()?.state == .warmed)
                try await set(rig, "appendonly", "yes")
                try await set(rig, "appendfsync", "no")
                #expect(await service.control.open().sentence.contains("appendfsync is no"))
                try await set(rig, "appendfsync", "always")
                try await set(rig, "maxmemory-policy", "allkeys-lru")
                #expect(await service.control.open().sentence.contains("maxmemory-policy is allkeys-lru"))
                try await set(rig, "maxmemory-policy", "noeviction")
                try await rig.redis("EXPIRE", rig.keys.ledgers[0], "1000")
                #expect(await service.control.open().sentence.contains("PERSIST"))
                try await rig.redis("PERSIST", rig.keys.ledgers[0])
                let opened = await service.control.open()
                #expect(opened.succeeded, "\(opened.sentence)")
                #expect(await service.engine.deduct(rig.order()) == Self.yes)
            }
        }
    }

    @Test("a promise that is taken away while the sale is open halts it, and a person opens it again")
    func takenAway() async throws {
        try await SaleRig.with(units: [10], durability: .aof, serverLines: ["appendonly yes"]) { rig async throws in
            try await withService(rig) { service, events async throws in
                #expect(await service.engine.deduct(rig.order()) == Self.yes)
                try await set(rig, "appendonly", "no")
                try await eventually("the sale is halted") { try await rig.store.sale()?.state == .halted }
                try await eventually("Redis says so") {
                    await service.engine.deduct(rig.order()) == .refused(.halted)
                }
                #expect(events.events.contains { $0.text.contains("keeps no append-only file") })
                try await eventually("it is in the records") {
                    try await rig.store.auditTrail(limit: 9).contains { $0.after.contains("append-only file") }
                }
                #expect(await !service.control.open().succeeded)
                try await set(rig, "appendonly", "yes")
                #expect(await service.control.open().succeeded)
                #expect(await service.engine.deduct(rig.order()) == Self.yes)
            }
        }
    }

    @Test("at durable SQL holds the promise: what could be evicted is only told")
    func told() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            try await withService(rig) { service, events async throws in
                try await set(rig, "maxmemory-policy", "allkeys-lfu")
                try await eventually("it is told") { service.monitor.findings.map(\.kind) == [.evicts] }
                try await rig.redis("EXPIRE", rig.keys.stocks[0], "1000")
                try await eventually("that too") { service.monitor.findings.map(\.kind) == [.evicts, .expiring] }
                #expect(try await rig.store.sale()?.state == .open)
                #expect(await service.engine.deduct(rig.order()) == Self.yes)
                try await set(rig, "maxmemory-policy", "noeviction")
                try await rig.redis("PERSIST", rig.keys.stocks[0])
                try await eventually("all is well") { service.monitor.findings.isEmpty }
                try await eventually("it is told") { events.events.contains { $0.text.contains("fit again") } }
            }
        }
    }

    @Test(
        "before memory runs out the sale halts, give-backs pass, and a person opens it with more",
        arguments: Durability.anywhere)
    func memory(durability: Durability) async throws {
        try await SaleRig.with(
            units: [1_000_000], durability: durability, serverLines: ["maxmemory 6mb"]
        ) { rig async throws in
            try await withService(rig, headroomBytes: 1 << 20) { service, events async throws in
                let engine = service.engine
                let orders = await withTaskGroup(of: [Order].self) { group in
                    for _ in 0..<32 { group.addTask { await Self.buyUntilHalted(engine, rig) } }
                    return await group.reduce(into: []) { $0 += $1 }
                }
                try await eventually("the sale is halted") { try await rig.store.sale()?.state == .halted }
                #expect(orders.count > 1_000)
                try await eventually("it is told") {
                    events.events.contains { $0.text.contains("runs out of memory") }
                }
                // Nothing is fenced, and there is room to give back: Redis itself refuses nothing.
                #expect(service.supervisor.status.fences == 0)
                for order in orders.prefix(200) {
                    #expect(await engine.cancel(order) == .cancelled)
                }
                // SQL has the outbox by now, and its room is free again: less is given, so that it does not do.
                try await set(rig, "maxmemory", "3mb")
                let refused = await service.control.open()
                #expect(!refused.succeeded && refused.sentence.contains("runs out of memory"), "\(refused.sentence)")
                try await set(rig, "maxmemory", "64mb")
                let opened = await service.control.open()
                #expect(opened.succeeded, "\(opened.sentence)")
                try await eventually("it sells") { await engine.deduct(rig.order()) == Self.yes }
                try await eventually("SQL has all of it") {
                    let comparison = await service.compare(ledgers: true)
                    return comparison.findings.isEmpty && comparison.cuts == 1
                }
                #expect(service.supervisor.status.fences == 0)
            }
        }
    }

    @Test("a server that is full all the same refuses orders and is not taken for damaged")
    func full() async throws {
        try await SaleRig.with(units: [1_000_000], durability: .memory) { rig async throws in
            let engine = try await rig.makeEngine { fence in Issue.record("fenced: \(fence.reason)") }
            try await SaleRig.running([{ await engine.run() }]) {
                let order = rig.order()
                #expect(await engine.deduct(order) == Self.yes)
                try await set(rig, "maxmemory", "1mb")
                #expect(await engine.deduct(rig.order()) == .refused(.halted))
                // The answer to a retry waits for what it may write.
                #expect(await engine.deduct(order) == .refused(.halted))
                #expect(await engine.deduct(order, isRetry: true) == .unknown(.replyLost))
                try await set(rig, "maxmemory", "0")
                #expect(await engine.deduct(order) == .done(duplicate: true))
                #expect(await engine.deduct(rig.order()) == Self.yes)
                #expect(try await rig.stock() == 999_998)
            }
        }
    }

    @Test("without SQL the engine stops by itself, and the sale is halted once SQL answers")
    func withoutSQL() async throws {
        // More than anybody buys until the engine has stopped.
        try await SaleRig.with(units: [1_000_000], durability: .memory) { rig async throws in
            let store = SilentOrderStore(rig.store)
            try await withService(rig, store: store) { service, _ async throws in
                #expect(await service.engine.deduct(rig.order()) == Self.yes)
                store.setSilent(true)
                try await set(rig, "maxmemory-policy", "allkeys-lru")
                try await eventually("the engine stops") {
                    await service.engine.deduct(rig.order()) == .refused(.halted)
                }
                #expect(try await rig.store.sale()?.state == .open)
                store.setSilent(false)
                try await eventually("the sale is halted") { try await rig.store.sale()?.state == .halted }
                try await set(rig, "maxmemory-policy", "noeviction")
                try await eventually("a person may open it") { await service.control.open().succeeded }
                // The engine's brake is let go by the monitor's next look, not by the act.
                try await eventually("it sells") { await service.engine.deduct(rig.order()) == Self.yes }
            }
        }
    }
}
