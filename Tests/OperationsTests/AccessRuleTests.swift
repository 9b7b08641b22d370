import Deduction
import Inventory
import Lab
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Telemetry
import Testing

@testable import Operations

/// The rules that `doctor` prints, on a real server with exactly these users.
@Suite("Least-privilege users", .timeLimit(.minutes(5)))
struct AccessRuleTests {
    /// A connection as a user who has a role's rules and nothing else.
    private func connect(_ role: AccessRole, _ rig: SaleRig, foreign: ForeignKeys? = nil) async throws -> RedisCluster {
        var command = RedisCommand("ACL", "SETUSER", "\(role)", "on", ">pw")
        for rule in role.rules(foreign: foreign) { command.append(rule) }
        _ = try await rig.cluster.call(slot: 0, command, deadline: .now + .seconds(5))
        return try await RedisCluster.connect(
            to: RedisURL(address: RedisURL(rig.fleet.url).address, user: "\(role)", password: "pw"))
    }

    private func expectForbidden(_ cluster: RedisCluster, _ name: String, _ words: String...) async throws {
        var command = RedisCommand(name)
        for word in words { command.append(word) }
        do {
            let reply = try await cluster.call(slot: 0, command, deadline: .now + .seconds(5))
            Issue.record("\(name) was allowed: \(reply)")
        } catch { #expect(error.kind == .noPermission, "\(name): \(error)") }
    }

    @Test("a watcher watches and can change nothing")
    func watcher() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2) { rig async throws in
            let cluster = try await connect(.watcher, rig)
            defer { cluster.close() }
            let service = try await SaleService(cluster: cluster, store: rig.store, events: EventLog())
            let kept = Mutex<WarRoomSnapshot?>(nil)
            let sampler = WarRoomSampler(
                service: service, witness: nil, topology: "single", redisURL: "", ordersURL: ""
            ) { snapshot in kept.withLock { $0 = snapshot } }
            await sampler.sample()
            let snapshot = try #require(kept.withLock { $0 })
            #expect(snapshot.skus.map(\.stock) == [10, 10] && snapshot.denied == [])
            let comparison = await service.compare(ledgers: true)
            #expect(comparison.unread.isEmpty && comparison.driftUnits == 0)
            #expect(await service.monitor.check().isEmpty)
            try await expectForbidden(cluster, "SET", "ss_{t1}sku1", "99")
            try await expectForbidden(cluster, "HSET", "sx_{t1}sku1", "#", "x")
            try await expectForbidden(cluster, "FLUSHALL")
            try await expectForbidden(cluster, "CONFIG", "GET", "requirepass")
            // By way of a script neither.
            let frozen = await service.control.setFrozen(SKUNumber(rawValue: 1), true)
            let control = try await rig.cluster.call(
                slot: rig.keys.slot, RedisCommand("HGET", "sx_{t1}sku1", "#"), deadline: .now + .seconds(5)
            ).string
            #expect(control?.split(separator: " ")[3] == "0", "\(frozen) \(control ?? "")")
        }
    }

    @Test("who may not look is told which rule it takes: nothing is called down or fenced for it")
    func unseen() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2) { rig async throws in
            let cluster = try await connect(.watcher, rig)
            defer { cluster.close() }
            let service = try await SaleService(cluster: cluster, store: rig.store, events: EventLog())
            let sampler = WarRoomSampler(
                service: service, witness: nil, topology: "single", redisURL: "", ordersURL: ""
            ) { _ in }
            func allow(_ rule: String) async throws {
                _ = try await rig.cluster.call(
                    slot: 0, RedisCommand("ACL", "SETUSER", "watcher", rule), deadline: .now + .seconds(30))
            }
            for (forbidden, shown) in [("-info", "+info"), ("-evalsha", "+evalsha")] {
                try await allow(forbidden)
                // Memory is read every other second only, and tells of INFO.
                try await eventually("\(shown) is named", within: .seconds(30)) {
                    await sampler.sample()
                    return await sampler.snapshot.needs(.stock) == "needs \(shown)"
                }
                let snapshot = await sampler.snapshot
                #expect(snapshot.nodes.map(\.isUp) == [true] && snapshot.fencedBuckets == 0)
                #expect(snapshot.skus.allSatisfy { $0.stock == nil && $0.isUnseen })
                #expect(snapshot.alerts.contains { $0.text == "some of it cannot be seen: allow this user \(shown)" })
                #expect(!snapshot.alerts.contains { $0.kind == .nodeDown })
                try await allow("+" + forbidden.dropFirst())
                try await eventually("it is seen again", within: .seconds(30)) {
                    await sampler.sample()
                    let seen = await sampler.snapshot
                    return seen.denied.isEmpty && seen.skus.allSatisfy { $0.stock == 10 }
                }
            }
            // Nor may a watcher act, and hears why.
            let thawed = await service.control.setFrozen(SKUNumber(rawValue: 1), true)
            #expect(thawed.sentence.contains("this user may not write there: sellout doctor"), "\(thawed)")
        }
    }

    @Test("an operator freezes, thaws, restocks and halts, and can neither sell nor delete")
    func operates() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let cluster = try await connect(.operator, rig)
            defer { cluster.close() }
            let service = try await SaleService(cluster: cluster, store: rig.store, events: EventLog())
            let control = service.control
            let one = SKUNumber(rawValue: 1)
            #expect(await control.setFrozen(one, true).succeeded)
            #expect(await control.setFrozen(one, false).succeeded)
            let restock = await control.restock(one, units: 5)
            #expect(restock.succeeded, "\(restock)")
            let stock = try await rig.cluster.call(
                slot: rig.keys.slot, RedisCommand("GET", "ss_{t1}sku1"), deadline: .now + .seconds(5))
            #expect(stock.int == 15)
            #expect(await control.halt().succeeded)
            try await expectForbidden(cluster, "DEL", "ss_{t1}sku1")
            try await expectForbidden(cluster, "DECRBY", "ss_{t1}sku1", "1")
            try await expectForbidden(cluster, "SET", "other", "1")
        }
    }

    @Test("an engine sells, and recovers what was lost")
    func engine() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let cluster = try await connect(.engine, rig)
            defer { cluster.close() }
            let service = try await SaleService(cluster: cluster, store: rig.store, events: EventLog())
            try await SaleRig.running([{ await service.run() }]) {
                #expect(await service.engine.deduct(rig.order(1, 2)) == .done(duplicate: false))
                try await rig.fleet.flushAll(0)
                try await eventually("the bucket is rebuilt and sells again", within: .seconds(20)) {
                    await service.engine.deduct(rig.order(1, 1)) == .done(duplicate: false)
                }
                let stock = try await rig.cluster.call(
                    slot: rig.keys.slot, RedisCommand("GET", "ss_{t1}sku1"), deadline: .now + .seconds(5))
                #expect(stock.int.map { $0 <= 7 } == true)
            }
            try await expectForbidden(cluster, "FLUSHALL")
            try await expectForbidden(cluster, "SET", "other", "1")
        }
    }

    @Test("doctor says what each user may do, and what would have to be allowed")
    func doctor() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let books = Doctor.Books(catalogue: rig.catalogue, durability: .durable)
            func report(_ cluster: RedisCluster) async -> Doctor.Report {
                await Doctor(cluster: cluster, books: books, keys: nil, budget: ForeignBudget()).examine()
            }
            let root = try await RedisCluster.connect(to: RedisURL(rig.fleet.url))
            defer { root.close() }
            let all = await report(root)
            #expect(all.user == "default" && all.abilities.allSatisfy { $0.lacking.isEmpty && $0.unknown.isEmpty })
            #expect(all.exitCode == 0 || all.exitCode == 3, "\(all.findings)")
            #expect(all.rules.count == 3)

            let watcher = try await connect(.watcher, rig)
            defer { watcher.close() }
            let own = await report(watcher)
            let abilities = Dictionary(uniqueKeysWithValues: own.abilities.map { ($0.role, $0) })
            #expect(abilities[.watcher]?.lacking == [])
            // Nobody tells a watcher whether it may write, and nothing is tried.
            #expect(abilities[.operator]?.unknown.contains("+hset") == true)

            _ = try await rig.cluster.call(
                slot: rig.keys.slot, RedisCommand("PEXPIRE", "ss_{t1}sku1", "600000"), deadline: .now + .seconds(5))
            _ = try await rig.cluster.call(
                slot: 0, RedisCommand("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"), deadline: .now + .seconds(5))
            let bad = await report(root)
            #expect(bad.exitCode == 1)
            #expect(bad.findings.contains { $0.severity == .bad && $0.sentence.contains("ss_{t1}sku1") })
            #expect(bad.findings.contains { $0.severity == .bad && $0.sentence.contains("allkeys-lru") })
        }
    }
}
