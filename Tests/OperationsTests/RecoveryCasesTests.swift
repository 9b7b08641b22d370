import Deduction
import Foundation
import Inventory
import Lab
import Operations
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Telemetry
import Testing

/// A whole sale, with everything that works behind it, on real servers to which something happens.
@Suite("A sale recovers by itself", .serialized, .timeLimit(.minutes(3)))
struct RecoveryCasesTests {
    enum Topology: String, CaseIterable { case single, replicated, cluster }

    enum Fault: String, CaseIterable {
        case killedAndEmpty, olderFile, promotedWhole, promotedWithoutTail, thereAndBack, firstReplica, flushed
        case scriptsForgotten, keyDeleted, evicted, reusedID
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let fault: Fault
        let topology: Topology
        var durability = Durability.durable
        var testDescription: String { "\(fault.rawValue) on \(topology.rawValue) at \(durability.rawValue)" }
    }

    static let cases: [Case] = {
        let anywhere: [Fault] = [.killedAndEmpty, .flushed]
        let single: [Fault] = [
            .olderFile, .firstReplica, .scriptsForgotten, .keyDeleted, .evicted, .reusedID,
        ]
        let replicated: [Fault] = [.promotedWhole, .promotedWithoutTail, .thereAndBack]
        var cases: [Case] = []
        for fault in anywhere + single { cases.append(Case(fault: fault, topology: .single)) }
        for fault in anywhere + replicated { cases.append(Case(fault: fault, topology: .replicated)) }
        for fault in anywhere + [.promotedWithoutTail] { cases.append(Case(fault: fault, topology: .cluster)) }
        cases.append(Case(fault: .olderFile, topology: .single, durability: .aof))
        cases.append(Case(fault: .promotedWithoutTail, topology: .replicated, durability: .memory))
        cases.append(Case(fault: .promotedWhole, topology: .replicated, durability: .replicated(1)))
        return cases
    }()

    @Test("whatever happens to its server, no durable yes is lost and the books agree", arguments: cases)
    func recovers(_ scene: Case) async throws {
        try await Floor.with(scene.topology, scene.durability, keepsFile: scene.fault == .olderFile) {
            floor async throws in
            let service = floor.service
            try await inflict(scene.fault, on: floor)
            try await floor.sellsAgain()
            try await floor.sell(20)
            try await floor.check(mayHaveLost: scene.durability != .durable && scene.fault != .promotedWhole)
            let status = service.supervisor.status
            #expect((status.recoveries > 0) == (scene.fault != .scriptsForgotten), "\(status)")
            let told = service.events.events.map(\.text)
            if scene.fault == .firstReplica || scene.fault == .promotedWhole {
                #expect(told.contains { $0.contains("not rebuilt") }, "\(told)")
                #expect(!told.contains { $0.contains("rebuilt from SQL (") }, "\(told)")
            }
            // Below `durable` with a replica nobody opens while an engine may still say yes for the old master.
            if scene.fault == .promotedWithoutTail, scene.durability == .memory {
                #expect(status.lastOutage ?? .zero > Lease.length, "\(status)")
            }
        }
    }

    private func inflict(_ fault: Fault, on floor: Floor) async throws {
        let fleet = floor.fleet
        let shard = fleet.shard(ofSlot: floor.keys.slot)
        let master = fleet.master(ofShard: shard)
        func set(_ name: String, _ value: String) async throws {
            try await floor.redis(RedisCommand("CONFIG", "SET", name, value))
        }
        switch fault {
        case .killedAndEmpty:
            try await fleet.crash(master)
            try await fleet.restart(master)
        case .olderFile:
            let bytes = try fleet.appendOnlyBytes(master)
            try await floor.sell(20)
            try await fleet.crash(master)
            try fleet.cutAppendOnly(master, toBytes: bytes)
            try await fleet.restart(master)
        case .promotedWhole:
            try await floor.drained()
            try await floor.replicaHasAll(shard)
            try await fleet.promote(fleet.replicas(ofShard: shard)[0])
            // A sale that waits for a replica needs another one now.
            try await fleet.rejoin(master, shard: shard)
        case .promotedWithoutTail:
            let replica = fleet.replicas(ofShard: shard)[0]
            try fleet.setReplicationFaults(.deadToClient, of: replica)
            try await floor.sell(20)
            try await fleet.promote(replica)
            fleet.healWires()
        case .thereAndBack:
            let replica = fleet.replicas(ofShard: shard)[0]
            try await fleet.promote(replica)
            try await fleet.rejoin(master, shard: shard)
            try await fleet.promote(master)
            try await fleet.rejoin(replica, shard: shard)
        case .firstReplica: _ = try await fleet.attachReplica(shard: shard)
        case .flushed: try await fleet.flushAll(master)
        case .scriptsForgotten: try await fleet.forgetScripts(master)
        case .keyDeleted:
            let key = String(decoding: floor.keys.ledgers[0], as: UTF8.self)
            #expect(try await fleet.delete(key: key))
        case .evicted:
            try await set("maxmemory-policy", "allkeys-random")
            try await set("maxmemory", "1")
            _ = try? await floor.redis(RedisCommand("SET", "{t1}x", "y"))
            try await set("maxmemory", "0")
            try await set("maxmemory-policy", "noeviction")
        case .reusedID:
            let control = String(decoding: floor.keys.control, as: UTF8.self)
            try await floor.redis(RedisCommand("HINCRBY", control, "n", "-1"))
        }
    }

