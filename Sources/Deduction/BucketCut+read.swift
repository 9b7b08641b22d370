public import Inventory
public import Redis

extension BucketCut {
    /// Reads a bucket from its master: one call of cut.lua, constant work a SKU.
    ///
    /// - Parameter countsEntries: as in `call(keys:countsEntries:)`.
    /// - Returns: `nil`: what answered is no master, or another version's script.
    public static func read(
        _ bucket: Bucket, _ keys: BucketKeys, by scripts: Scripts, on cluster: any RedisPort,
        countsEntries: Bool = true, deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> BucketCut? {
        let reply = try await cluster.evaluate(
            scripts.cut, call(keys: keys, countsEntries: countsEntries), slot: keys.slot, deadline: deadline)
        return BucketCut(reply, bucket: bucket)
    }
}
