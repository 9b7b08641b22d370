public import Deduction
public import Inventory

extension SaleService {
    /// A cut of every bucket that answers within a second.
    public func cuts() async -> [BucketNumber: BucketCut] {
        await withTaskGroup(of: BucketCut?.self) { group in
            for bucket in catalogue.buckets { group.addTask { await self.cut(bucket) } }
            var cuts: [BucketNumber: BucketCut] = [:]
            for await cut in group { if let cut { cuts[cut.bucket] = cut } }
            return cuts
        }
    }

    /// A cut of one bucket; `nil`: it does not answer within a second.
    func cut(_ bucket: Bucket, within patience: Duration = .seconds(1)) async -> BucketCut? {
        try? await BucketCut.read(
            bucket, BucketKeys(bucket: bucket, catalogue: catalogue), by: scripts, on: cluster,
            deadline: clock.now + patience)
    }
}
