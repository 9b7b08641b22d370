import Deduction
import Inventory
import Lab
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Testing

/// Each way in which a bucket's data can go wrong behind the callers' backs, made on purpose; the fence must close it.
@Suite("Planted holes", .timeLimit(.minutes(5)))
struct PlantedHoleTests {
    /// An engine under way, and the reasons for which it fenced.
    final class Watched: Sendable {
        let engine: DeductionEngine
        private let fences: Mutexed
        var reasons: [FenceReason] { fences.value.withLock { $0 } }
        final class Mutexed: Sendable { let value = Mutex<[FenceReason]>([]) }

        init(engine: DeductionEngine, fences: Mutexed) {
            self.engine = engine
            self.fences = fences
        }

        convenience init(_ rig: SaleRig, store: (any OrderStore)? = nil) async throws {
            let fences = Mutexed()
            let engine = try await rig.makeEngine(store: store) { fence in
                fences.value.withLock { $0.append(fence.reason) }
            }
            self.init(engine: engine, fences: fences)
        }

        func sell(_ rig: SaleRig, _ count: Int) async -> [DeductionOutcome] {
            var outcomes: [DeductionOutcome] = []
            for _ in 0..<count { outcomes.append(await engine.deduct(rig.order())) }
            return outcomes
        }

        func reopens() async throws {
            try await eventually("the engine reopens") { engine.laneStatuses[0].isOpen }
        }
    }

    static let yes = DeductionOutcome.done(duplicate: false)

