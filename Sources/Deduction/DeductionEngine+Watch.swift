import Inventory
import OrderStore
public import Redis
import Synchronization

/// Buckets that do not sell are looked at until they do: unreachable ones are probed, fenced ones wait for SQL to name a newer
/// epoch and for Redis to say that it is open.
extension DeductionEngine {
    /// Since when a bucket that does not sell stands like this in SQL. A recovery that lives moves on, or gives way to a newer.
    private typealias Waits = [BucketNumber: (epoch: Epoch, state: BucketState, since: ContinuousClock.Instant)]

    func watchStoppedLanes() async {
        var waits: Waits = [:]
        var lookAtAllAt = clock.now
        var silences: [BucketNumber: ContinuousClock.Instant] = [:]
        while !Task.isCancelled {
            do { try await clock.sleep(for: configuration.probeInterval) } catch { return }
            let stopped = stoppedLanes()
            let now = clock.now
            chooseFencedSales(stopped, now: now, &silences)
            guard !stopped.isEmpty || now >= lookAtAllAt else { continue }
            for lane in stopped {
                for ticket in lane.state.withLock({ $0.expire(now: now) }) { answerUnknown(ticket, .replyLost) }
            }
            let began = clock.now
            if let records = try? await store.buckets() {
                lease.withLock { $0.read(records, began: began) }
                lookAtAllAt = now + configuration.recoveryPatience / 5
                let byBucket = Dictionary(uniqueKeysWithValues: records.map { ($0.bucket, $0) })
                followEpochs(of: stopped, byBucket)
                reportAbandoned(byBucket, &waits)
            }
            await withTaskGroup { group in
                for lane in stopped where lane.state.withLock({ $0.phase == .unreachable || $0.phase == .opening }) {
                    group.addTask { await self.probe(lane) }
                }
            }
        }
    }

    /// A newer epoch that SQL calls open replaces a fence. A bucket that was being recovered when this engine started opens
    /// under the very epoch that it met.
    private func followEpochs(of stopped: [Lane], _ records: [BucketNumber: BucketRecord]) {
        for lane in stopped {
            guard let record = records[lane.bucket.number], record.state == .open else { continue }
            lane.state.withLock { state in
                let isNews =
                    record.epoch > state.epoch
                    || (record.epoch == state.epoch && state.phase == .fenced(.recovering))
                if isNews {
                    state.expectOpening(epoch: record.epoch, n: record.drainedN)
                    lane.refusals.forget()
                }
            }
        }
    }

    /// Reports a bucket whose recovery makes no progress: whoever took its epoch has died, at whatever step. Redis may not have
    /// heard of it at all and sell on, while SQL takes nothing more from this bucket.
    ///
    /// A report of a bucket that is being recovered here is dropped by whoever hears it; a recoverer elsewhere that is merely
    /// slow is overtaken, and then writes nowhere.
    private func reportAbandoned(_ records: [BucketNumber: BucketRecord], _ waits: inout Waits) {
        let now = clock.now
        var waiting: Waits = [:]
        for lane in lanes {
            guard let record = records[lane.bucket.number] else { continue }
            let (phase, epoch, n) = lane.state.withLock { ($0.phase, $0.epoch, $0.n) }
            let isFenced = phase != .open && phase != .unreachable
            guard isFenced || record.state == .recovering else { continue }
            var since = now
            if let before = waits[lane.bucket.number], before.epoch == record.epoch, before.state == record.state {
                since = before.since
            }
            if now - since >= configuration.recoveryPatience {
                since = now
                onFence(Fence(bucket: lane.bucket.number, epoch: epoch, n: n, reason: .recovering))
            }
            waiting[lane.bucket.number] = (record.epoch, record.state, since)
        }
        waits = waiting
    }

    /// Asks Redis what a bucket looks like; opens the lane if it is fit to sell from.
    private func probe(_ lane: Lane) async {
        let (epoch, n) = lane.state.withLock { ($0.epoch, $0.n) }
        guard
            let cut = try? await BucketCut.read(
                lane.bucket, lane.keys, by: scripts, on: cluster, deadline: clock.now + .milliseconds(500))
        else { return }
        switch cut.damage {
        case nil:
            guard let id = cut.id else { return }
            if id.epoch < epoch {
                fence(lane, reason: .behind, seenUnder: epoch)
            } else if id.epoch != epoch {
                // Somebody recovered it; SQL will say so.
                lane.state.withLock { if $0.epoch == epoch { $0.stop(.fenced(.epoch)) } }
            } else if id.n < n {
                fence(lane, reason: .behind, seenUnder: epoch)
            } else if await mayPromise(lane, epoch: epoch) {
                lane.state.withLock { state in
                    guard state.epoch == epoch else { return }
                    state.reopen(epoch: epoch, n: n)
                    lane.refusals.forget()
                }
                pump(lane)
            }
        case .recovering: return
        case .replica: cluster.reroute(slot: lane.keys.slot)
        case let damage?:
            fence(lane, reason: damage, seenUnder: epoch)
        }
    }
}

extension BucketCut {
    /// The arguments of cut.lua for a whole bucket.
    ///
    /// - Parameter countsEntries: else every SKU's `ledgerEntries` is 0, and a third of the server's work is spared.
    public static func call(keys: BucketKeys, countsEntries: Bool = true) -> ScriptCall {
        var call = ScriptCall(keyCount: 2 + 2 * keys.count, capacity: 256 + keys.encodedBytes)
        call.append(all: keys)
        if !countsEntries { call.append("numbers") }
        return call
    }
}