    @Test("with SQL down a fenced bucket stays closed, says so, and opens once SQL answers")
    func withoutSQL() async throws {
        try await Floor.with(.single, .durable) { floor async throws in
            floor.store.setSilent(true)
            try await floor.fleet.flushAll(0)
            do {
                try await eventually("it is told") {
                    _ = await floor.service.engine.deduct(floor.order())
                    return floor.service.events.events.contains {
                        $0.text.contains("stays closed") && $0.text.contains("does not answer")
                    }
                }
            } catch let never as NeverHappened {
                Issue.record("\(never): \(floor.story)")
                throw never
            }
            #expect(await floor.service.engine.deduct(floor.order()) == .refused(.fenced))
            #expect(try await floor.redis(RedisCommand("DBSIZE")).int == 0)
            floor.store.setSilent(false)
            try await floor.sellsAgain()
            try await floor.check()
        }
    }

    @Test("of two recoverers at once each bucket has one, and the other keeps away")
    func two() async throws {
        try await SaleRig.with(units: [50]) { rig async throws in
            let orders = (0..<20).map { _ in rig.order() }
            _ = try await rig.deduct(orders)
            var overtaken = 0
            for _ in 0..<15 {
                let results = await withTaskGroup(of: Result<Epoch, any Error>.self) { group in
                    for _ in 0..<2 {
                        group.addTask {
                            do {
                                let epoch = try await rig.recover().epoch
                                return .success(epoch)
                            } catch { return .failure(error) }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                let epochs = results.compactMap { try? $0.get() }
                #expect(!epochs.isEmpty && Set(epochs).count == epochs.count, "\(results)")
                overtaken += results.count - epochs.count
                let record = try await rig.record
                #expect(record.epoch == epochs.max() && record.state == .open)
                #expect(try await rig.deduct(orders) == "0 " + String(repeating: "d", count: 20))
            }
            #expect(try await rig.stock() == 30)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            // Else they never met.
            #expect(overtaken > 0)
        }
    }
}

/// A sale of two buckets, its servers, and the buyers who remember every yes.
private final class Floor: Sendable {
    let fleet: EmbeddedFleet
    let store: SilentOrderStore
    let cluster: RedisCluster
    let service: SaleService
    let bucket: Bucket
    let keys: BucketKeys
    private let flows = Mutex(FlowIDGenerator())
    private let yeses = Mutex<[Order]>([])

    private init(fleet: EmbeddedFleet, store: SilentOrderStore, cluster: RedisCluster, service: SaleService) {
        self.fleet = fleet
        self.store = store
        self.cluster = cluster
        self.service = service
        bucket = service.catalogue.buckets[0]
        keys = BucketKeys(bucket: bucket, catalogue: service.catalogue)
    }

    static func with(
        _ topology: RecoveryCasesTests.Topology, _ durability: Durability, keepsFile: Bool = false,
        _ body: (Floor) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("recovery-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let fleet = try await EmbeddedFleet.start(
            .init(
                masters: topology == .cluster ? 3 : 1, replicas: topology == .single ? 0 : 1,
                options: ServerOptions(appendOnly: keepsFile ? .always : .off), isProxied: topology != .single,
                extraLines: ["repl-diskless-sync-delay 0"]))
        let outcome: Result<Void, any Error>
        do {
            let books = try SQLiteOrderStore.open(path: folder + "/orders.db")
            _ = try await books.createSale(
                SaleDraft(
                    name: "recovery", durability: durability,
                    skus: (1...4).map { .init(sku: "s\($0)", name: "SKU \($0)", tag: "t\($0 % 2 + 1)", allocated: 500) }
                ))
            let store = SilentOrderStore(books)
            let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
            var options = SaleService.Options()
            options.comparePeriod = .milliseconds(200)
            // A limit of memory that lasts for two commands would be a reason to halt for whoever looks just then.
            options.monitor.interval = .seconds(3_600)
            let service = try await SaleService(cluster: cluster, store: store, options: options, events: EventLog())
            let floor = Floor(fleet: fleet, store: store, cluster: cluster, service: service)
            do {
                _ = try await service.warm()
                let opened = await service.control.open()
                #expect(opened.succeeded, "\(opened.sentence)")
                try await SaleRig.running([{ await service.run() }]) {
                    // The engine was there before the buckets were loaded. Until it has heard of them it refuses every order, and
                    // what happens to a server then happens to a sale that has not begun.
                    try await eventually("the engine sells") { service.engine.laneStatuses.allSatisfy(\.isOpen) }
                    // It looks once, at the start.
                    try await eventually("the monitor has looked") { service.monitor.looks > 0 }
                    try await floor.sell(20)
                    #expect(floor.yesCount == 20, "\(floor.story)")
                    try await body(floor)
                }
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            cluster.close()
            await books.close()
        } catch {
            await fleet.stop()
            throw error
        }
        await fleet.stop()
        try outcome.get()
    }

    @discardableResult
    func redis(_ command: RedisCommand) async throws -> RedisReply {
        try await cluster.call(slot: keys.slot, command, deadline: .now + .seconds(5))
    }

    /// One unit of a SKU of the first bucket.
    func order() -> Order {
        let flow = flows.withLock { $0.next(milliseconds: WallClock.milliseconds, random: .random(in: 0 ... .max)) }
        return Order(
            trustedFlow: flow, bucket: bucket.number,
            sortedLines: [OrderLine(sku: bucket.skus.randomElement()!, quantity: 1)])
    }

    /// Sells one unit after another; a yes is remembered.
    func sell(_ count: Int) async throws {
        for _ in 0..<count {
            let order = order()
            let outcome = await service.engine.deduct(order)
            if case .done = outcome { yeses.withLock { $0.append(order) } }
        }
    }

    /// Waits until an order hears yes.
    func sellsAgain() async throws {
        var last: DeductionOutcome?
        do {
            try await eventually("it sells again", within: .seconds(10)) {
                let order = order()
                last = await service.engine.deduct(order)
                guard case .done? = last else { return false }
                yeses.withLock { $0.append(order) }
                return true
            }
        } catch let never as NeverHappened {
            Issue.record("\(never): the last order heard \(String(describing: last)); \(story)")
            throw never
        }
    }

    private var yesCount: Int { yeses.withLock { $0.count } }

    /// What is known of lanes and recoveries, for whoever reads why something did not happen.
    var story: String {
        "\(service.engine.laneStatuses); \(service.supervisor.status); \(service.events.events.map(\.text))"
    }

    func drained() async throws {
        try await eventually("SQL has what Redis did") {
            let reply = try await cluster.evaluate(
                service.scripts.cut, BucketCut.call(keys: keys), slot: keys.slot, deadline: .now + .seconds(2))
            let id = BucketCut(reply, bucket: bucket)?.id
            return try await store.buckets().first { $0.bucket == bucket.number }?.drainedThrough == id
        }
    }

    /// Waits until the replica of a shard has every write that was made before.
    func replicaHasAll(_ shard: Int) async throws {
        try await eventually("the replica has it") {
            let control = String(decoding: keys.control, as: UTF8.self)
            let connection = try RedisConnection(address: fleet.nodes[fleet.replicas(ofShard: shard)[0]].address)
            defer { connection.close() }
            let there = try await connection.call(
                RedisCommand("HMGET", control, "epoch", "n"), deadline: .now + .seconds(2))
            let here = try await redis(RedisCommand("HMGET", control, "epoch", "n"))
            return there == here
        }
    }

    /// No yes is lost, and both books agree to the unit.
    func check(mayHaveLost: Bool = false) async throws {
        try await eventually("the books agree", within: .seconds(20)) {
            let comparison = await service.compare(ledgers: true)
            return comparison.findings.isEmpty && comparison.unread.isEmpty
                && comparison.cuts == service.catalogue.buckets.count
                && service.engine.laneStatuses.allSatisfy(\.isOpen)
        }
        let yeses = yeses.withLock { $0 }
        #expect(yeses.count >= 20)
        let lost = try await store.absent(yeses.map(\.flow))
        if !mayHaveLost {
            #expect(lost.isEmpty, "\(lost.count) of \(yeses.count) are lost")
            for order in yeses.prefix(30) {
                #expect(await service.engine.deduct(order) == .done(duplicate: true))
            }
        }
        for sku in try await store.skuCounters() { #expect(sku.sold + sku.reserved <= sku.allocated) }
        #expect(try await store.orderTotals().overCapacity == 0)
    }
}
