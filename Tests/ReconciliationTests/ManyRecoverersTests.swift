import Deduction
import Inventory
import OrderStore
import Reconciliation
import SaleRig
import Synchronization
import Testing

/// Several processes mend the same bucket at once: one does it, the others wait for that one.
@Suite("Several who mend at once", .timeLimit(.minutes(5)))
struct ManyRecoverersTests {
    /// Tells when somebody has read the buckets' records.
    private struct WatchedStore: OrderStoreDecorator {
        let base: any OrderStore
        let reads = Reads()
        final class Reads: Sendable {
            private let count = Mutex(0)
            var any: Bool { count.withLock { $0 > 0 } }
            func note() { count.withLock { $0 += 1 } }
        }
        func buckets() async throws -> [BucketRecord] {
            let records = try await base.buckets()
            reads.note()
            return records
        }
    }

    @Test("one recovers, and the others hear that it was done")
    func oneWins() async throws {
        try await SaleRig.with(units: [50]) { rig async throws in
            let orders = (0..<20).map { _ in rig.order() }
            _ = try await rig.deduct(orders)
            try await rig.drain()
            for _ in 0..<10 {
                let found = try await rig.record.epoch
                try await rig.redis("FLUSHALL", [])
                let results = await withTaskGroup(of: Result<Recoverer.Report?, any Error>.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            do {
                                let report = try await rig.recoverer.recover(rig.bucket.number, foundUnder: found)
                                return .success(report)
                            } catch { return .failure(error) }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                let reports = try results.compactMap { try $0.get() }
                #expect(reports.count == 1, "\(results)")
                #expect(try await rig.record.epoch == reports.first?.epoch)
                #expect(try await rig.deduct(orders) == "0 " + String(repeating: "d", count: 20))
            }
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("who comes when it is done recovers nothing")
    func tooLate() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let found = try await rig.record.epoch
            let opened = try await rig.recover().epoch
            let again = try await rig.recoverer.recover(rig.bucket.number, foundUnder: found)
            #expect(again == nil)
            #expect(try await rig.record.epoch == opened)
        }
    }

    @Test("one who died half way is not waited for longer than their silence", arguments: [false, true])
    func dead(hadClosed: Bool) async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let found = try await rig.record.epoch
            let dead = try await rig.store.claimEpoch(bucket: rig.bucket.number, above: .none, by: "dead")
            if hadClosed { #expect(try await rig.step(rig.scripts.close, epoch: dead) == "ok") }
            let report = try await rig.recoverer.recover(
                rig.bucket.number, foundUnder: found, patience: .milliseconds(300))
            #expect(report.map { $0.epoch > dead } == true && (report?.duration ?? .zero) < .seconds(5))
            #expect(try await rig.deduct([rig.order()]) == "1 D")
        }
    }

    @Test("a recovery that had begun before is waited for, and not overtaken")
    func begun() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let bucket = rig.bucket.number
            let store = WatchedStore(base: rig.store)
            let late = Recoverer(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: store, claimant: "late")
            try await rig.redis("FLUSHALL", [])
            let claim = try await rig.store.claimEpoch(bucket: bucket, above: .none, by: "other")
            // Found unfit under the claim, before its Redis half was there.
            async let waiting = late.recover(bucket, foundUnder: claim)
            try await eventually("it looks") { store.reads.any }
            #expect(try await rig.step(rig.scripts.close, epoch: claim, [rig.catalogue.sale?.rawValue ?? ""]) == "ok")
            #expect(try await rig.step(rig.scripts.rebuild, epoch: claim, ["0", "clear"]) == "ok")
            _ = try await rig.store.fold(bucket: bucket, claim: claim)
            _ = try await rig.store.markOpened(bucket: bucket, claim: claim)
            let opening = ["0", "open", "0", "10", "0", "0", "0", "0", "", ""]
            #expect(try await rig.step(rig.scripts.open, epoch: claim, opening) == "ok")
            let report = try await waiting
            #expect(report == nil)
            #expect(try await rig.record.epoch == claim)
        }
    }
}
