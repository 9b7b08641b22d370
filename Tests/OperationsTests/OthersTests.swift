import Deduction
import Inventory
import Operations
import OrderStore
import Reconciliation
import SaleRig
import Telemetry
import Testing

/// What another process is mending is waited for, not given up on.
@Suite("Beside another who mends", .timeLimit(.minutes(5)))
struct OthersTests {
    @Test("a bucket that another was recovering is compared once it is open", arguments: [false, true])
    func comparedAfterwards(opensBeforeAsked: Bool) async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let bucket = rig.bucket.number
            let service = try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
            let claim = try await rig.store.claimEpoch(bucket: bucket, above: .none, by: "other")
            #expect(try await rig.step(rig.scripts.close, epoch: claim, [rig.catalogue.sale?.rawValue ?? ""]) == "ok")
            let found = await service.compare(ledgers: true)
            #expect(found.recovering == [bucket] && found.unread[bucket]?.contains("being recovered") == true)

            func open() async throws {
                #expect(try await rig.step(rig.scripts.rebuild, epoch: claim, ["0", "clear"]) == "ok")
                _ = try await rig.store.fold(bucket: bucket, claim: claim)
                _ = try await rig.store.markOpened(bucket: bucket, claim: claim)
                let opening = ["0", "open", "0", "10", "0", "0", "0", "0", "", ""]
                #expect(try await rig.step(rig.scripts.open, epoch: claim, opening) == "ok")
            }
            if opensBeforeAsked {
                // Same epoch, open now: nothing in SQL's record tells that it was not so when it was compared.
                try await open()
                #expect(await service.waitForOthers(found, since: found) == [bucket])
            } else {
                async let waiting = service.compareAfterOthers()
                try await open()
                let (comparison, _) = await waiting
                #expect(
                    comparison.unread.isEmpty && comparison.cuts == 1 && comparison.driftUnits == 0, "\(comparison)")
            }
        }
    }
}
