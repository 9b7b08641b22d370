import Inventory
import OrderStore

/// Which waiting payments have waited long enough for their order, as a value.
///
/// A payment that came shortly after its order's yes may find the order still in an outbox. Who gives it up there gives up an
/// acknowledged order. So two things are asked: that this worker itself has seen the payment wait for so long, by the clock that
/// nobody sets (a wall clock jumps, and the moment in SQL is another machine's), and that everything which the outboxes held after
/// it was first seen is in SQL.
struct PaymentPatience {
    /// How far the outboxes reached at a moment, by bucket.
    private struct Mark {
        /// Before they were asked.
        let at: ContinuousClock.Instant
        let ends: [BucketNumber: OutboxID]
    }

    /// Payments whose waiting is measured; others follow once those have ended.
    static let trackedMax = 100_000

    /// Since when each was seen to wait.
    private var since: [PaymentPosition: ContinuousClock.Instant] = [:]
    /// Who was seen in the present look.
    private var present: Set<PaymentPosition> = []
    private var latest: ContinuousClock.Instant?
    /// What SQL has yet to reach.
    private var mark: Mark?
    /// Everything that stood in an outbox at this moment is in SQL.
    private var drainedAsOf: ContinuousClock.Instant?
    /// Since when nobody could say how far the outboxes reach.
    private var darkSince: ContinuousClock.Instant?

    // MARK: Payments

    var isAnybodyWaiting: Bool { !since.isEmpty }

    mutating func beginLook() { present.removeAll() }

    /// These wait; they came before `now`.
    mutating func saw(_ waiting: [PaymentPosition], at now: ContinuousClock.Instant) {
        for payment in waiting {
            if since[payment] == nil {
                guard since.count < Self.trackedMax else { continue }
                since[payment] = now
                latest = now
            }
            present.insert(payment)
        }
    }

    /// Ends a look at all payments: who was not seen in it waits no longer.
    mutating func endLook() { since = since.filter { present.contains($0.key) } }

    // MARK: Outboxes

    /// What SQL says of its buckets: it may have reached what the outboxes once held.
    mutating func drained(_ records: [BucketRecord]) {
        guard let mark else { return }
        let isReached = records.allSatisfy { record in
            guard let end = mark.ends[record.bucket], record.state == .open else { return false }
            // A newer epoch that is open: a recovery has drained the older one to its end.
            return record.epoch > end.epoch || (record.epoch == end.epoch && record.drainedThrough >= end)
        }
        guard isReached else { return }
        drainedAsOf = mark.at
        self.mark = nil
    }

    /// How far the outboxes reach, asked at `now` and later; `nil`: nobody could say.
    mutating func reach(_ ends: [BucketNumber: OutboxID]?, askedAt now: ContinuousClock.Instant) {
        guard let ends else {
            darkSince = darkSince ?? now
            return
        }
        darkSince = nil
        let isWanted = mark == nil && latest.map { latest in drainedAsOf.map { $0 < latest } ?? true } ?? false
        if isWanted { mark = Mark(at: now, ends: ends) }
    }

    // MARK: The end of patience

    /// Who has waited long enough by `now`.
    ///
    /// - Parameters:
    ///   - patience: while every bucket sells.
    ///   - outagePatience: while some bucket does not, and where nobody can say what the outboxes hold: money is not kept for ever.
    func overdue(
        now: ContinuousClock.Instant, isSelling: Bool, patience: Duration, outagePatience: Duration
    ) -> Set<PaymentPosition> {
        var overdue: Set<PaymentPosition> = []
        for (payment, first) in since {
            let isOver: Bool
            if let drainedAsOf, drainedAsOf >= first {
                isOver = now - first >= (isSelling ? patience : outagePatience)
            } else if let darkSince {
                isOver = now - max(first, darkSince) >= outagePatience
            } else {
                isOver = false
            }
            if isOver { overdue.insert(payment) }
        }
        return overdue
    }
}
