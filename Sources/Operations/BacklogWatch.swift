import Inventory

/// Since when each bucket's outbox waits for SQL, for whoever looks on and does not drain it.
///
/// Whoever drains reads the entries, and knows how old they are; here only ids are seen. An entry waits at least since a look
/// found it beyond what SQL had drained, and SQL has drained nothing of the bucket since.
struct BacklogWatch {
    private var waits: [BucketNumber: (drained: OutboxID, since: ContinuousClock.Instant)] = [:]

    /// A look at a bucket.
    ///
    /// - Parameters:
    ///   - entries: how many lie in its outbox beyond `drained`.
    ///   - drained: up to where SQL has it.
    mutating func note(_ bucket: BucketNumber, entries: Int64, drained: OutboxID, now: ContinuousClock.Instant) {
        if entries <= 0 {
            waits[bucket] = nil
        } else if waits[bucket]?.drained != drained {
            waits[bucket] = (drained, now)
        }
    }

    /// How long the bucket that waits longest has waited, at least.
    func longest(now: ContinuousClock.Instant) -> Duration { waits.values.map { now - $0.since }.max() ?? .zero }
}
