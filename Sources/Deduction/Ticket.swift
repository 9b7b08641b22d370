public import Inventory
import Synchronization

/// One caller who waits for one order.
///
/// Its lane's lock protects `uncertain`; everything else is set once. A class, because it moves between queues, calls and
/// commits without being copied.
final class Ticket: @unchecked Sendable {
    enum Purpose { case deduct, release }

    let order: Order
    let purpose: Purpose
    let askedAt: ContinuousClock.Instant
    /// The caller hears `unknown` (or the refusal of a first attempt) when this passes.
    let deadline: ContinuousClock.Instant
    /// Some attempt may have been executed, or may yet be: a later "no" is not final before a cancel was answered.
    /// Protected by the lane's lock: a ticket is in one lane, and in one queue, call or commit of it at a time.
    var uncertainty: Uncertainty?
    private let caller: Caller

    /// Who hears the answer. A ticket is answered once, by whoever takes it out of its queue, call or commit.
    enum Caller {
        /// Unchecked: one a ticket is answered without another allocation, half a million times a second.
        case waiting(UnsafeContinuation<DeductionOutcome, Never>)
        case told(@Sendable (TicketAnswer) -> Void)
    }

    init(
        order: Order, purpose: Purpose, askedAt: ContinuousClock.Instant, deadline: ContinuousClock.Instant,
        caller: Caller
    ) {
        self.order = order
        self.purpose = purpose
        self.askedAt = askedAt
        self.deadline = deadline
        self.caller = caller
    }

    convenience init(
        order: Order, purpose: Purpose, askedAt: ContinuousClock.Instant, deadline: ContinuousClock.Instant,
        resume: @escaping @Sendable (TicketAnswer) -> Void
    ) {
        self.init(order: order, purpose: purpose, askedAt: askedAt, deadline: deadline, caller: .told(resume))
    }

    func answer(_ answer: TicketAnswer) {
        switch caller {
        case .told(let resume): resume(answer)
        case .waiting(let continuation):
            guard case .deduction(let outcome) = answer else {
                preconditionFailure("a deduction was answered as a release")
            }
            continuation.resume(returning: outcome)
        }
    }
}

enum TicketAnswer: Sendable, Equatable {
    case deduction(DeductionOutcome)
    case release(ReleaseOutcome)
    /// SQL has recorded this group of an order over several buckets; others have not come yet.
    case groupRecorded
}

/// What became of a release.
public enum ReleaseOutcome: Hashable, Sendable {
    /// Given back by entry `id`.
    case givenBack(OutboxID)
    /// Cancelled before. The id is the bucket's last when it said so.
    case already(OutboxID)
    /// It was not there; a tombstone, entry `id`, forbids it now.
    case tombstone(OutboxID)
    /// The flow carries another order; nothing was touched. The id is the bucket's last when it said so.
    case conflict(OutboxID)
    /// Not answered: ask again.
    case unknown
}
