import Deduction
import Inventory
import OrderStore
import Reconciliation
import SaleRig
import Testing

/// A comparison of many buckets says what comparing each of them says.
@Suite("Comparing many buckets", .timeLimit(.minutes(5)))
struct BatchedComparisonTests {
    struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    /// Hurts one SKU in one of the ways in which books come apart.
    func hurt(_ rig: SaleRig, _ sku: SKUNumber, _ random: inout Numbers) async throws {
        let bucket = rig.catalogue[rig.catalogue[sku]!.bucket]!
        let keys = BucketKeys(bucket: bucket, catalogue: rig.catalogue)
        let position = keys.position(of: sku)!
        let (stock, ledger) = (keys.stocks[position], keys.ledgers[position])
        switch Int.random(in: 0..<9, using: &random) {
        case 0: try await rig.redis("DEL", stock)
        case 1: try await rig.redis("INCRBY", stock, "2")
        case 2:
            try await rig.redis("HSET", ledger, "#", "100 0 7 0 0")
            try await rig.redis("SET", stock, "93")
        case 3:
            try await rig.redis("HSET", ledger, "#", "90 0 0 0 0")
            try await rig.redis("SET", stock, "90")
        case 4:
            try await rig.redis("HSET", ledger, "#", "100 3 0 0 0")
            try await rig.redis("SET", stock, "100")
        case 5: try await rig.redis("HDEL", keys.control, "epoch")
        case 6: try await rig.redis("HSET", keys.control, "state", "halted")
        case 7: try await rig.redis("XADD", keys.outbox, "9999999-1", "o", "x", "r", "x")
        default: _ = try await rig.store.restock(sku, units: 5)
        }
    }

    @Test("whatever came apart, and where", arguments: 1...5)
    func sameAnswer(_ seed: UInt64) async throws {
        var random = Numbers(state: seed)
        let buckets = Int.random(in: 1...80, using: &random)
        try await SaleRig.with(units: Array(repeating: 100, count: 160), buckets: buckets) { rig async throws in
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let sku = rig.catalogue.entries.randomElement(using: &random)!.number
                try await hurt(rig, sku, &random)
            }
            var configuration = Reconciler.Configuration()
            configuration.drainPatience = .milliseconds(1)
            let reconciler = Reconciler(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store,
                configuration: configuration)
            let all = await reconciler.compare()
            var findings: [Finding] = []
            var unread: Set<BucketNumber> = []
            for bucket in rig.catalogue.buckets {
                do { findings += try await reconciler.compare(bucket) } catch { unread.insert(bucket.number) }
            }
            #expect(Set(all.findings) == Set(findings))
            #expect(Set(all.unread.keys) == unread)
            #expect(all.cuts == rig.catalogue.buckets.count - unread.count)
        }
    }

    @Test("units that no order holds are found in any bucket")
    func balance() async throws {
        try await SaleRig.with(units: Array(repeating: 10, count: 70), buckets: 70) { rig async throws in
            #expect(await rig.compare().findings.isEmpty)
            // A yes that came by a duplicate stands before its entry does.
            let bucket = rig.catalogue.buckets[66]
            let order = rig.order(Int32(bucket.skus[0].rawValue))
            let record = try await rig.store.buckets().first { $0.bucket == bucket.number }!
            _ = try await rig.store.commit(
                CommitBatch(duplicates: [
                    DuplicateSettlement(order: order, id: OutboxID(epoch: record.epoch, n: 1))
                ]))
            let comparison = await rig.compare()
            #expect(comparison.findings.first?.kind == .unaccounted)
            #expect(Set(comparison.findings.map(\.bucket)) == [bucket.number])
        }
    }
}
