public import Inventory
public import OrderStore
public import Redis
import Synchronization
public import Telemetry

/// What became of a cancellation.
public enum CancelOutcome: Hashable, Sendable {
    /// The order is not done and never will be.
    case cancelled
    /// It was paid for before.
    case sold
    /// The flow carries another order.
    case conflict
    /// Not answered: ask again.
    case unknown
}

/// Takes stock out of Redis exactly once for many callers at a time.
///
/// `deduct` waits in the combiner of its bucket, goes out with whatever else waits there as one script call, and is answered
/// by flow: below `durable` once the script ran (and replicas have it, where the sale asks for them), under `durable` once SQL
/// committed it too. A refusal is final; an unknown
/// outcome is asked again with the same flow, by the engine while the order's time lasts and by the caller after it.
///
/// The engine never opens a bucket: it reports what the fence says through `onFence`, stops that bucket, and goes on when SQL
/// and Redis say that somebody recovered it.
public final class DeductionEngine: Sendable {
    public struct Configuration: Sendable {
        /// How long one script call may take before the connection is given up.
        public var callTimeout = Duration.seconds(1)
        /// How long an order is asked again by itself before its caller hears `unknown`.
        public var orderTimeout = Duration.seconds(3)
        /// How long a call waits for the replicas of a `replicated` sale.
        public var replicaTimeout = Duration.milliseconds(200)
        /// How often a stopped bucket is looked at.
        public var probeInterval = Duration.milliseconds(25)
        /// How long somebody else's recovery of a bucket is waited for before it counts as abandoned and the bucket is reported.
        public var recoveryPatience = Duration.seconds(5)
        /// Orders in one script call, at most `OutboxBlob.orderCountMax`.
        public var callOrdersMax = 512
        /// Calls of one bucket under way.
        public var callsInFlightMax = 2
        /// Orders waiting for one bucket; beyond it callers hear `overloaded`.
        public var queueMax = 16_384
        /// Orders a second for a SKU or a node; beyond it callers hear `overloaded`.
        public var rateLimits = RateLimits()
        public init() {}
    }

    public struct Fence: Sendable {
        public let bucket: BucketNumber
        public let epoch: Epoch
        /// The highest that the engine has seen in the epoch.
        public let n: Int64
        public let reason: FenceReason
    }

    /// What a bucket's combiner is doing, for the screen and the worker.
    public struct LaneStatus: Sendable {
        public let bucket: BucketNumber
        public let isOpen: Bool
        public let fence: FenceReason?
        public let epoch: Epoch
        public let n: Int64
        public let waiting: Int
    }

    final class Lane: Sendable {
        let bucket: Bucket
        let keys: BucketKeys
        let state: Mutex<LaneState>
        let refusals: LocalRefusals
        init(bucket: Bucket, keys: BucketKeys, isLimited: Bool, state: LaneState) {
            self.bucket = bucket
            self.keys = keys
            self.state = Mutex(state)
            refusals = LocalRefusals(keys: keys, isLimited: isLimited)
        }
    }

    public let catalogue: Catalogue
    public let meter: DeductionMeter
    let cluster: any RedisPort
    let scripts: Scripts
    let store: any OrderStore
    let durability: Durability
    let configuration: Configuration
    let commits: GroupCommit
    let oldFlows: OldFlowDesk
    /// `nil` unless the sale chose to sell in SQL while fenced.
    let fencedSale: FencedSale?
    /// `nil`: no limit on the rate of orders.
    let gate: RateGate?
    let onFence: @Sendable (Fence) -> Void
    let clock: SaleClock
    let lanes: [Lane]
    let lease: Mutex<Lease>
    /// Whether somebody renews it: an engine that only looks on sells nothing and needs none.
    let keepsLease = Atomic<Bool>(false)
    private let isBraked = Atomic<Bool>(false)

