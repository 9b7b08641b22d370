import Inventory
import OrderStore
import Synchronization
import Telemetry

/// Orders over several buckets: every group goes to its own lane at once, and the answers are put together.
///
/// A group that Redis took is settled with its call's whole entry, like any other order: SQL records it, and the order is
/// `partial` until the last group has come; that commit checks the last group's epoch and capacity while the others stand
/// counted, and its answer is the whole order's. So no other order of a call waits for another bucket, and engine, worker,
/// recovery and finder bring an order together in the same way.
extension DeductionEngine {
    func deductWide(_ wide: WideOrder, isRetry: Bool) async -> DeductionOutcome {
        let askedAt = clock.now
        let epochs = self.epochs(of: wide)
        let answers = await askAll(wide.orders, purpose: .deduct, isRetry: isRetry)
        let outcome: DeductionOutcome
        switch WideVerdict(answers, storeDecides: durability == .durable) {
        case .done(let duplicate):
            // The first group was answered a while ago: the whole is promised now.
            outcome = mayStillPromise(epochs) ? .done(duplicate: duplicate) : .unknown(.leaseEnded)
        case .refused(let refusal): outcome = .refused(refusal)
        case .unknown(let uncertainty): outcome = .unknown(uncertainty)
        case .undo(let refusal): outcome = await undo(wide, refusal, answers)
        }
        note(outcome, askedAt: askedAt)
        return outcome
    }

    /// Undoes an order of which some group was refused: in SQL first, by compare and set, then in every bucket.
    ///
    /// Below `durable` SQL may not have heard of an order that another attempt of the same flow was told yes for. So a bucket
    /// that refused must forbid the flow first: once one has, no attempt can be whole; where all have taken it meanwhile,
    /// the order stands.
    private func undo(_ wide: WideOrder, _ refusal: Refusal, _ answers: [TicketAnswer]) async -> DeductionOutcome {
        var forbidden: [BucketNumber: Epoch] = [:]
        if durability != .durable {
            forbidden = await forbiddance(wide, answers)
            guard !forbidden.isEmpty else { return .unknown(.replyLost) }
        }
        guard let result = try? await store.undo([wide], forbidden: forbidden).first else {
            return .unknown(.storeFailed)
        }
        if result == .stands { return .done(duplicate: true) }
        if result == .moved { return .unknown(.epochEnded) }
        let told = result == .conflict ? Refusal.conflict : refusal
        if durability == .durable {
            // SQL's word is final: no retry can turn it into a yes. The give-backs are pending there if these get lost.
            for order in wide.orders { enqueue(order, purpose: .release) { _ in } }
            return .refused(told)
        }
        // Below it a retry would be answered by Redis alone, so every bucket must forbid the flow first.
        return await releaseAll(wide) ? .refused(told) : .unknown(.replyLost)
    }

    /// A bucket that refused its group and keeps the flow out from now on, with the epoch under which it does; empty if none does.
    private func forbiddance(_ wide: WideOrder, _ answers: [TicketAnswer]) async -> [BucketNumber: Epoch] {
        let forbidder = GroupForbidder(
            catalogue: catalogue, cluster: cluster, scripts: scripts, callTimeout: configuration.callTimeout,
            clock: clock)
        for (order, answer) in zip(wide.orders, answers) {
            guard case .deduction(.refused) = answer, let position = catalogue.position(of: order.bucket) else {
                continue
            }
            let lane = lanes[position]
            let (isOpen, epoch, n) = lane.state.withLock { ($0.isOpen, $0.epoch, $0.n) }
            guard isOpen else { continue }
            let (said, _) = await forbidder.forbid([order], in: lane.bucket, epoch: epoch, n: n)
            switch said[order.flow]?[order.bucket] {
            case .forbidden, .another: return [order.bucket: epoch]
            default: continue
            }
        }
        return [:]
    }

    /// Gives back or forbids every group. False: not all buckets answered, ask again.
    func releaseAll(_ wide: WideOrder) async -> Bool {
        await askAll(wide.orders, purpose: .release).allSatisfy {
            if case .release(.unknown) = $0 { false } else { true }
        }
    }

    /// Asks all groups at once; answers in their order.
    private func askAll(
        _ orders: [Order], purpose: Ticket.Purpose, isRetry: Bool = false
    ) async -> [TicketAnswer] {
        await withCheckedContinuation { continuation in
            let gather = Gather(count: orders.count) { continuation.resume(returning: $0) }
            for (position, order) in orders.enumerated() {
                enqueue(order, purpose: purpose, isRetry: isRetry) { gather.add($0, at: position) }
            }
        }
    }

    /// One order for the meter, however many groups it has.
    private func note(_ outcome: DeductionOutcome, askedAt: ContinuousClock.Instant) {
        switch outcome {
        case .done:
            meter.add { $0.acknowledged += 1 }
            meter.latency.record(askedAt.duration(to: clock.now), count: 1)
        case .refused(let refusal): meter.add { $0.refused[refusal, default: 0] += 1 }
        case .unknown: meter.add { $0.unknown += 1 }
        }
    }
}

/// Collects the answers of an order's groups, which come on any thread, and hands them on with the last one.
private final class Gather: Sendable {
    private let answers: Mutex<[TicketAnswer?]>
    private let whenAllCame: @Sendable ([TicketAnswer]) -> Void

    init(count: Int, whenAllCame: @escaping @Sendable ([TicketAnswer]) -> Void) {
        answers = Mutex(Array(repeating: nil, count: count))
        self.whenAllCame = whenAllCame
    }

    func add(_ answer: TicketAnswer, at position: Int) {
        let all: [TicketAnswer]? = answers.withLock { answers in
            answers[position] = answer
            return answers.contains { $0 == nil } ? nil : answers.compactMap { $0 }
        }
        if let all { whenAllCame(all) }
    }
}
