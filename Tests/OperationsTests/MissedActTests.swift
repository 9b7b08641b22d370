import Inventory
import Operations
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Telemetry
import Testing

@testable import Deduction

extension SaleRig {
    fileprivate var acts: BucketActs {
        BucketActs(catalogue: catalogue, cluster: cluster, scripts: scripts, store: store)
    }

    fileprivate var keeper: ActKeeper {
        ActKeeper(catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, acts: acts)
    }

    fileprivate func control(_ bucket: Bucket? = nil) async throws -> BucketControl {
        let number = (bucket ?? self.bucket).number
        return try await store.bucketControls().first { $0.record.bucket == number }!
    }

    /// `<state> <act>`, and `frozen` for each SKU that is.
    fileprivate func says(_ bucket: Bucket? = nil) async throws -> String {
        let bucket = bucket ?? self.bucket
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        let reply = try await cluster.evaluate(
            scripts.cut, BucketCut.call(keys: keys), slot: keys.slot, deadline: soon)
        let cut = try #require(BucketCut(reply, bucket: bucket))
        let frozen = cut.skus.filter { $0.control?.frozen == true }.map { " frozen \($0.sku.rawValue)" }
        return "\(cut.state) \(cut.act)" + frozen.joined()
    }
}

/// Acts on the sale that a bucket did not hear: SQL is the truth, and every bucket comes to say the same.
@Suite("An act that a bucket missed", .timeLimit(.minutes(5)))
struct MissedActTests {
    static let yes = DeductionOutcome.done(duplicate: false)

