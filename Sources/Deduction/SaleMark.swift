public import Inventory
public import Redis

/// Whose a bucket in Redis is: the field `sale` of its control, which `close.lua` writes, and nobody changes afterwards.
///
/// What has none (nothing was loaded yet, keys were lost, an older version wrote it) belongs to whoever recovers it.
public enum SaleMark {
    /// How long a server may take to say it.
    static let patience = Duration.milliseconds(500)

    /// What to say of a bucket that is another sale's; `nil`: it is this one's, or nobody's.
    public static func refusal(_ bucket: Bucket, holds found: SaleIdentity?, in catalogue: Catalogue) -> String? {
        guard let found, let own = catalogue.sale, found != own else { return nil }
        return """
            bucket \(bucket.tag) in Redis holds another sale (\(found.short)…) than this order store (\(own.short)…); name the order \
            store that belongs to it, or empty that Redis if its sale is over
            """
    }

    /// Asks one bucket whose it is: what to say of a stranger's; `nil` for this sale's or nobody's, and where no answer came.
    static func refusal(
        _ bucket: Bucket, in catalogue: Catalogue, on cluster: any RedisPort, deadline: ContinuousClock.Instant
    ) async -> String? {
        guard catalogue.sale != nil else { return nil }
        let keys = BucketKeys(bucket: bucket.withoutSKUs, catalogue: catalogue)
        var command = RedisCommand("HGET")
        command.append(keys.control)
        command.append("sale")
        let reply = try? await cluster.call(slot: keys.slot, command, deadline: deadline)
        guard let text = reply?.string, !text.isEmpty else { return nil }
        return refusal(bucket, holds: SaleIdentity(rawValue: text), in: catalogue)
    }

    /// Asks every bucket: the first that holds another sale, with the refusal. A server that does not answer says nothing;
    /// no recovery passes it by.
    public static func stranger(
        in catalogue: Catalogue, on cluster: any RedisPort, clock: SaleClock = .system
    ) async -> (bucket: Bucket, sentence: String)? {
        guard catalogue.sale != nil else { return nil }
        let deadline = clock.now + patience
        return await withTaskGroup(of: (Bucket, String)?.self) { group in
            for bucket in catalogue.buckets {
                group.addTask {
                    await refusal(bucket, in: catalogue, on: cluster, deadline: deadline).map { (bucket, $0) }
                }
            }
            var first: (Bucket, String)?
            for await found in group {
                guard let found else { continue }
                if first.map({ found.0.number < $0.0.number }) ?? true { first = found }
            }
            return first.map { (bucket: $0.0, sentence: $0.1) }
        }
    }
}
