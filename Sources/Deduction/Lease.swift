public import Inventory
public import OrderStore

/// Who may still say yes below `durable`, as a value.
///
/// Two servers may hold one bucket: the old master, on which this engine still sells, and a promoted replica, which somebody
/// recovers and opens. SQL hears of the recovery first. So a yes is told only if SQL was asked less than `length` before, and
/// named the epoch open in which the order was taken; and a recovery opens more than `length` after SQL took its epoch.
/// By then nobody says yes for the old master any more, also not an engine that slept meanwhile.
///
/// A server that never had a replica has no other that could hold its buckets. When a first replica attaches, the lineage
/// changes and every script of the epoch is fenced: so an epoch that was met without replicas needs no lease to its end.
public struct Lease: Sendable {
    /// From the beginning of a reading of the epochs to the end of what it allows.
    public static let length = Duration.seconds(2)
    /// From the commit of a recovery's epoch to its opening: longer than any lease that was read before.
    public static let recoveryPause = Duration.milliseconds(2_100)

    private var begin: ContinuousClock.Instant?
    private var open: [BucketNumber: Epoch] = [:]
    private var needless: [BucketNumber: Epoch] = [:]
    private var needed: [BucketNumber: Epoch] = [:]

    public init() {}

    /// SQL's buckets, as a reading that began at `begin` found them.
    public mutating func read(_ records: [BucketRecord], began begin: ContinuousClock.Instant) {
        if let known = self.begin, known >= begin { return }
        self.begin = begin
        open.removeAll(keepingCapacity: true)
        for record in records where record.state == .open { open[record.bucket] = record.epoch }
    }

    /// What the server said that holds a bucket in `epoch`: whether it ever had a replica.
    public mutating func heard(_ bucket: BucketNumber, _ epoch: Epoch, hadReplica: Bool) {
        if hadReplica { needed[bucket] = epoch } else { needless[bucket] = epoch }
    }

    /// Whether it is known if this epoch of the bucket needs a lease.
    public func isDecided(_ bucket: BucketNumber, _ epoch: Epoch) -> Bool {
        needed[bucket] == epoch || needless[bucket] == epoch
    }

    /// Whether yes may be said now for what was taken in `epoch`.
    public func covers(_ bucket: BucketNumber, _ epoch: Epoch, now: ContinuousClock.Instant) -> Bool {
        if needless[bucket] == epoch { return true }
        guard let begin, open[bucket] == epoch else { return false }
        return now - begin < Self.length
    }

    /// Whether this epoch of the bucket sells only while SQL answers.
    public func isNeeded(_ bucket: BucketNumber, _ epoch: Epoch) -> Bool { needless[bucket] != epoch }

    /// How long ago the last reading of SQL began.
    public func age(now: ContinuousClock.Instant) -> Duration? { begin.map { now - $0 } }
}