    @Test("is told within a second of the bucket's answering again")
    func outOfReach() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2, port: DeafPort.between) { rig async throws in
            let port = try #require(rig.cluster as? DeafPort)
            let bucket = rig.catalogue.buckets[1]
            let events = EventLog()
            let service = try await SaleService(cluster: port, store: rig.store, events: events)
            try await SaleRig.running([{ await service.run() }]) {
                for sku: Int32 in [1, 2] { #expect(await service.engine.deduct(rig.order(sku)) == Self.yes) }
                port.setDeaf(true, bucket)
                let frozen = await service.control.setFrozen(SKUNumber(rawValue: 2), true)
                #expect(frozen.succeeded && frozen.sentence.contains("follows when it can"), "\(frozen.sentence)")
                let halted = await service.control.halt()
                #expect(halted.succeeded && halted.sentence.contains("1 more as soon as"), "\(halted.sentence)")
                #expect(await service.engine.deduct(rig.order(1)) == .refused(.halted))
                port.setDeaf(false, bucket)
                #expect(try await rig.says(bucket) == "open 1")
                try await eventually("it halts") { try await rig.says(bucket) == "halted 3 frozen 2" }
                try await eventually("it is told") { events.events.contains { $0.text.contains("had missed an act") } }
                #expect(await service.control.open().succeeded)
                try await eventually("its node is found again") {
                    await service.engine.deduct(rig.order(2)) == .refused(.frozen)
                }
                #expect(await service.control.setFrozen(SKUNumber(rawValue: 2), false).succeeded)
                #expect(await service.engine.deduct(rig.order(2)) == Self.yes)
                #expect(service.supervisor.status.fences == 0)
            }
        }
    }

    @Test("is told by somebody else where whoever acted died between SQL and Redis")
    func actorDied() async throws {
        try await SaleRig.with(units: [10, 10, 10], buckets: 2) { rig async throws in
            let keeper = rig.keeper
            try await keeper.look()
            _ = try await rig.store.setFrozen(SKUNumber(rawValue: 3), true)
            _ = try await rig.store.setSaleState(from: [.open], to: .halted)
            #expect(try await rig.says() == "open 1")
            // The books agree, and the difference is told apart from drift.
            let comparison = await rig.compare()
            #expect(comparison.findings.map(\.kind) == [.missedAct, .missedAct] && comparison.driftUnits == 0)
            #expect(comparison.findings[0].sentence.contains("SQL says halted with 1 frozen (act 3), Redis open"))
            try await keeper.look()
            #expect(try await rig.says() == "halted 3 frozen 3")
            #expect(try await rig.says(rig.catalogue.buckets[1]) == "halted 2")
            #expect(await rig.compare().findings.isEmpty)
            // What is new since the last look may be on its way: mended, and not counted as missed.
            #expect(keeper.status.mended == 0)
            _ = try await rig.store.setSaleState(from: [.halted], to: .open)
            try await rig.keeper.look(atEverySKU: false)
            #expect(try await rig.says() == "open 4 frozen 3")
        }
    }

    @Test("what stood in its way is said, not that the last attempt was cut short")
    func lastAttempt() async throws {
        try await SaleRig.with(units: [10], port: DeafPort.between) { rig async throws in
            let port = try #require(rig.cluster as? DeafPort)
            try await rig.redis("HSET", rig.keys.control, "state", "recovering")
            port.onAnswer { _ in port.setDeaf(true, rig.bucket) }
            // So short that every attempt is.
            let patience = Duration.milliseconds(300)
            let told = await rig.acts.tellAll(patience: patience)[rig.bucket.number]
            port.setDeaf(false, rig.bucket)
            let restock = try await rig.store.restock(SKUNumber(rawValue: 1), units: 3)
            for outcome in [told, await rig.acts.apply(restock, patience: patience)] {
                guard case .waitsForRecovery(let obstacle)? = outcome else {
                    Issue.record("it was told: \(String(describing: outcome))")
                    continue
                }
                #expect(obstacle.hasPrefix("bucket t1: "), "\(obstacle)")
            }
            #expect(port.missed(rig.bucket) > 1)
        }
    }

    @Test("a halt waits for no store: Redis has it at once, nobody undoes it, and SQL follows")
    func haltAhead() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2) { rig async throws in
            let store = StoreThatWritesNothing(rig.store)
            let events = EventLog()
            let service = try await SaleService(cluster: rig.cluster, store: store, events: events)
            try await SaleRig.running([{ await service.run() }]) {
                #expect(await service.engine.deduct(rig.order(1)) == Self.yes)
                store.isLocked = true
                async let halt = service.control.halt()
                for bucket in rig.catalogue.buckets {
                    try await eventually("it halts") { try await rig.says(bucket) == "halted 2" }
                }
                try await eventually("it is told") {
                    events.events.contains { $0.text.contains("all 2 buckets take no") }
                }
                #expect(try await rig.store.sale()?.state == .open)
                // Who reads SQL alone takes nothing back, and says what is so.
                try await rig.keeper.look()
                #expect(try await rig.says() == "halted 2")
                let found = await rig.compare().findings
                #expect(found.map(\.kind) == [.missedAct, .missedAct], "\(found)")
                #expect(found.first?.sentence.contains("halted by an act that SQL has not heard of") == true)
                #expect(await service.engine.deduct(rig.order(1)) == .refused(.halted))
                store.isLocked = false
                #expect(await halt.succeeded)
                #expect(try await rig.store.sale()?.state == .halted)
                #expect(try await rig.says() == "halted 2")
                #expect(await service.control.open().succeeded)
                #expect(await service.engine.deduct(rig.order(1)) == Self.yes)
            }
        }
    }

    /// An order store whose file somebody has locked: it can be read.
    private final class StoreThatWritesNothing: OrderStoreDecorator {
        let base: any OrderStore
        private let locked = Mutex(false)
        init(_ base: any OrderStore) { self.base = base }
        var isLocked: Bool {
            get { locked.withLock { $0 } }
            set { locked.withLock { $0 = newValue } }
        }
        func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale {
            if isLocked { throw OrderStoreError(.refused, "the file is locked") }
            return try await base.setSaleState(from: from, to: to)
        }
    }

    @Test("and comes late does not undo a newer one")
    func late() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let acts = rig.acts
            _ = try await rig.store.setSaleState(from: [.open], to: .halted)
            _ = try await rig.store.setFrozen(SKUNumber(rawValue: 2), true)
            let old = try await rig.control()
            _ = try await rig.store.setFrozen(SKUNumber(rawValue: 2), false)
            _ = try await rig.store.setSaleState(from: [.halted], to: .open)
            #expect(await acts.tellAll(patience: .seconds(1)) == [rig.bucket.number: .applied])
            let n = try await rig.cut().id?.n
            guard case .known = await acts.send(old, to: rig.bucket, deadline: rig.soon) else {
                Issue.record("an old act was taken")
                return
            }
            #expect(try await rig.says() == "open 5")
            #expect(try await rig.cut().id?.n == n)
            #expect(try await rig.deduct([rig.order(2)]).hasSuffix("D"))
            // Nor from before a recovery, whoever sent it.
            try await rig.recover()
            guard case .obstacle = await acts.send(old, to: rig.bucket, deadline: rig.soon) else {
                Issue.record("an act of an old epoch was taken")
                return
            }
            #expect(try await rig.says() == "open 5")
        }
    }

    @Test("is told once, however many tell it at the same time")
    func manyTell() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let before = try #require(try await rig.cut().id?.n)
            _ = try await rig.store.setSaleState(from: [.open], to: .halted)
            await withDiscardingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask { _ = await rig.acts.tellAll(patience: .seconds(1)) }
                    group.addTask { try? await rig.keeper.look() }
                }
            }
            #expect(try await rig.says() == "halted 2")
            #expect(try await rig.cut().id?.n == before + 1)
        }
    }

    @Test("while it was being recovered stands in the opening, with its number")
    func duringRecovery() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let report = try await rig.recoverer.recover(rig.bucket.number) {
            } settle: { _ in
                _ = try await rig.store.setSaleState(from: [.open], to: .halted)
                _ = try await rig.store.setFrozen(SKUNumber(rawValue: 1), true)
                // The bucket takes no acts now.
                let outcome = await rig.acts.tell(bucketOf: SKUNumber(rawValue: 1), patience: .zero)
                #expect(outcome != .applied)
            }
            #expect(report.isRebuilt)
            #expect(try await rig.says() == "halted 3 frozen 1")
        }
    }

    @Test("a flag that somebody changed by hand is set right, and so is a state")
    func meddled() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let keeper = rig.keeper
            try await rig.redis("HSET", rig.keys.ledgers[1], "#", "10 0 0 1 0")
            try await keeper.look(atEverySKU: false)
            #expect(try await rig.says() == "open 1 frozen 2")
            try await keeper.look(atEverySKU: true)
            #expect(try await rig.says() == "open 1")
            try await rig.redis("HSET", rig.keys.control, "state", "halted")
            try await keeper.look(atEverySKU: false)
            #expect(try await rig.says() == "open 1")
            #expect(keeper.status.mended == 2)
        }
    }

    @Test("a halt waits for no damage of a SKU")
    func damaged() async throws {
        try await SaleRig.with(units: [10, 10, 10]) { rig async throws in
            try await rig.redis("HDEL", rig.keys.ledgers[0], "#")
            try await rig.redis("SET", rig.keys.ledgers[1], "a key of another type")
            _ = try await rig.store.setSaleState(from: [.open], to: .halted)
            #expect(await rig.acts.tellAll(patience: .seconds(1)) == [rig.bucket.number: .applied])
            #expect(try await rig.deduct([rig.order(3)]) == "fenced halted")
        }
    }

    @Test("is only told of by who looks on: watch writes nothing")
    func watching() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            var options = SaleService.Options()
            options.comparePeriod = .milliseconds(10)
            let service = try await SaleService(
                cluster: rig.cluster, store: rig.store, options: options, events: EventLog())
            _ = try await rig.store.setSaleState(from: [.open], to: .halted)
            try await SaleRig.running([{ await service.observe() }]) {
                try await eventually("it is seen") {
                    service.lastComparisons.last?.findings.map(\.kind) == [.missedAct]
                }
                let count = service.lastComparisons.count
                try await eventually("it looks on") { service.lastComparisons.count > count + 20 }
                #expect(try await rig.says() == "open 1")
            }
        }
    }
}
