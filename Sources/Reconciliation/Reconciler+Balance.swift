import Deduction
import Inventory
import OrderStore

/// Whether SQL's movements are what its orders say. Redis and the movements agree also about units that were taken twice under one
/// flow; between movements and orders such units show.
extension Reconciler {
    func compareBalance(_ bucket: Bucket, _ keys: BucketKeys) async throws -> [Finding] {
        guard let balance = try await store.balance(bucket: bucket.number) else { return [] }
        var findings: [Finding] = []
        for sku in balance.skus where sku.excess > 0 {
            findings.append(
                finding(
                    bucket, sku.sku, sku.excess,
                    """
                    \(sku.taken.counted("unit")) taken, \(sku.held) reserved or sold, \(sku.mayBeTaken) on their way back: \
                    \(sku.excess) are nobody's
                    """))
        }
        let short = balance.skus.filter { $0.deficit > 0 }
        guard !short.isEmpty else { return findings }
        // An order that came by a duplicate is there before the entry that took it. With nothing unsettled there is none such.
        let cut = try await readCut(bucket, keys)
        guard cut.id == balance.drainedThrough else { return findings }
        for sku in short {
            findings.append(
                finding(
                    bucket, sku.sku, sku.deficit,
                    """
                    \((sku.held).counted("unit")) reserved or sold and only \(sku.taken) taken: \
                    \(sku.deficit) would be sold again
                    """))
        }
        return findings
    }

    private func finding(_ bucket: Bucket, _ sku: SKUNumber, _ units: Int64, _ sentence: String) -> Finding {
        Finding(
            kind: .unaccounted, bucket: bucket.number, sku: sku, units: units,
            sentence: "\(catalogue[sku]?.sku ?? "?"): \(sentence)")
    }
}
