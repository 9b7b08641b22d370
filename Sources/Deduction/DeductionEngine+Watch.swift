import Inventory
import OrderStore
public import Redis
import Synchronization

/// Buckets that do not sell are looked at until they do: unreachable ones are probed, fenced ones wait for SQL to name a newer
/// epoch and for Redis to say that it is open.
extension DeductionEngine {
    func watchStoppedLanes() async {
        var closedSince: [BucketNumber: (epoch: Epoch, since: ContinuousClock.Instant)] = [:]
        while !Task.isCancelled {
            do { try await clock.sleep(for: configuration.probeInterval) } catch { return }
            let stopped = stoppedLanes()
            guard !stopped.isEmpty else { continue }
            let now = clock.now
            for lane in stopped {
                for ticket in lane.state.withLock({ $0.expire(now: now) }) { answerUnknown(ticket, .replyLost) }
            }
            await followEpochs(of: stopped)
            await withTaskGroup { group in
                for lane in stopped where lane.state.withLock({ $0.phase == .unreachable || $0.phase == .opening }) {
                    group.addTask { await self.probe(lane) }
                }
            }
            reportDeadOpenings(stopped, &closedSince)
        }
    }

    /// A recoverer that died between SQL's word and its last write in Redis leaves a bucket that nobody would open.
    private func reportDeadOpenings(
        _ stopped: [Lane], _ closedSince: inout [BucketNumber: (epoch: Epoch, since: ContinuousClock.Instant)]
    ) {
        let now = clock.now
        var stillClosed: [BucketNumber: (epoch: Epoch, since: ContinuousClock.Instant)] = [:]
        for lane in stopped {
            let (phase, epoch) = lane.state.withLock { ($0.phase, $0.epoch) }
            guard phase == .opening else { continue }
            let before = closedSince[lane.bucket.number]
            let since = before?.epoch == epoch ? before!.since : now
            if now - since >= configuration.openingPatience {
                fence(lane, reason: .recovering)
            } else {
                stillClosed[lane.bucket.number] = (epoch, since)
            }
        }
        closedSince = stillClosed
    }

    /// A newer epoch that SQL calls open replaces a fence.
    private func followEpochs(of stopped: [Lane]) async {
        guard let records = try? await store.buckets() else { return }
        let byBucket = Dictionary(uniqueKeysWithValues: records.map { ($0.bucket, $0) })
        for lane in stopped {
            guard let record = byBucket[lane.bucket.number], record.state == .open else { continue }
            lane.state.withLock { state in
                if record.epoch > state.epoch { state.expectOpening(epoch: record.epoch, n: record.drainedN) }
            }
        }
    }

    /// Asks Redis what a bucket looks like; opens the lane if it is fit to sell from.
    private func probe(_ lane: Lane) async {
        let (epoch, n) = lane.state.withLock { ($0.epoch, $0.n) }
        let call = BucketCut.call(keys: lane.keys)
        guard
            let reply = try? await cluster.evaluate(
                scripts.cut, call, slot: lane.keys.slot, deadline: clock.now + .milliseconds(500)),
            let cut = BucketCut(reply, bucket: lane.bucket)
        else { return }
        switch cut.damage {
        case nil:
            guard let id = cut.id else { return }
            if id.epoch < epoch {
                fence(lane, reason: .behind)
            } else if id.epoch != epoch {
                // Somebody recovered it; SQL will say so.
                lane.state.withLock { if $0.epoch == epoch { $0.stop(.fenced(.epoch)) } }
            } else if id.n < n {
                fence(lane, reason: .behind)
            } else {
                lane.state.withLock { if $0.epoch == epoch { $0.reopen(epoch: epoch, n: n) } }
                pump(lane)
            }
        case .recovering: return
        case let damage?:
            fence(lane, reason: damage)
        }
    }
}

extension BucketCut {
    /// The arguments of cut.lua for a whole bucket.
    public static func call(keys: BucketKeys) -> ScriptCall {
        var call = ScriptCall(keyCount: 2 + 2 * keys.stocks.count, capacity: 64 * (2 + 2 * keys.stocks.count))
        call.append(keys.control)
        call.append(keys.outbox)
        for position in keys.stocks.indices {
            call.append(keys.stocks[position])
            call.append(keys.ledgers[position])
        }
        return call
    }
}
