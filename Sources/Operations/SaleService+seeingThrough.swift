import Deduction
import Inventory
import OrderStore
import Redis

/// An act leaves an entry in each outbox that it touched. Who acts from the command line ends then, and where no sale is at work nobody
/// would take those to SQL.
extension SaleService {
    /// How long that may take: nobody waits for a slow store to close a command.
    static let seeThroughPatience = Duration.seconds(2)
    private static let seeThroughPause = Duration.milliseconds(10)

    /// Takes to SQL what the outboxes hold now, beside whoever does so too; each entry counts once. Buckets that do not answer, or that
    /// are being recovered, are left to the recovery.
    ///
    /// - Returns: entries that SQL still lacks in the end.
    public func seeThrough() async -> Int64 {
        let ends = await outboxEnds()
        guard !ends.isEmpty else { return 0 }
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.worker.run() }
            let giveUpAt = clock.now + Self.seeThroughPatience
            var left = Int64.max
            while true {
                if let records = try? await store.buckets() {
                    left = records.reduce(0) { sum, record in
                        guard record.state == .open, let end = ends[record.bucket], end.epoch == record.epoch else {
                            return sum
                        }
                        return sum + max(0, end.n - record.drainedN)
                    }
                }
                if left == 0 || clock.now >= giveUpAt || Task.isCancelled { break }
                try? await clock.sleep(for: Self.seeThroughPause)
            }
            group.cancelAll()
            await group.waitForAll()
            return left == .max ? Int64(ends.count) : left
        }
    }

    /// The newest entry of every outbox whose bucket answers.
    private func outboxEnds() async -> [BucketNumber: OutboxID] {
        let deadline = clock.now + .milliseconds(500)
        return await withTaskGroup(of: (BucketNumber, OutboxID)?.self) { group in
            for bucket in catalogue.buckets {
                group.addTask { [catalogue, cluster] in
                    let keys = BucketKeys(bucket: bucket.withoutSKUs, catalogue: catalogue)
                    var command = RedisCommand("HMGET")
                    command.append(keys.control)
                    command.append("epoch")
                    command.append("n")
                    let reply = try? await cluster.call(slot: keys.slot, command, deadline: deadline)
                    guard let fields = reply?.array, fields.count == 2, let epoch = fields[0].int, let n = fields[1].int
                    else { return nil }
                    return (bucket.number, OutboxID(epoch: Epoch(rawValue: epoch), n: n))
                }
            }
            return await group.reduce(into: [:]) { if let (bucket, end) = $1 { $0[bucket] = end } }
        }
    }
}
