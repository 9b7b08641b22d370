public import Inventory
public import OrderStore
import Redis

/// What a brake reached.
public struct Brake: Sendable, Hashable {
    /// Buckets that take no orders.
    public let told: Int
    /// Of so many.
    public let of: Int
    /// From the beginning that the caller named to the last of those buckets' answers.
    public let took: Duration
    /// Why nothing was told: the buckets hold another sale.
    public let refusal: String?

    public init(told: Int, of: Int, took: Duration, refusal: String? = nil) {
        (self.told, self.of, self.took, self.refusal) = (told, of, took, refusal)
    }
}

extension BucketActs {
    /// `haltAhead` for whoever has just come, and has nothing but what SQL said at one moment: each bucket is asked whose it is, and
    /// told, by itself, so that one that does not answer holds up no other; and nothing was asked before.
    ///
    /// - Parameters:
    ///   - controls: of every bucket.
    ///   - patience: for those that do not answer at once.
    ///   - beginning: from which the time is counted.
    public func brake(
        _ controls: [BucketControl], patience: Duration, since beginning: ContinuousClock.Instant
    ) async -> Brake {
        let deadline = clock.now + Self.callTimeout
        var lastToldAt: ContinuousClock.Instant?
        var waiting: [Bucket] = []
        var refusal: String?
        await withTaskGroup(of: (Bucket, Outcome, String?, ContinuousClock.Instant).self) { group in
            for control in controls {
                guard let bucket = catalogue[control.record.bucket] else { continue }
                group.addTask {
                    let stranger = await SaleMark.refusal(bucket, in: catalogue, on: cluster, deadline: deadline)
                    if let stranger { return (bucket, .waitsForRecovery(stranger), stranger, clock.now) }
                    let letter = await send(control.haltedAhead, to: bucket, deadline: deadline)
                    return (bucket, letter.outcome, nil, clock.now)
                }
            }
            for await (bucket, outcome, stranger, at) in group {
                refusal = refusal ?? stranger
                if outcome == .applied {
                    lastToldAt = max(lastToldAt ?? at, at)
                } else if stranger == nil {
                    waiting.append(bucket)
                }
            }
        }
        var told = controls.count - waiting.count
        if let refusal {
            return Brake(told: 0, of: controls.count, took: clock.now - beginning, refusal: refusal)
        }
        let left = patience - (clock.now - (deadline - Self.callTimeout))
        if !waiting.isEmpty, left > .zero {
            let later = await tell(waiting, patience: left) { $0.haltedAhead }
            let more = later.values.count { $0 == .applied }
            if more > 0 { lastToldAt = clock.now }
            told += more
        }
        return Brake(told: told, of: controls.count, took: (lastToldAt ?? clock.now) - beginning)
    }
}
