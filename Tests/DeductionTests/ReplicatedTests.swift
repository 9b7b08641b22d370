import Deduction
import Foundation
import Inventory
import Lab
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Testing

/// A yes that rests on replicas, and on the lease that keeps an old master's engines silent.
@Suite("Replicated sales", .timeLimit(.minutes(5)))
struct ReplicatedTests {
    static let yes = DeductionOutcome.done(duplicate: false)
    static let again = DeductionOutcome.done(duplicate: true)

    func offset(_ rig: SaleRig) async throws -> Int {
        let info = try await rig.redis("INFO", [Array("replication".utf8)]).string ?? ""
        let line = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("master_repl_offset:") }
        return line.flatMap { Int($0.dropFirst("master_repl_offset:".count)) } ?? -1
    }

    @Test("script and WAIT are answered together, also after MOVED's kin: a forgotten script")
    func pair() async throws {
        try await SaleRig.with(units: [10], replicas: 1) { rig async throws in
            for _ in 0..<2 {
                let call = Self.call
                let script = try await rig.cluster.load(
                    RedisScript(name: "set", source: "return redis.call('INCR', KEYS[1])"))
                try await rig.redis("SCRIPT", [Array("FLUSH".utf8)])
                let answer = try await evaluate(rig.cluster, script, call, replicas: 1)
                #expect(answer.replicas == 1 && answer.reply.int != nil)
                // More than there are: what is there is counted when the time is over.
                let start = ContinuousClock.now
                let short = try await evaluate(rig.cluster, script, call, replicas: 2, within: .milliseconds(50))
                #expect(short.replicas == 1 && ContinuousClock.now - start >= .milliseconds(50))
            }
            // Others are not held up by those who wait.
            let slow = try await rig.cluster.load(
                RedisScript(name: "set", source: "return redis.call('INCR', KEYS[1])"))
            let call = Self.call
            async let waiting = evaluate(rig.cluster, slow, call, replicas: 2, within: .seconds(4))
            try await eventually("it ran") { try await rig.redis("GET", Array("k".utf8)).int == 5 }
            let start = ContinuousClock.now
            try await rig.redis("GET", Array("k".utf8))
            #expect(ContinuousClock.now - start < .seconds(3))
            #expect(try await waiting.replicas == 1)
            let broken = try await rig.cluster.load(RedisScript(name: "no", source: "return redis.error_reply('NO')"))
            await #expect(throws: RedisError.self) { try await evaluate(rig.cluster, broken, call, replicas: 1) }
        }
    }

    /// The key `k` and no arguments.
    static var call: ScriptCall {
        var call = ScriptCall(keyCount: 1)
        call.append("k")
        return call
    }

    func evaluate(
        _ cluster: any RedisPort, _ script: LoadedScript, _ call: ScriptCall, replicas: Int,
        within: Duration = .seconds(1)
    ) async throws -> ReplicatedReply {
        try await withCheckedContinuation { continuation in
            cluster.evaluate(
                script, call, slot: 0, replicas: replicas, within: within, deadline: .now + .seconds(5)
            ) { continuation.resume(returning: $0) }
        }.get()
    }

    @Test("yes is said once a replica has it; without one the same order is asked again until it has")
    func replicas() async throws {
        try await SaleRig.with(
            units: [10], durability: .replicated(1), replicas: 1, serverLines: ["repl-diskless-sync-delay 0"]
        ) { rig async throws in
            var configuration = DeductionEngine.Configuration()
            configuration.replicaTimeout = .milliseconds(250)
            configuration.orderTimeout = .seconds(3)
            let engine = try await rig.makeEngine(configuration: configuration) { Issue.record("fenced: \($0.reason)") }
            try await SaleRig.running([{ await engine.run() }]) {
                let first = rig.order()
                // On a busy machine the replica may need a second WAIT: then the engine's own retry finds the first.
                #expect([Self.yes, Self.again].contains(await engine.deduct(first)))
                #expect(await engine.deduct(first) == Self.again)
                try await rig.fleet.crash(1)
                let order = rig.order()
                #expect(await engine.deduct(order) == .unknown(.tooFewReplicas))
                #expect(try await rig.stock() == 8)
                // While nobody can have it, nothing more is taken.
                #expect(await engine.deduct(rig.order()) == .refused(.unreachable))
                guard case .unknown = await engine.deduct(first, isRetry: true) else {
                    Issue.record("a yes without a replica")
                    return
                }
                async let late = engine.deduct(order, isRetry: true)
                try await rig.fleet.restart(1)
                _ = await late
                try await eventually("the engine sells again") { await engine.deduct(rig.order()) == Self.yes }
                // The order that was taken meanwhile was taken once.
                #expect(await engine.deduct(order, isRetry: true) == Self.again)
                #expect(await engine.deduct(first) == Self.again)
            }
            try await rig.drain()
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("a yes said again writes before it waits: WAIT counts what its own connection wrote")
    func duplicatesWrite() async throws {
        try await SaleRig.with(units: [3], durability: .memory, replicas: 1) { rig async throws in
            let orders = (0..<3).map { _ in rig.order() }
            #expect(try await rig.deduct(orders) == "1 DDD")
            var before = try await offset(rig)
            func moved() async throws -> Bool {
                let now = try await offset(rig)
                defer { before = now }
                return now > before
            }
            #expect(try await rig.deduct([orders[1]]) == "1 d")
            #expect(try await moved())
            #expect(try await rig.deduct([orders[1], rig.order()]) == "1 dS")
            #expect(try await moved())
            // A no rests on nothing.
            #expect(try await rig.deduct([rig.order()]) == "1 S")
            #expect(try await !moved())
            #expect(try await rig.cut().id?.n == 1)
        }
    }

    @Test("without SQL a sale with replicas says no yes after two seconds, and goes on once SQL answers")
    func leaseEnds() async throws {
        try await SaleRig.with(units: [100_000], durability: .memory, replicas: 1) { rig async throws in
            let store = SilentOrderStore(rig.store)
            var configuration = DeductionEngine.Configuration()
            configuration.orderTimeout = .milliseconds(300)
            let engine = try await rig.makeEngine(store: store, configuration: configuration)
            try await SaleRig.running([{ await engine.run() }]) {
                #expect(await engine.deduct(rig.order()) == Self.yes)
                store.setSilent(true)
                let silentAt = ContinuousClock.now
                let last = Mutex(silentAt)
                try await eventually("it pauses") {
                    let asked = ContinuousClock.now
                    let outcome = await engine.deduct(rig.order())
                    if outcome == Self.yes { last.withLock { $0 = asked } }
                    return outcome == .refused(.unreachable)
                }
                // The last yes lies within the lease; nothing is said after it.
                #expect(last.withLock { $0 } - silentAt < Lease.length + .milliseconds(50))
                #expect(last.withLock { $0 } - silentAt > .seconds(1))
                #expect(engine.leaseOverdue ?? .zero >= Lease.length)
                let order = rig.order()
                guard case .unknown = await engine.deduct(order, isRetry: true) else {
                    Issue.record("a yes without a lease")
                    return
                }
                store.setSilent(false)
                try await eventually("it goes on") { await engine.deduct(rig.order()) == Self.yes }
                #expect(engine.leaseOverdue == nil)
            }
        }
    }

    @Test("an engine that slept between an answer and its yes says nothing, though Redis took the order")
    func slept() async throws {
        try await SaleRig.with(units: [10], durability: .memory, replicas: 1) { rig async throws in
            let sleep = Sleep()
            let port = SleepyPort(base: rig.cluster, sleep: sleep, deduct: rig.scripts.deduct.sha)
            var configuration = DeductionEngine.Configuration()
            configuration.orderTimeout = .seconds(20)
            let engine = try await DeductionEngine(
                catalogue: rig.catalogue, cluster: port, scripts: rig.scripts, store: rig.store, durability: .memory,
                configuration: configuration, clock: SaleClock(sleep))
            try await SaleRig.running([{ await engine.run() }]) {
                #expect(await engine.deduct(rig.order()) == Self.yes)
                let order = rig.order()
                sleep.set(beforeNextAnswer: .seconds(3))
                // It reads SQL again before it asks again, and then it is a yes said twice.
                #expect(await engine.deduct(order) == Self.again)
                #expect(try await rig.stock() == 8)
                // The same nap, and a recovery meanwhile that did not find the order.
                let lost = rig.order()
                sleep.set(beforeNextAnswer: .seconds(3)) {
                    _ = try? await rig.redis("FLUSHALL", [])
                    _ = try? await rig.recover()
                }
                #expect(await engine.deduct(lost) == Self.yes)
                let taken = try await rig.redis("HEXISTS", [rig.keys.ledgers[0], lost.flow.bytes]).int
                #expect(taken == 1, "yes was said for an order that nobody has")
            }
        }
    }

    @Test("an engine that only looks on misses no lease, however long it has not read SQL")
    func looksOn() async throws {
        try await SaleRig.with(units: [10], durability: .memory, replicas: 1) { rig async throws in
            let sleep = Sleep()
            let engine = try await DeductionEngine(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store,
                durability: .memory, clock: SaleClock(sleep))
            sleep.pass(.seconds(60))
            #expect(engine.leaseOverdue == nil)
        }
    }

    @Test("a server that never had a replica sells without SQL; once it has one, it does not")
    func leaseIsNeedless() async throws {
        try await SaleRig.with(
            units: [100_000], durability: .memory, serverLines: ["repl-diskless-sync-delay 0"]
        ) { rig async throws in
            let store = SilentOrderStore(rig.store)
            let supervisor = RecoverySupervisor(recoverer: rig.recoverer)
            let engine = try await rig.makeEngine(store: store) { fence in
                supervisor.report(fence.bucket, epoch: fence.epoch, n: fence.n, reason: fence.reason)
            }
            try await SaleRig.running([{ await engine.run() }, { await supervisor.run() }]) {
                #expect(await engine.deduct(rig.order()) == Self.yes)
                store.setSilent(true)
                let silentAt = ContinuousClock.now
                while ContinuousClock.now - silentAt < .seconds(3) {
                    #expect(await engine.deduct(rig.order()) == Self.yes)
                }
                #expect(engine.leaseOverdue == nil)
                store.setSilent(false)
                let master = rig.fleet.nodes[0].address
                _ = try await rig.fleet.addServer(extraLines: ["replicaof \(master.host) \(master.port)"])
                try await eventually("its first replica fences it") {
                    await engine.deduct(rig.order()) == .refused(.fenced)
                }
                try await eventually("it is open again") { await engine.deduct(rig.order()) == Self.yes }
                // The very process on which it was open has no double: nobody is waited for, which would take 2.1 s.
                #expect(supervisor.status.lastOutage ?? .seconds(9) < .seconds(2))
                store.setSilent(true)
                try await eventually("now it needs SQL") {
                    await engine.deduct(rig.order()) == .refused(.unreachable)
                }
            }
        }
    }
}

/// The lease as a value.
@Suite("The lease")
struct LeaseTests {
    let bucket = BucketNumber(rawValue: 1)
    let old = Epoch(rawValue: 3)
    let new = Epoch(rawValue: 4)

    func record(_ epoch: Epoch, _ state: BucketState = .open) -> BucketRecord {
        BucketRecord(bucket: bucket, epoch: epoch, state: state, drainedThrough: OutboxID(epoch: epoch, n: 0))
    }

    @Test("counts from the beginning of the last reading, and only for the epoch that it found open")
    func reading() {
        var lease = Lease()
        let start = ContinuousClock.now
        #expect(!lease.covers(bucket, old, now: start))
        lease.read([record(old)], began: start)
        #expect(lease.covers(bucket, old, now: start + Lease.length - .nanoseconds(1)))
        #expect(!lease.covers(bucket, old, now: start + Lease.length))
        #expect(!lease.covers(bucket, new, now: start))
        // A reading that began earlier and came later says nothing new.
        lease.read([record(new)], began: start - .seconds(1))
        #expect(lease.covers(bucket, old, now: start) && !lease.covers(bucket, new, now: start))
        lease.read([record(new, .recovering)], began: start + .seconds(1))
        #expect(!lease.covers(bucket, old, now: start + .seconds(1)))
        #expect(!lease.covers(bucket, new, now: start + .seconds(1)))
    }

    @Test("a recovery opens only after every lease that was read before its epoch")
    func outlived() {
        #expect(Lease.recoveryPause > Lease.length)
    }

    @Test("is not needed in an epoch that was met without replicas, and in no other")
    func needless() {
        var lease = Lease()
        lease.heard(bucket, old, hadReplica: false)
        #expect(lease.covers(bucket, old, now: .now) && !lease.isNeeded(bucket, old))
        #expect(!lease.covers(bucket, new, now: .now) && lease.isNeeded(bucket, new))
        lease.heard(bucket, new, hadReplica: true)
        #expect(lease.isDecided(bucket, new) && !lease.covers(bucket, new, now: .now))
    }
}