    @Test(
        "FLUSHALL and a reload of older keys: an engine that saw more, and one that knows only SQL, sell nothing of it")
    func flushAndReload() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let first = try await Watched(rig)
            try await SaleRig.running([{ await first.engine.run() }]) {
                #expect(await first.sell(rig, 3) == [Self.yes, Self.yes, Self.yes])
                let dump = try await rig.dump()
                #expect(await first.sell(rig, 3) == [Self.yes, Self.yes, Self.yes])
                try await rig.flushAndReload(dump)
                #expect(try await rig.stock() == 7)
                let comparison = await rig.compare()
                #expect(comparison.findings.map(\.kind) == [.lostBucket])
                let second = try await Watched(rig)
                try await SaleRig.running([{ await second.engine.run() }]) {
                    for watched in [first, second] {
                        #expect(await watched.sell(rig, 1) == [.refused(.fenced)])
                        #expect(watched.reasons == [.behind])
                    }
                    #expect(try await rig.stock() == 7)
                    try await rig.recover()
                    try await first.reopens()
                    try await second.reopens()
                    #expect(await second.sell(rig, 5) == [Self.yes, Self.yes, Self.yes, Self.yes, .refused(.soldOut)])
                }
            }
            #expect(try await rig.counters().reserved == 10)
            #expect(await rig.compare().driftUnits == 0)
        }
    }

    @Test("a reload of keys of an older epoch is met by a fence that calls for recovery")
    func reloadOfOlderEpoch() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let dump = try await rig.dump()
            try await rig.recover()
            let watched = try await Watched(rig)
            try await SaleRig.running([{ await watched.engine.run() }]) {
                #expect(await watched.sell(rig, 2) == [Self.yes, Self.yes])
                try await rig.flushAndReload(dump)
                let comparison = await rig.compare()
                #expect(comparison.unread.isEmpty && comparison.findings.contains { $0.kind.needsRecovery })
                #expect(await watched.sell(rig, 1) == [.refused(.fenced)])
                #expect(watched.reasons.first?.needsRecovery == true)
                #expect(try await rig.stock() == 10)
                try await rig.recover()
                try await watched.reopens()
                #expect(await watched.sell(rig, 1) == [Self.yes])
                #expect(try await rig.stock() == 7)
            }
        }
    }

    @Test("older stock set by hand sells nothing")
    func stockSetByHand() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order(1, 4)]) == "1 D")
            try await rig.redis("SET", rig.keys.stocks[0], "10")
            #expect(try await rig.deduct([rig.order()]) == "fenced unbalanced")
            #expect(try await rig.release([rig.order()]) == "fenced unbalanced")
            #expect(try await rig.stock() == 10)
            try await rig.recover()
            #expect(try await rig.stock() == 6)
        }
    }

    enum Key: String, CaseIterable, Sendable { case control, outbox, stock, ledger }

    static func key(_ key: Key, _ rig: SaleRig) -> [UInt8] {
        switch key {
        case .control: rig.keys.control
        case .outbox: rig.keys.outbox
        case .stock: rig.keys.stocks[0]
        case .ledger: rig.keys.ledgers[0]
        }
    }

    @Test("one kind of key deleted, all others there: fenced, rebuilt, nothing lost", arguments: Key.allCases)
    func oneKeyDeleted(_ which: Key) async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            try await withService(rig) { watched, supervisor async throws in
                let order = rig.order([(1, 2), (2, 1)])
                #expect(await watched.engine.deduct(order) == Self.yes)
                try await rig.redis("DEL", Self.key(which, rig))
                let outcome = await watched.engine.deduct(rig.order())
                #expect(outcome == .refused(.fenced))
                try await watched.reopens()
                try await eventually("the recovery is counted") { supervisor.status.recoveries == 1 }
                #expect(await watched.engine.deduct(order) == .done(duplicate: true))
                #expect(await watched.sell(rig, 9).filter { $0 == Self.yes }.count == 8)
            }
            #expect(try await rig.counters().reserved == 10)
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("a key of another type where one of ours was: fenced and rebuilt", arguments: Key.allCases)
    func wrongType(_ which: Key) async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            try await withService(rig) { watched, supervisor async throws in
                #expect(await watched.sell(rig, 1) == [Self.yes])
                try await rig.redis("DEL", Self.key(which, rig))
                try await rig.redis("LPUSH", Self.key(which, rig), "x")
                // The script raised, so the order is uncertain and asked again: it may well hear its yes after the recovery.
                _ = await watched.sell(rig, 1)
                try await eventually("it is recovered") { supervisor.status.recoveries > 0 }
                try await watched.reopens()
                #expect(await watched.sell(rig, 1) == [Self.yes])
            }
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("a replica answers, also a writable one; it is promoted; the former master is promoted back")
    func promotions() async throws {
        try await SaleRig.with(units: [10], serverLines: ["repl-diskless-sync-delay 0"]) { rig async throws in
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            try await rig.drain()
            let master = rig.fleet.nodes[0].address
            let node = try await rig.fleet.addServer(extraLines: ["replicaof \(master.host) \(master.port)"])
            let other = try await RedisCluster.connect(to: RedisURL(rig.fleet.url(of: node.index)))
            defer { other.close() }
            func linkIsUp(_ cluster: any RedisPort) async throws -> Bool {
                let info = try await cluster.call(
                    slot: rig.keys.slot, RedisCommand("INFO", "replication"), deadline: rig.soon)
                return info.string?.contains("master_link_status:up") == true
            }
            try await eventually("the replica is in step") { try await linkIsUp(other) }
            // The first replica gives the master a new lineage.
            #expect(try await rig.deduct([rig.order()]) == "fenced lineage")
            try await rig.recover()
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            try await rig.drain()
            let epoch = try await rig.record.epoch
            try await eventually("the replica has what the master has") {
                let control = try await other.call(
                    slot: rig.keys.slot,
                    RedisCommand("HMGET", String(decoding: rig.keys.control, as: UTF8.self), "epoch", "n"),
                    deadline: rig.soon)
                return control.array?.map(\.int) == [epoch.rawValue, 1]
            }
            #expect(try await rig.deduct([rig.order()], on: other) == "fenced replica")
            func tell(_ cluster: any RedisPort, _ command: RedisCommand) async throws {
                _ = try await cluster.call(slot: rig.keys.slot, command, deadline: rig.soon)
            }
            try await tell(other, RedisCommand("CONFIG", "SET", "replica-read-only", "no"))
            #expect(try await rig.deduct([rig.order()], on: other) == "fenced replica")
            try await tell(other, RedisCommand("REPLICAOF", "NO", "ONE"))
            #expect(try await rig.deduct([rig.order()], on: other) == "fenced lineage")

            try await tell(rig.cluster, RedisCommand("REPLICAOF", node.address.host, "\(node.address.port)"))
            try await eventually("the former master follows") { try await linkIsUp(rig.cluster) }
            #expect(try await rig.deduct([rig.order()]) == "fenced replica")
            try await tell(rig.cluster, RedisCommand("REPLICAOF", "NO", "ONE"))
            #expect(try await rig.deduct([rig.order()]) == "fenced lineage")
            #expect(try await rig.stock() == 8)
            try await rig.recover()
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            #expect(try await rig.stock() == 7)
        }
    }

    @Test("a recoverer that stalls while another recovers writes nowhere", arguments: [0, 1, 2])
    func stalledRecoverer(stage: Int) async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order(1, 3)]) == "1 D")
            let stalled = try await rig.store.claimEpoch(bucket: rig.bucket.number, above: .none, by: "A")
            #expect(try await rig.step(rig.scripts.close, epoch: stalled) == "ok")
            #expect(try await rig.deduct([rig.order()], epoch: stalled) == "fenced recovering")
            if stage >= 1 { _ = try await rig.store.fold(bucket: rig.bucket.number, claim: stalled) }
            if stage >= 2 { _ = try await rig.store.markOpened(bucket: rig.bucket.number, claim: stalled) }
            let report = try await rig.recover()
            #expect(report.epoch > stalled)
            let before = try await rig.cut()

            #expect(try await rig.step(rig.scripts.close, epoch: stalled) == "epoch")
            #expect(try await rig.step(rig.scripts.rebuild, epoch: stalled, ["0", "clear"]) == "epoch")
            #expect(
                try await rig.step(rig.scripts.open, epoch: stalled, ["0", "open", "0", "10", "0", "0", "0", "0"])
                    == "epoch"
            )
            await #expect(throws: OrderStoreError.self) {
                try await rig.store.fold(bucket: rig.bucket.number, claim: stalled)
            }
            await #expect(throws: OrderStoreError.self) {
                try await rig.store.markOpened(bucket: rig.bucket.number, claim: stalled)
            }
            let late = EntrySettlement(
                bucket: rig.bucket.number, id: OutboxID(epoch: Epoch(rawValue: stalled.rawValue - 1), n: 9),
                action: .deduct([rig.order()]))
            let result = try await rig.store.commit(CommitBatch(entries: [late], claim: stalled)).entries[0]
            guard case .stale = result else {
                Issue.record("a stale claim drained: \(result)")
                return
            }
            let after = try await rig.cut()
            #expect(before.skus == after.skus && before.id == after.id && after.damage == nil)
            // A recovery that folded before the entry was drained would have lost it: stage 1 and 2 fold without draining.
            if stage == 0 { #expect(try await rig.stock() == 7) }
            #expect(try await rig.deduct([rig.order()]) == "1 D")
        }
    }

    @Test("a recoverer that dies before its last write leaves a bucket that recovers by itself")
    func deadRecoverer() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let dead = try await rig.store.claimEpoch(bucket: rig.bucket.number, above: .none, by: "dead")
            #expect(try await rig.step(rig.scripts.close, epoch: dead) == "ok")
            _ = try await rig.store.fold(bucket: rig.bucket.number, claim: dead)
            _ = try await rig.store.markOpened(bucket: rig.bucket.number, claim: dead)
            try await withService(rig) { watched, _ async throws in
                #expect(await watched.sell(rig, 1) == [.refused(.fenced)])
                try await eventually("somebody opens it") { await watched.sell(rig, 1) == [Self.yes] }
            }
        }
    }

    @Test("a stale engine that commits after another recovered: 10 of 10, not 14")
    func staleEngine() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let gate = Gate()
            let slow = InterposedOrderStore(rig.store) { batch, base in
                await gate.pass()
                return try await base.commit(batch)
            }
            let stale = try await Watched(rig, store: slow)
            let fresh = try await Watched(rig)
            try await SaleRig.running([{ await stale.engine.run() }, { await fresh.engine.run() }]) {
                let orders = (0..<4).map { _ in rig.order() }
                async let late = withTaskGroup(of: DeductionOutcome.self) { group in
                    for order in orders { group.addTask { await stale.engine.deduct(order) } }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                try await eventually("Redis took four") { try await rig.stock() == 6 }
                try await rig.redis("FLUSHALL", [])
                try await rig.recover()
                #expect(await fresh.sell(rig, 1) == [.refused(.fenced)])
                try await fresh.reopens()
                #expect(await fresh.sell(rig, 11).filter { $0 == Self.yes }.count == 10)
                gate.open()
                // Their epoch ended before SQL heard of them, and the new one is sold out: nobody may say yes, nor a final no.
                for outcome in await late { #expect(outcome == .unknown(.epochEnded)) }
                #expect(try await rig.store.absent(orders.map(\.flow)).count == 4)
                let counters = try await rig.counters()
                #expect(counters.sold + counters.reserved == 10 && counters.overCapacity == 0)
                for order in orders { #expect(await stale.engine.cancel(order) == .cancelled) }
                #expect(try await rig.stock() == 0)
            }
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("orders beyond capacity give nothing back, since they hold nothing")
    func overCapacity() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            // Redis believes in 14 units.
            try await rig.redis("SET", rig.keys.stocks[0], "14")
            try await rig.redis("HSET", rig.keys.ledgers[0], "#", "14 0 0 0 0")
            let orders = (0..<14).map { _ in rig.order() }
            #expect(try await rig.deduct(orders) == "1 " + String(repeating: "D", count: 14))
            #expect(try await rig.recover().overCapacity == 4)
            #expect(try await rig.stock() == 0)
            let beyond = Array(orders.suffix(4))
            try await withService(rig) { watched, supervisor async throws in
                // At durable nobody was told yes, so they are void and their flows forbidden: a retry hears its final no, and that
                // is no reason to rebuild the bucket.
                #expect(await watched.engine.deduct(beyond[0]) == .refused(.cancelled))
                #expect(watched.reasons.isEmpty && supervisor.status.fences == 0)
                for order in beyond { #expect(await watched.engine.cancel(order) == .cancelled) }
                let nothingBack = try await rig.stock()
                #expect(nothingBack == 0)
                #expect(await watched.engine.cancel(orders[0]) == .cancelled)
                let oneBack = try await rig.stock()
                #expect(oneBack == 1)
            }
            let counters = try await rig.counters()
            #expect(counters.reserved == 9 && counters.overCapacity == 0)
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("SCRIPT FLUSH is harmless")
    func scriptFlush() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let watched = try await Watched(rig)
            try await SaleRig.running([{ await watched.engine.run() }]) {
                #expect(await watched.sell(rig, 1) == [Self.yes])
                try await rig.redis("SCRIPT", [Array("FLUSH".utf8)])
                #expect(await watched.sell(rig, 1) == [Self.yes])
                #expect(watched.reasons.isEmpty)
            }
        }
    }

    @Test("a server killed and back empty on its port: fenced, rebuilt, reopened by themselves, nothing lost")
    func crash() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            try await withService(rig) { watched, supervisor async throws in
                let orders = (0..<5).map { _ in rig.order() }
                for order in orders { #expect(await watched.engine.deduct(order) == Self.yes) }
                try await rig.fleet.crash(0)
                let outcome = await watched.engine.deduct(rig.order())
                #expect(outcome == .refused(.unreachable) || outcome == .unknown(.replyLost))
                try await rig.fleet.restart(0)
                try await eventually("the bucket is rebuilt") { supervisor.status.recoveries > 0 }
                try await watched.reopens()
                for order in orders { #expect(await watched.engine.deduct(order) == .done(duplicate: true)) }
                let more = await watched.sell(rig, 6)
                #expect(more.filter { $0 == Self.yes }.count >= 4)
            }
            let counters = try await rig.counters()
            #expect(counters.reserved <= 10 && counters.reserved >= 9)
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
        }
    }

    // MARK: Parts

    /// An engine whose fences a supervisor mends.
    func withService(_ rig: SaleRig, _ body: (Watched, RecoverySupervisor) async throws -> Void) async throws {
        let supervisor = RecoverySupervisor(recoverer: rig.recoverer)
        let watched = try await Watched(rig, supervisor: supervisor)
        try await SaleRig.running([{ await watched.engine.run() }, { await supervisor.run() }]) {
            try await body(watched, supervisor)
        }
    }
}

extension PlantedHoleTests.Watched {
    convenience init(_ rig: SaleRig, supervisor: RecoverySupervisor) async throws {
        let fences = Mutexed()
        let engine = try await rig.makeEngine { fence in
            fences.value.withLock { $0.append(fence.reason) }
            supervisor.report(fence.bucket, epoch: fence.epoch, reason: fence.reason)
        }
        self.init(engine: engine, fences: fences)
    }
}

/// Holds everybody back until it is opened.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func pass() async {
        await withCheckedContinuation { continuation in
            let passes = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if passes { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
