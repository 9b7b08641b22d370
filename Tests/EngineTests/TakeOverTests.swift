import Deduction
import Glibc
import Host
import Inventory
import Lab
import Operations
import OrderStore
import Redis
import SaleRig
import Synchronization
import Testing

/// A process whose worker served the outbox is killed; one that lives takes over.
@Suite("A worker's process that is killed", .timeLimit(.minutes(5)))
struct TakeOverTests {
    /// An order store that keeps what SQL answered to each entry, in order.
    private final class Answers: OrderStoreDecorator {
        let base: any OrderStore
        private let kept = Mutex<[EntryID: [Bool]]>([:])

        struct EntryID: Hashable {
            let bucket: BucketNumber
            let id: OutboxID
        }

        init(base: any OrderStore) { self.base = base }

        /// By entry: whether SQL settled it then; else it was settled before.
        var byEntry: [EntryID: [Bool]] { kept.withLock { $0 } }
        var settled: Int { byEntry.values.reduce(0) { $0 + $1.count { $0 } } }

        func commit(_ batch: CommitBatch) async throws -> CommitResult {
            let result = try await base.commit(batch)
            kept.withLock { kept in
                for (entry, answer) in zip(batch.entries, result.entries) {
                    let id = EntryID(bucket: entry.bucket, id: entry.id)
                    switch answer {
                    case .settled: kept[id, default: []].append(true)
                    case .already: kept[id, default: []].append(false)
                    case .stale: break
                    }
                }
            }
            return result
        }
    }

    @Test("another process brings what it left to SQL, every entry once", arguments: Durability.anywhere)
    func takenOver(durability: Durability) async throws {
        let floor = try await EngineFloor(durability)
        let dead = try await floor.run(seed: 1, orders: 60, dieAt: "answered deduct:12")
        #expect(dead.ending == .killed(signal: SIGKILL), "\(dead.text)")
        let store = try SQLiteOrderStore.open(path: floor.books)
        let cluster = try await RedisCluster.connect(to: RedisURL(floor.fleet.url))
        let catalogue = try await store.catalogue()
        let scripts = try await Scripts.load(on: cluster)
        func left() async throws -> [(first: Answers.EntryID, count: Int64)] {
            var left: [(first: Answers.EntryID, count: Int64)] = []
            let records = Dictionary(uniqueKeysWithValues: try await store.buckets().map { ($0.bucket, $0) })
            for bucket in catalogue.buckets {
                let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
                let reply = try await cluster.evaluate(
                    scripts.cut, BucketCut.call(keys: keys), slot: keys.slot, deadline: .now + .seconds(5))
                let id = try #require(BucketCut(reply, bucket: bucket)?.id)
                let record = try #require(records[bucket.number])
                guard id.n > record.drainedN else { continue }
                let first = OutboxID(epoch: id.epoch, n: record.drainedN + 1)
                left.append((.init(bucket: bucket.number, id: first), id.n - record.drainedN))
            }
            return left
        }
        let before = try await left()
        #expect(!before.isEmpty, "the dead one left nothing, so nothing is tested")
        let answers = Answers(base: store)
        var configuration = OutboxWorker.Configuration()
        configuration.onlyAbandoned = durability == .durable
        let worker = OutboxWorker(
            catalogue: catalogue, cluster: cluster, store: answers, configuration: configuration)
        let work = Task { await worker.run() }
        try await eventually("it is taken over", within: .seconds(5)) { try await left().isEmpty }
        // SQL may have it before the worker hears so.
        let count = before.reduce(0) { $0 + Int($1.count) }
        try await eventually("it heard of every entry") { answers.byEntry.count >= count }
        work.cancel()
        await work.value
        #expect(answers.byEntry.count == count)
        #expect(answers.byEntry.values.allSatisfy { !$0.dropFirst().contains(true) }, "an entry was settled twice")
        // Below `durable` the dead one's engine settled some entries of releases before its worker came to
        // those below them; the first that is missing nobody had settled.
        for (first, _) in before { #expect(answers.byEntry[first]?.first == true, "\(first) was not settled") }
        #expect(worker.status.settledEntries == Int64(answers.settled), "\(answers.byEntry)")
        cluster.close()
        await store.close()
        // What the first decides, the second asks again.
        for seed in [2, 3] as [UInt64] {
            let fresh = try await floor.run(seed: seed, orders: 0, settles: true)
            #expect(fresh.ending == .exited(code: 0), "\(fresh.text)")
        }
        try await floor.check()
        await floor.stop()
    }
}
