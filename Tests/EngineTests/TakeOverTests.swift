import Deduction
import Glibc
import Host
import Inventory
import Lab
import Operations
import OrderStore
import Redis
import SaleRig
import Testing

/// A process whose worker served the outbox is killed; one that lives takes over.
@Suite("A worker's process that is killed", .timeLimit(.minutes(1)))
struct TakeOverTests {
    @Test("another process brings what it left to SQL, every entry once", arguments: Durability.anywhere)
    func takenOver(durability: Durability) async throws {
        let floor = try await EngineFloor(durability)
        let dead = try await floor.run(seed: 1, orders: 60, dieAt: "answered deduct:12")
        #expect(dead.ending == .killed(signal: SIGKILL), "\(dead.text)")
        let store = try SQLiteOrderStore.open(path: floor.books)
        let cluster = try await RedisCluster.connect(to: RedisURL(floor.fleet.url))
        let catalogue = try await store.catalogue()
        let scripts = try await Scripts.load(on: cluster)
        func left() async throws -> Int64 {
            var left: Int64 = 0
            let records = Dictionary(uniqueKeysWithValues: try await store.buckets().map { ($0.bucket, $0) })
            for bucket in catalogue.buckets {
                let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
                let reply = try await cluster.evaluate(
                    scripts.cut, BucketCut.call(keys: keys), slot: keys.slot, deadline: .now + .seconds(5))
                let id = try #require(BucketCut(reply, bucket: bucket)?.id)
                left += id.n - records[bucket.number]!.drainedN
            }
            return left
        }
        let before = try await left()
        #expect(before > 0, "the dead one left nothing, so nothing is tested")
        var configuration = OutboxWorker.Configuration()
        configuration.onlyAbandoned = durability == .durable
        let worker = OutboxWorker(
            catalogue: catalogue, cluster: cluster, store: store, configuration: configuration)
        let work = Task { await worker.run() }
        try await eventually("it is taken over", within: .seconds(5)) { try await left() == 0 }
        work.cancel()
        await work.value
        #expect(worker.status.settledEntries == before)
        cluster.close()
        await store.close()
        let last = try await floor.run(seed: 2, orders: 0, settles: true)
        #expect(last.ending == .exited(code: 0), "\(last.text)")
        try await floor.check()
        await floor.stop()
    }
}
