import Deduction
import Inventory
import OrderStore
import Redis

/// Recovery without rebuilding, and the pause that outlives every engine's lease.
extension Recoverer {
    /// What closing a bucket said of it.
    struct Closing: Sendable {
        /// The bucket's last id, where nothing but its lineage has changed since it was open.
        let was: OutboxID?
        /// The server is the very process on which the bucket was opened.
        let isSameProcess: Bool
        /// The server ever had a replica, or was one.
        let hadReplica: Bool

        init(_ reply: [RedisReply]) {
            was = reply.count > 3 ? reply[3].string.flatMap { OutboxID($0) } : nil
            isSameProcess = reply.count > 4 && reply[4].int == 1
            hadReplica = reply.count > 5 && reply[5].int != 0
        }
    }

    /// Whether only the lineage changed: a first replica attached, or one was promoted that had everything. Then the bucket is
    /// opened as it is, in milliseconds; its ledgers are counted, not read. `nil`: it must be rebuilt.
    ///
    /// Every entry up to the bucket's last id is settled in SQL by now, and scripts write whole or not at all; so a bucket
    /// whose last id, sums and counts of flows agree with SQL is what SQL would make it. That the ids agree proves nothing
    /// by itself: the epoch is new in any case, and what an engine of the old one still brings is void.
    func unharmed(
        _ bucket: Bucket, _ keys: BucketKeys, _ claim: Epoch, _ closing: Closing, known: OutboxID?
    ) async throws -> [SKUNumber: Held]? {
        guard let was = closing.was else { return nil }
        // An engine heard of more than the bucket still has.
        if let known, known.epoch == was.epoch, known.n > was.n { return nil }
        guard let cut = try await readCut(bucket, keys), cut.id?.epoch == claim, cut.outboxEnd == was else {
            return nil
        }
        var holding: [HeldSKU] = []
        var held: [SKUNumber: Held] = [:]
        for sku in cut.skus {
            guard let stock = sku.stock, let control = sku.control, stock >= 0,
                stock + control.taken == control.allocated, control.n <= was.n
            else { return nil }
            holding.append(
                HeldSKU(
                    sku: sku.sku, allocated: control.allocated, version: control.version, taken: control.taken,
                    frozen: control.frozen, flows: sku.ledgerEntries))
            held[sku.sku] = Held(
                allocated: control.allocated, version: control.version, taken: control.taken,
                entries: Int(sku.ledgerEntries) + 1)
        }
        return try await store.reopen(bucket: bucket.number, claim: claim, at: was, holding: holding) ? held : nil
    }

    /// Waits until no engine can say yes any more for a server that may still hold the bucket elsewhere.
    ///
    /// The process on which the bucket was opened has no double; nor has a server that never had a replica, except where the
    /// sale says that there are some.
    func outwaitLeases(_ closing: Closing, since claimedAt: SaleClock.Instant) async throws {
        guard !closing.isSameProcess, let durability = try await store.sale()?.durability, durability != .durable,
            closing.hadReplica || durability.replicas > 0
        else { return }
        try await clock.sleep(until: claimedAt + Lease.recoveryPause, tolerance: nil)
    }
}
