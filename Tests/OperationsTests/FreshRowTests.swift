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
}
