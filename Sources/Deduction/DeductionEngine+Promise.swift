import Inventory
import OrderStore
import Redis
import Synchronization

/// What a yes below `durable` rests on besides the script: replicas that have it, and the lease.
extension DeductionEngine {
    /// A replica that did not acknowledge for this long is out of touch.
    static let replicaSilenceSecondsMax = 2
    /// Pause between two readings of the epochs while somebody needs a lease.
    static let leaseInterval = Duration.milliseconds(250)

    /// Whether this sale says yes without SQL.
    var isBelowDurable: Bool { durability != .durable }

    /// Sends a call of deductions; at `replicated` with WAIT behind it.
    func evaluate(
        _ call: LaneState.Call, _ script: ScriptCall, lane: Lane,
        _ completion: @escaping @Sendable (Result<ReplicatedReply, RedisError>) -> Void
    ) {
        let deadline = clock.now + configuration.callTimeout
        guard call.purpose == .deduct, durability.replicas > 0 else {
            cluster.evaluate(
                call.purpose == .deduct ? scripts.deduct : scripts.release, script, slot: lane.keys.slot,
                deadline: deadline
            ) { completion($0.map { ReplicatedReply(reply: $0, replicas: 0) }) }
            return
        }
        cluster.evaluate(
            scripts.deduct, script, slot: lane.keys.slot, replicas: durability.replicas,
            within: configuration.replicaTimeout, deadline: deadline, completion: completion)
    }

    /// Says yes below `durable`, or keeps asking: a yes needs its replicas and, where two servers may hold the bucket, the lease.
    func promise(
        _ done: [Ticket], _ repeated: [Ticket], epoch: Epoch, replicas: Int, lane: Lane
    ) {
        guard !done.isEmpty || !repeated.isEmpty else { return }
        if replicas < durability.replicas { return keepAsking(done + repeated, .tooFewReplicas, epoch: epoch, lane) }
        // Read after the reply: whoever slept in between must notice.
        guard lease.withLock({ $0.covers(lane.bucket.number, epoch, now: clock.now) }) else {
            return keepAsking(done + repeated, .leaseEnded, epoch: epoch, lane)
        }
        answerDone(done, duplicate: false)
        answerDone(repeated, duplicate: true)
    }

    /// Taken in Redis, and yes cannot be said: asked again with the same flows once the bucket is fit, until their time is over.
    private func keepAsking(_ tickets: [Ticket], _ uncertainty: Uncertainty, epoch: Epoch, _ lane: Lane) {
        lane.state.withLock { state in
            // Stopped first, or what is parked would go out again at once.
            if state.epoch == epoch { state.stop(.unreachable) }
            for ticket in tickets {
                ticket.uncertainty = uncertainty
                state.park(ticket)
            }
        }
        refuseQueued(lane, .unreachable)
    }

    /// The epochs under which an order's buckets are sold now.
    func epochs(of wide: WideOrder) -> [BucketNumber: Epoch] {
        guard isBelowDurable else { return [:] }
        var epochs: [BucketNumber: Epoch] = [:]
        for order in wide.orders {
            guard let position = catalogue.position(of: order.bucket) else { continue }
            epochs[order.bucket] = lanes[position].state.withLock { $0.epoch }
        }
        return epochs
    }

    /// Whether yes may be said now for what was taken under these epochs.
    func mayStillPromise(_ epochs: [BucketNumber: Epoch]) -> Bool {
        guard isBelowDurable else { return true }
        let now = clock.now
        return lease.withLock { lease in epochs.allSatisfy { lease.covers($0.key, $0.value, now: now) } }
    }

    // MARK: The lease

    /// Whether a sale that needs SQL to go on has not reached it for too long, and for how long; `nil`: all is well.
    public var leaseOverdue: Duration? {
        guard isBelowDurable, keepsLease.load(ordering: .relaxed) else { return nil }
        let now = clock.now
        return lease.withLock { lease in
            guard let age = lease.age(now: now), age >= Lease.length,
                lanes.contains(where: { lane in
                    lease.isNeeded(lane.bucket.number, lane.state.withLock { $0.epoch })
                })
            else { return nil }
            return age
        }
    }

    /// Reads SQL's epochs again and again while some bucket needs it, and stops the buckets whose lease has ended: what is
    /// taken while no yes can be said helps nobody.
    func keepLease() async {
        guard isBelowDurable else { return }
        keepsLease.store(true, ordering: .relaxed)
        defer { keepsLease.store(false, ordering: .relaxed) }
        while !Task.isCancelled {
            await decideLeases(of: lanes)
            let wanting = lanes.filter { lane in
                lease.withLock { $0.isNeeded(lane.bucket.number, lane.state.withLock { $0.epoch }) }
            }
            if !wanting.isEmpty {
                await readEpochs()
                let now = clock.now
                for lane in wanting {
                    let stopped = lane.state.withLock { state in
                        guard state.isOpen, lease.withLock({ !$0.covers(lane.bucket.number, state.epoch, now: now) })
                        else { return false }
                        state.stop(.unreachable)
                        return true
                    }
                    if stopped { refuseQueued(lane, .unreachable) }
                }
            }
            do { try await clock.sleep(for: Self.leaseInterval) } catch { return }
        }
    }

    private func readEpochs() async {
        let began = clock.now
        guard let records = try? await store.buckets() else { return }
        lease.withLock { $0.read(records, began: began) }
    }

    /// Asks the servers of buckets whose epoch is new to this engine whether they ever had a replica.
    private func decideLeases(of lanes: [Lane]) async {
        let open = lanes.filter { lane in
            let (isOpen, epoch) = lane.state.withLock { ($0.isOpen, $0.epoch) }
            return isOpen && lease.withLock { !$0.isDecided(lane.bucket.number, epoch) }
        }
        await withTaskGroup { group in
            for lane in open { group.addTask { _ = await self.standing(lane) } }
        }
    }

    /// Whether a stopped bucket, whose data is fit, may say yes again.
    func mayPromise(_ lane: Lane, epoch: Epoch) async -> Bool {
        guard isBelowDurable else { return true }
        guard let replicas = await standing(lane), replicas >= durability.replicas else { return false }
        let bucket = lane.bucket.number
        if lease.withLock({ $0.covers(bucket, epoch, now: clock.now) }) { return true }
        await readEpochs()
        return lease.withLock { $0.covers(bucket, epoch, now: clock.now) }
    }

    /// How many replicas of a bucket's server are in touch; notes whether there ever were any.
    private func standing(_ lane: Lane) async -> Int? {
        let epoch = lane.state.withLock { $0.epoch }
        var call = ScriptCall(keyCount: 2)
        call.append(lane.keys.control)
        call.append(lane.keys.outbox)
        call.append(Self.replicaSilenceSecondsMax)
        guard
            let reply = try? await cluster.evaluate(
                scripts.standing, call, slot: lane.keys.slot, deadline: clock.now + .milliseconds(500)),
            let values = reply.array, values.count == 4, values[0].int == epoch.rawValue, values[1].int == 1,
            let replicas = values[3].int
        else { return nil }
        lease.withLock { $0.heard(lane.bucket.number, epoch, hadReplica: values[2].int == 1) }
        return Int(replicas)
    }
}
