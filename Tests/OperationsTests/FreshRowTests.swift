import Deduction
import Inventory
import OrderStore
import SaleRig
import Synchronization
import Telemetry
import Testing

@testable import Operations

@Suite("A sale too large to be cut whole each second", .timeLimit(.minutes(5)))
struct FreshRowTests {
    @Test("rows in sight are read by themselves between two cuts of everything; others wait for their turn")
    func inSight() async throws {
        try await SaleRig.with(units: [100, 100, 100], buckets: 2) { rig async throws in
            let service = try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
            let kept = Mutex<WarRoomSnapshot?>(nil)
            let sight = RowsInSight()
            let sampler = WarRoomSampler(
                service: service, witness: nil, topology: "single", redisURL: "", ordersURL: "", sight: sight
            ) { snapshot in kept.withLock { $0 = snapshot } }
            await sampler.sample()
            _ = try await rig.deduct([rig.order(1, 7)])
            _ = try await rig.deduct([rig.order(3, 9)])
            // The third is out of sight; a position that is not there harms nobody.
            sight.put([0, 1, 77])
            await sampler.refresh()
            let skus = await sampler.snapshot.skus
            #expect(skus.map(\.stock) == [93, 100, 100] && skus.map(\.taken) == [7, 0, 0])
            await sampler.sample()
            #expect(kept.withLock { $0 }?.skus.map(\.stock) == [93, 100, 91])
        }
        #expect(WarRoomSampler.sweepSeconds(of: 100_000) == 5 && WarRoomSampler.sweepSeconds(of: 10) == 0.1)
    }

    /// Counted in snapshots, of which there is one for each reading, however long a busy machine takes for it.
    @Test("while it runs, a row in sight is two readings old at most, and every other as old as a cut of everything")
    func bound() async throws {
        let units = [Int64](repeating: 1_000, count: 60)
        try await SaleRig.with(units: units, buckets: 1) { rig async throws in
            let service = try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
            let readings = Readings()
            let sight = RowsInSight()
            sight.put([0, 1])
            let sampler = WarRoomSampler(
                service: service, witness: nil, topology: "single", redisURL: "", ordersURL: "", sight: sight,
                skusPerSecond: 15
            ) { readings.put($0) }
            #expect(WarRoomSampler.sweepSeconds(of: 60, skusPerSecond: 15) == 4)
            try await SaleRig.running([{ await sampler.run() }]) {
                try await eventually("a first reading", within: .seconds(30)) { readings.count > 0 }
                var fresherInSight = 0
                for round in 1...3 {
                    let before = readings.count
                    // One in sight, one that nobody sees and of which nobody knows yet that it sells.
                    _ = try await rig.deduct([rig.order([(1, 1), (40 + Int32(round), 1)])])
                    try await eventually("both were read", within: .seconds(60)) {
                        readings.first(since: before, sku: 0, taken: Int64(round)) != nil
                            && readings.first(since: before, sku: 39 + round, taken: 1) != nil
                    }
                    let near = try #require(readings.first(since: before, sku: 0, taken: Int64(round)))
                    let far = try #require(readings.first(since: before, sku: 39 + round, taken: 1))
                    #expect(near - before <= 2)
                    // A cut of everything, and at most one reading a second between two of them.
                    #expect(far - before <= 6)
                    if near < far { fresherInSight += 1 }
                }
                #expect(fresherInSight > 0, "rows in sight are read no sooner than all others")
            }
        }
    }
}

/// What each snapshot said of the units taken.
private final class Readings: Sendable {
    private let all = Mutex<[[Int64]]>([])
    func put(_ snapshot: WarRoomSnapshot) { all.withLock { $0.append(snapshot.skus.map(\.taken)) } }
    var count: Int { all.withLock { $0.count } }

    /// The number of the first snapshot after `count` ones that says so, from 1.
    func first(since count: Int, sku: Int, taken: Int64) -> Int? {
        all.withLock { all in
            all.indices.first { $0 >= count && all[$0].indices.contains(sku) && all[$0][sku] >= taken }.map { $0 + 1 }
        }
    }
}
