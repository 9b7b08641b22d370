public import Deduction
public import Inventory
import Redis

extension SaleService {
    /// SKUs whose cuts are under way at once. Of a large sale everything at once would hold up whatever else is asked on the same
    /// connections, and the last answers would come too late on a slow machine, for all that it can do is answer one after the
    /// other; so a slow one makes a walk longer, and breaks nothing.
    static let cutSKUsMax = 2_048

    /// Cuts every bucket; `take` gets each one's position in the catalogue and its cut, `nil` where it does not answer in time.
    ///
    /// - Parameters:
    ///   - keys: of every bucket, in the order of the catalogue.
    ///   - patience: for one cut. Where a server does not answer for one, it is not asked for those that wait behind.
    func readCuts(_ keys: [BucketKeys], patience: Duration, _ take: (Int, BucketCut?) -> Void) async {
        let buckets = catalogue.buckets
        await withTaskGroup(of: (Int, BucketCut?).self) { group in
            var next = 0
            var underWay = 0
            var silent: Set<RedisAddress> = []
            func server(of position: Int) -> RedisAddress? {
                cluster.master(ofSlot: keys[position].slot)
            }
            func ask() {
                while next < buckets.count, underWay == 0 || underWay + buckets[next].skus.count <= Self.cutSKUsMax {
                    let position = next
                    next += 1
                    if !silent.isEmpty, let server = server(of: position), silent.contains(server) {
                        take(position, nil)
                        continue
                    }
                    underWay += buckets[position].skus.count
                    group.addTask {
                        let cut = await self.cut(buckets[position], keys[position], within: patience)
                        return (position, cut)
                    }
                }
            }
            ask()
            for await (position, cut) in group {
                underWay -= buckets[position].skus.count
                take(position, cut)
                if cut == nil, next < buckets.count, let server = server(of: position) { silent.insert(server) }
                ask()
            }
        }
    }

    /// A cut of every bucket that answers within a second.
    public func cuts() async -> [BucketNumber: BucketCut] {
        var cuts: [BucketNumber: BucketCut] = [:]
        let keys = catalogue.buckets.map { BucketKeys(bucket: $0, catalogue: catalogue) }
        await readCuts(keys, patience: .seconds(1)) { _, cut in if let cut { cuts[cut.bucket] = cut } }
        return cuts
    }

    /// A cut of one bucket; `nil`: it does not answer within a second.
    func cut(_ bucket: Bucket, _ keys: BucketKeys? = nil, within patience: Duration = .seconds(1)) async -> BucketCut? {
        try? await BucketCut.read(
            bucket, keys ?? BucketKeys(bucket: bucket, catalogue: catalogue), by: scripts, on: cluster,
            deadline: clock.now + patience)
    }
}