    /// An engine for a sale whose buckets SQL knows; buckets that are open there are open here.
    ///
    /// - Parameter onFence: called on any thread when a bucket was found unfit to sell from; must not block.
    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore, durability: Durability,
        configuration: Configuration = Configuration(), meter: DeductionMeter = DeductionMeter(),
        whileFenced: WhileFenced = .tryAgain, clock: SaleClock = .system,
        onFence: @escaping @Sendable (Fence) -> Void = { _ in }
    ) async throws {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.durability = durability
        self.configuration = configuration
        self.meter = meter
        self.onFence = onFence
        self.clock = clock
        commits = GroupCommit(store: store, clock: clock)
        oldFlows = OldFlowDesk(store: store)
        gate =
            configuration.rateLimits.isOff
            ? nil : RateGate(configuration.rateLimits, skus: catalogue.entries.count)
        if case .sellInSQL(let rate) = whileFenced, durability == .durable {
            fencedSale = FencedSale(
                ordersPerSecond: rate, store: store, clock: clock, claimant: "engine, for SQL to sell")
        } else {
            fencedSale = nil
        }
        let began = clock.now
        let records = Dictionary(uniqueKeysWithValues: try await store.buckets().map { ($0.bucket, $0) })
        var lease = Lease()
        lease.read(Array(records.values), began: began)
        self.lease = Mutex(lease)
        var limits = LaneState.Limits()
        limits.callOrdersMax = min(configuration.callOrdersMax, OutboxBlob.orderCountMax)
        limits.callsInFlightMax = configuration.callsInFlightMax
        limits.queueMax = configuration.queueMax
        lanes = catalogue.buckets.map { bucket in
            let record = records[bucket.number]
            let isOpen = record?.state == .open
            return Lane(
                bucket: bucket, keys: BucketKeys(bucket: bucket, catalogue: catalogue),
                isLimited: bucket.skus.contains { catalogue[$0]?.limitPerBuyer != nil },
                state: LaneState(
                    limits: limits, epoch: record?.epoch ?? .none, n: record?.drainedN ?? 0,
                    phase: isOpen ? .open : .fenced(.recovering)))
        }
    }

    /// Commits and watches stopped buckets until cancellation. What waits then hears `unknown`; what is asked later is refused.
    public func run() async {
        await withTaskGroup { group in
            group.addTask { await self.commits.run() }
            group.addTask { await self.oldFlows.run() }
            if let fencedSale = self.fencedSale {
                group.addTask { await fencedSale.run { self.deliver($1, soldInSQLTo: $0) } }
            }
            group.addTask { await self.keepLease() }
            group.addTask {
                await self.watchStoppedLanes()
                self.commits.stop()
                self.oldFlows.stop()
            }
        }
        for lane in lanes {
            for ticket in lane.state.withLock({ $0.end() }) { answerUnknown(ticket, .replyLost) }
        }
    }

    // MARK: For callers

    /// Takes stock for an order, all lines or none, in every bucket that it names.
    ///
    /// Runs where its caller runs: an order is not worth a change of threads.
    ///
    /// - Parameter attempt: what the caller knows of earlier attempts of the flow. Where it is not sure, `repeated`.
    public nonisolated(nonsending) func deduct(_ order: Order, attempt: Attempt) async -> DeductionOutcome {
        if attempt == .first, let refusal = refusesLocally(order) {
            meter.countLocally(refusal)
            return .refused(refusal)
        }
        if gate != nil, !isWithinRates(order, attempt) {
            meter.countLocally(.overloaded)
            return .refused(.overloaded)
        }
        let isRetry = attempt == .afterUnknown
        if let wide = order.wide { return await deductWide(wide, isRetry: isRetry) }
        return await withUnsafeContinuation { continuation in
            enqueue(order, purpose: .deduct, isRetry: isRetry, caller: .waiting(continuation))
        }
    }

    /// The same for callers that know only whether the flow's outcome is unknown: everything is asked of Redis.
    public nonisolated(nonsending) func deduct(_ order: Order, isRetry: Bool = false) async -> DeductionOutcome {
        await deduct(order, attempt: isRetry ? .afterUnknown : .repeated)
    }

    /// Why Redis would surely refuse a first attempt, and need not be asked.
    private func refusesLocally(_ order: Order) -> Refusal? {
        if isBraked.load(ordering: .relaxed) { return .halted }
        if let wide = order.wide {
            for group in wide.orders {
                guard let position = catalogue.position(of: group.bucket) else { continue }
                if let refusal = lanes[position].refusals.refusal(of: group, now: clock.milliseconds) { return refusal }
            }
            return nil
        }
        guard let position = catalogue.position(of: order.bucket) else { return nil }
        return lanes[position].refusals.refusal(of: order, now: clock.milliseconds)
    }

    /// Gives an order's stock back in Redis, or forbids the flow in advance: of an order over several buckets, the one group that
    /// is named. SQL must have decided it first.
    public func release(_ order: Order) async -> ReleaseOutcome {
        await withCheckedContinuation { continuation in
            enqueue(order, purpose: .release) { answer in
                guard case .release(let outcome) = answer else {
                    preconditionFailure("a release was answered as a deduction")
                }
                continuation.resume(returning: outcome)
            }
        }
    }

    /// Ends an order whose outcome is unknown: SQL forbids the flow, then Redis gives back what it took or keeps a tombstone.
    ///
    /// The answer `cancelled` is final: whatever of the order is still on its way will be refused. `unknown`: ask again;
    /// SQL has the cancellation if it could be reached, and the give-back worker sees it through.
    public func cancel(_ order: Order) async -> CancelOutcome {
        guard let result = try? await store.cancel([order]).first else { return .unknown }
        switch result {
        case .sold: return .sold
        case .conflict: return .conflict
        case .cancelled, .alreadyCancelled:
            if let wide = order.wide { return await releaseAll(wide) ? .cancelled : .unknown }
            switch await release(order) {
            case .givenBack, .tombstone, .already: return .cancelled
            case .conflict: return .conflict
            case .unknown: return .unknown
            }
        }
    }

    /// Records payments with the next commit; `nil` if nobody knows whether they were recorded: ask again.
    public func record(_ payments: [Payment]) async -> [PaymentResult]? {
        await withCheckedContinuation { continuation in
            commits.add([.payments(payments) { continuation.resume(returning: $0) }])
        }
    }

    /// Every bucket's combiner, in the catalogue's order.
    public var laneStatuses: [LaneStatus] {
        lanes.map { lane in
            lane.state.withLock { state in
                var fence: FenceReason?
                switch state.phase {
                case .fenced(let reason): fence = reason
                case .opening: fence = .recovering
                case .open, .unreachable: break
                }
                return LaneStatus(
                    bucket: lane.bucket.number, isOpen: state.isOpen, fence: fence, epoch: state.epoch, n: state.n,
                    waiting: state.waiting)
            }
        }
    }

    /// Stops orders at this engine, while give-backs and payments go on: for a halt that SQL cannot be told of.
    public func setBrake(_ on: Bool) { isBraked.store(on, ordering: .relaxed) }

    /// What SQL said when it last refused a commit; `nil` while it works.
    public var storeError: String? { commits.lastError }

    func stoppedLanes() -> [Lane] { lanes.filter { lane in lane.state.withLock { !$0.isOpen } } }

    // MARK: Asking

    func enqueue(
        _ order: Order, purpose: Ticket.Purpose, isRetry: Bool = false,
        resume: @escaping @Sendable (TicketAnswer) -> Void
    ) {
        enqueue(order, purpose: purpose, isRetry: isRetry, caller: .told(resume))
    }

    private func enqueue(_ order: Order, purpose: Ticket.Purpose, isRetry: Bool, caller: Ticket.Caller) {
        let now = clock.now
        let ticket = Ticket(
            order: order, purpose: purpose, askedAt: now, deadline: now + configuration.orderTimeout, caller: caller)
        if isRetry { ticket.uncertainty = .replyLost }
        if purpose == .deduct, isBraked.load(ordering: .relaxed) { return answerRefused(ticket, .halted) }
        guard let position = catalogue.position(of: order.bucket) else {
            answerRefused(ticket, .notLoaded)
            return
        }
        ask(ticket, lane: lanes[position])
    }

    func ask(_ ticket: Ticket, lane: Lane) {
        let (refusal, call): (Refusal?, LaneState.Call?) = lane.state.withLock { state in
            if let refusal = state.admit(ticket) { return (refusal, nil) }
            return (nil, state.nextCall())
        }
        if let refusal {
            if refusal == .fenced || refusal == .unreachable, fencedSale?.admit(ticket) == true { return }
            answerRefused(ticket, refusal)
        } else if let call {
            send(call, lane: lane)
            pump(lane)
        }
    }

    /// Sends what may be sent.
    func pump(_ lane: Lane) {
        while let call = lane.state.withLock({ $0.nextCall() }) { send(call, lane: lane) }
    }

    private func send(_ call: LaneState.Call, lane: Lane) {
        let (script, positions) = Self.scriptCall(call, lane: lane, milliseconds: clock.unixMilliseconds)
        // What the answer says may be as old as the question.
        let sentAt = clock.milliseconds
        meter.add { $0.calls += 1 }
        evaluate(call, script, lane: lane) { [self] result in
            switch result {
            case .success(let answer):
                handle(
                    ScriptAnswer(answer.reply), of: call, sentAt: sentAt, positions: positions,
                    replicas: answer.replicas, lane: lane)
            case .failure(let error): handle(error, of: call, lane: lane)
            }
        }
    }

    /// The call's keys and arguments, as orders.lua reads them, and the positions of its SKUs in the order of their keys.
    private static func scriptCall(
        _ call: LaneState.Call, lane: Lane, milliseconds: UInt64
    ) -> (script: ScriptCall, positions: [Int]) {
        var isTouched = [Bool](repeating: false, count: lane.bucket.skus.count)
        var positions: [Int] = []
        var lines = 0
        var last: SKUNumber?
        for ticket in call.tickets {
            for line in ticket.order.lines {
                lines += 1
                if line.sku == last { continue }
                last = line.sku
                guard let position = lane.keys.position(of: line.sku), !isTouched[position] else { continue }
                isTouched[position] = true
                positions.append(position)
            }
        }
        let capacity = 32 * call.tickets.count + 8 * lines + 96 * (positions.count + 4)
        var script = ScriptCall(keyCount: 2 + 2 * positions.count, capacity: capacity)
        script.append(lane.keys.control)
        script.append(lane.keys.outbox)
        for position in positions {
            script.append(lane.keys, at: position)
        }
        script.append(call.epoch.rawValue)
        script.append(call.n)
        OutboxBlob.append(call, milliseconds: milliseconds, to: &script)
        for position in positions { script.append(Int64(lane.bucket.skus[position].rawValue)) }
        return (script, positions)
    }
}
