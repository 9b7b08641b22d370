import Deduction
import Inventory
import OrderStore
import Redis

/// What is on its way between the stores, and whether anybody takes it there.
extension SaleService {
    /// Give-backs in one look.
    static let giveBacksLookedAtMax = 100_000
    /// Half-done orders in one look.
    static let halfDoneLookedAtMax = 10_000
    /// How long a backlog is watched before nobody is said to work on it, where a sale was at work a moment ago: longer than a slow
    /// store takes for a commit, and than the sweeper takes between two notes.
    static let watchPatience = Duration.seconds(7)
    /// The same where nobody noted anything for long.
    static let watchPatienceQuiet = Duration.milliseconds(1_500)
    /// A sale at work notes a sweep every `ExpirySweep.notePeriodMilliseconds`; after this long nobody does.
    static let signOfLifeMilliseconds: Int64 = 3 * ExpirySweep.notePeriodMilliseconds
    /// Pause between two looks.
    static let lookPause = Duration.milliseconds(100)

    /// One look at what waits. It reads only.
    public func backlog() async throws -> Backlog {
        var backlog = Backlog()
        let controls = try await store.bucketControls()
        let cuts = await cuts()
        var sound: Set<BucketNumber> = []
        for control in controls {
            let (record, bucket) = (control.record, control.record.bucket)
            guard let cut = cuts[bucket] else { continue }
            if record.state == .recovering || cut.damage == .recovering {
                backlog.recovering[bucket] = record.epoch
                continue
            }
            guard record.state == .open, cut.damage == nil, let id = cut.id, id.epoch == record.epoch else { continue }
            sound.insert(bucket)
            let outbox = Backlog.Outbox(
                drained: OutboxID(epoch: record.epoch, n: record.drainedN), end: id)
            if outbox.entries > 0 { backlog.outboxes[bucket] = outbox }
            if cut.missedAct(of: control) { backlog.missedActs.insert(bucket) }
        }
        backlog.giveBacks = Set(
            try await store.pendingGiveBacks(limit: Self.giveBacksLookedAtMax)
                .filter { sound.contains($0.order.bucket) }.map { .init(flow: $0.order.flow, bucket: $0.order.bucket) })
        backlog.restocks = Set(
            try await store.pendingRestocks()
                .filter { catalogue[$0.sku].map { sound.contains($0.bucket) } ?? false }
                .map { .init(sku: $0.sku, version: $0.fromVersion) })
        backlog.halfDone = Set(
            try await store.halfDone(limit: Self.halfDoneLookedAtMax)
                .filter { order in order.order.orders.allSatisfy { sound.contains($0.bucket) } }.map(\.order.flow))
        if sound.count == controls.count {
            let totals = try await store.paymentTotals()
            backlog.payments = totals.waiting + totals.reservingAgain
        }
        return backlog
    }

    /// What of a backlog nobody works on; `nil` once everything of it moved, or is gone.
    ///
    /// Nobody holds a lock or a lease for this work: whoever runs does it, any number side by side. So it is watched: for a moment where
    /// no sale left a sign of life lately, else longer than a slow store takes.
    ///
    /// - Parameter patience: how long to watch; `nil`: as said.
    public func unattended(_ backlog: Backlog, patience wanted: Duration? = nil) async throws -> Backlog? {
        if backlog.isEmpty { return nil }
        let began = clock.now
        while true {
            let rest = backlog.unmoved(in: try await self.backlog())
            if rest.isEmpty { return nil }
            let usual = try await isQuiet() ? Self.watchPatienceQuiet : Self.watchPatience
            let patience = wanted ?? usual
            if clock.now - began >= patience || Task.isCancelled { return rest }
            try await clock.sleep(for: Self.lookPause)
        }
    }

    /// Whether nobody who works on the sale has noted anything for long.
    private func isQuiet() async throws -> Bool {
        guard let last = try await store.lastReservationOrSweep() else { return false }
        return Int64(clock.unixMilliseconds) - last > Self.signOfLifeMilliseconds
    }

    /// Reads what outboxes hold beyond what SQL has. Entries that are drained and trimmed meanwhile are left out.
    public func load(of backlog: Backlog) async -> OutboxLoad {
        var load = OutboxLoad()
        for (number, outbox) in backlog.outboxes {
            guard let bucket = catalogue[number] else { continue }
            let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
            var position = outbox.drained
            while position < outbox.end {
                let command = OutboxEntry.readCommand(keys: keys, after: position, sameEpoch: true, limit: 512)
                guard
                    let reply = try? await cluster.call(
                        slot: keys.slot, command, deadline: clock.now + .seconds(2))
                else { break }
                let entries = OutboxEntry.read(reply, bucket: number)
                guard let last = entries.last else { break }
                for entry in entries where entry.id <= outbox.end {
                    switch entry.settlement.action {
                    case .deduct(let orders):
                        load.orders += Int64(orders.count)
                        load.units += orders.flatMap(\.lines).reduce(0) { $0 + Int64($1.quantity) }
                    case .release, .restock, .repair, .mark, .unreadable: break
                    }
                }
                position = last.id
            }
        }
        return load
    }
}
