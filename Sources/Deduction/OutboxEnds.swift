public import Inventory
import OrderStore
public import Redis

/// How far the outboxes reach: what SQL must have come to before anything taken until now can be called lost.
public struct OutboxEnds: Sendable {
    /// How long a bucket may take to answer.
    static let timeout = Duration.seconds(1)

    private let cluster: any RedisPort
    private let scripts: Scripts
    private let clock: SaleClock
    private let buckets: [(bucket: Bucket, keys: BucketKeys)]

    public init(catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, clock: SaleClock = .system) {
        self.cluster = cluster
        self.scripts = scripts
        self.clock = clock
        buckets = catalogue.buckets.map { ($0, BucketKeys(bucket: $0, catalogue: catalogue)) }
    }

    /// The newest id of every bucket; `nil` unless each answers, whole and open, under the epoch that SQL names.
    ///
    /// - Parameter records: SQL's buckets, read just before: an old master that still answers under an ended epoch says nothing.
    func read(_ records: [BucketRecord]) async -> [BucketNumber: OutboxID]? {
        let open = Dictionary(
            uniqueKeysWithValues: records.filter { $0.state == .open }.map { ($0.bucket, $0.epoch) })
        guard buckets.allSatisfy({ open[$0.bucket.number] != nil }) else { return nil }
        return await withTaskGroup(of: (BucketNumber, OutboxID?).self) { group in
            for (bucket, keys) in buckets {
                group.addTask { [cluster, scripts, clock] in
                    let cut = try? await BucketCut.read(
                        bucket, keys, by: scripts, on: cluster, deadline: clock.now + Self.timeout)
                    guard let cut, cut.damage == nil, cut.id?.epoch == open[bucket.number] else {
                        return (bucket.number, nil)
                    }
                    return (bucket.number, cut.id)
                }
            }
            var ends: [BucketNumber: OutboxID] = [:]
            for await (bucket, id) in group { ends[bucket] = id }
            return ends.count == buckets.count ? ends : nil
        }
    }
}
