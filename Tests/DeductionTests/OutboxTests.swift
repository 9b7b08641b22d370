import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Synchronization
import Testing

/// The stream between Redis and SQL when SQL is slow, out, or full.
@Suite("The outbox", .timeLimit(.minutes(5)))
struct OutboxTests {
    private func worker(_ rig: SaleRig, _ store: any OrderStore, entriesMax: Int = 512) -> OutboxWorker {
        var configuration = OutboxWorker.Configuration()
        configuration.trimInterval = .milliseconds(10)
        configuration.entriesMax = entriesMax
        return OutboxWorker(catalogue: rig.catalogue, cluster: rig.cluster, store: store, configuration: configuration)
    }

    private func firstID(_ rig: SaleRig) async throws -> OutboxID? {
        let command = RedisCommand("XRANGE", String(decoding: rig.keys.outbox, as: UTF8.self), "-", "+", "COUNT", "1")
        let reply = try await rig.cluster.call(slot: rig.keys.slot, command, deadline: rig.soon)
        return OutboxEntry.read(reply, bucket: rig.bucket.number).first?.id
    }

    @Test("it is trimmed only below what SQL holds, however often a worker looks")
    func trimming() async throws {
        try await SaleRig.with(units: [1_000], durability: .memory) { rig async throws in
            let committed = Mutex<Int64>(0)
            let holdsBack = Mutex(true)
            // Lets one entry through for each ten that Redis has, until it is told to let all through.
            let store = InterposedOrderStore(rig.store) { batch, base in
                let allowed = holdsBack.withLock { $0 } ? 10 : Int64.max
                let some = batch.entries.filter { $0.id.n <= allowed }
                guard some.count == batch.entries.count else { throw OrderStoreError(.refused, "not now") }
                let result = try await base.commit(batch)
                committed.withLock { $0 = max($0, batch.entries.map(\.id.n).max() ?? 0) }
                return result
            }
            let worker = worker(rig, store, entriesMax: 5)
            try await SaleRig.running([{ await worker.run() }]) {
                for n in 1...10 { #expect(try await rig.deduct([rig.order()]) == "\(n) D") }
                try await eventually("SQL has ten") { try await rig.record.drainedThrough.n == 10 }
                for n in 11...30 {
                    #expect(try await rig.deduct([rig.order()]) == "\(n) D")
                    let drained = try await rig.record.drainedThrough
                    let first = try await firstID(rig)
                    #expect(first! <= drained, "trimmed to \(first!), SQL holds \(drained)")
                }
                try await eventually("it was tried and refused") { worker.status.failures > 2 }
                #expect(try await rig.outbox(after: try await rig.record.drainedThrough).count == 20)
                holdsBack.withLock { $0 = false }
                try await eventually("SQL has all") { try await rig.record.drainedThrough.n == 30 }
                // A further entry moves the position, and with it the trim.
                #expect(try await rig.deduct([rig.order()]) == "31 D")
                try await eventually("the rest goes") {
                    let (first, drained) = (try await firstID(rig)!, try await rig.record.drainedThrough)
                    return first.n >= 30 && first <= drained
                }
            }
            #expect(try await rig.counters().reserved == 31)
        }
    }

    @Test("SQL out: the age of what waits shows and grows, retries back off, nothing is lost")
    func outage() async throws {
        try await SaleRig.with(units: [1_000], durability: .memory) { rig async throws in
            // The engine reads its lease from SQL all the time; what counts here is the worker's patience.
            let store = FailingOrderStore(base: rig.store)
            let engine = try await rig.makeEngine()
            let worker = worker(rig, store)
            let clock = ContinuousClock()
            try await SaleRig.running([{ await engine.run() }, { await worker.run() }]) {
                #expect(await engine.deduct(rig.order()) == .done(duplicate: false))
                try await eventually("SQL has it") { try await rig.counters().reserved == 1 }
                try await eventually("nothing waits") { worker.status.oldestMilliseconds == 0 }
                store.fail(with: "database is locked")
                let begin = clock.now
                // Sold while SQL is out: the worker cannot even ask where it stands.
                for _ in 0..<50 { #expect(await engine.deduct(rig.order()) == .done(duplicate: false)) }
                try await eventually("the age shows") { worker.status.oldestMilliseconds > 300 }
                try await eventually("the age grows") { worker.status.oldestMilliseconds > 2_500 }
                let age = worker.status.oldestMilliseconds
                let passed = begin.duration(to: clock.now)
                #expect(.milliseconds(age) <= passed + .milliseconds(100))
                #expect(worker.status.lastError?.contains("locked") == true)
                // At 20 ms a look it would be more than a hundred.
                #expect(store.failedCalls < 20, "tried \(store.failedCalls) times in \(passed)")
                store.fail(with: nil)
                try await eventually("SQL has all") { try await rig.counters().reserved == 51 }
                try await eventually("nothing waits") { worker.status.oldestMilliseconds == 0 }
                try await eventually("nothing is wrong") {
                    worker.status.lastError == nil && worker.status.failures == 0
                }
            }
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("at durable a commit that fails is tried again with growing pauses, and its order is done in the end")
    func groupCommitBacksOff() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let store = FailingOrderStore(base: rig.store)
            let engine = try await rig.makeEngine(store: store)
            try await SaleRig.running([{ await engine.run() }]) {
                store.fail(with: "database or disk is full")
                async let outcome = engine.deduct(rig.order())
                try await eventually("it is seen") { engine.storeError?.contains("full") == true }
                try await eventually("it was tried a few times") { store.failedCommits >= 5 }
                store.fail(with: nil)
                #expect(await outcome == .done(duplicate: false))
                #expect(engine.storeError == nil)
                store.fail(with: "database or disk is full")
                let before = store.failedCommits
                // SQL has the last word, and nobody knows it: 3 s of retries, then the buyer hears unknown.
                #expect(await engine.deduct(rig.order()) == .unknown(.storeFailed))
                #expect(store.failedCommits - before < 12, "tried \(store.failedCommits - before) times")
            }
        }
    }

    @Test("two workers on one bucket settle each entry once")
    func twoWorkers() async throws {
        try await SaleRig.with(units: [10_000], durability: .memory) { rig async throws in
            let workers = [worker(rig, rig.store), worker(rig, rig.store)]
            try await SaleRig.running(workers.map { worker in { await worker.run() } }) {
                for _ in 0..<100 { _ = try await rig.deduct((0..<5).map { _ in rig.order() }) }
                try await eventually("SQL has all") { try await rig.counters().reserved == 500 }
            }
            #expect(workers.reduce(0) { $0 + $1.status.settledEntries } == 100)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("after an unknown, a no is final only once the cancellation was answered")
    func noAfterUnknown() async throws {
        try await SaleRig.with(units: [1], limitsPerBuyer: [:]) { rig async throws in
            let engine = try await rig.makeEngine()
            try await SaleRig.running([{ await engine.run() }]) {
                let lost = rig.order()
                #expect(await engine.deduct(rig.order()) == .done(duplicate: false))
                // Sold out, says Redis now; the lost attempt may still run, and somebody may give back meanwhile.
                #expect(await engine.deduct(lost, isRetry: true) == .unknown(.replyLost))
                #expect(await engine.cancel(lost) == .cancelled)
                #expect(await engine.deduct(lost, isRetry: true) == .refused(.cancelled))
                _ = try await rig.store.restock(SKUNumber(rawValue: 1), units: 5)
                let acts = BucketActs(
                    catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
                for restock in try await rig.store.pendingRestocks() {
                    #expect(await acts.apply(restock, patience: .seconds(5)) == .applied)
                }
                // The lost attempt comes through at last: too late.
                #expect(try await rig.deduct([lost]).hasSuffix(" X"))
            }
        }
    }
}
