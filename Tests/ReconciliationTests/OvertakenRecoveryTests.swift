import Inventory
import Lab
import OrderStore
import Reconciliation
import SaleRig
import Testing

/// Two recoverers of one bucket: the later claim wins, and the earlier one leaves the bucket alone.
@Suite("A recovery that another overtakes")
struct OvertakenRecoveryTests {
    /// Another recoverer claims the bucket before a step of this one.
    private struct OvertakenStore: OrderStoreDecorator {
        let base: any OrderStore
        let step: String

        private func overtake(_ bucket: BucketNumber, before name: String) async throws {
            if name == step { _ = try await base.claimEpoch(bucket: bucket, above: .none, by: "another") }
        }
        func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
            try await overtake(bucket, before: "fold")
            return try await base.fold(bucket: bucket, claim: claim)
        }
        func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState {
            try await overtake(bucket, before: "opening")
            return try await base.markOpened(bucket: bucket, claim: claim)
        }
    }

    @Test(
        "says so, so that nobody claims again at once and overtakes the other in turn", arguments: ["fold", "opening"])
    func overtaken(before step: String) async throws {
        try await SaleRig.with(units: [10]) { rig in
            // A bucket whose stock is gone is rebuilt, and so folded.
            _ = try await rig.fleet.delete(key: "ss_{\(rig.bucket.tag)}sku1")
            let recoverer = Recoverer(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts,
                store: OvertakenStore(base: rig.store, step: step), claimant: "first")
            let failure = try await #require(throws: Recoverer.Failure.self) {
                _ = try await recoverer.recover(rig.bucket.number)
            }
            #expect(failure.overtaken)
        }
    }
}
