/// What became of a deduction, by flow.
///
/// `refused` means surely not done. `unknown` means it may have been done or may happen later: ask again with the same flow.
public enum DeductionOutcome: Hashable, Sendable {
    case done(duplicate: Bool)
    case refused(Refusal)
    case unknown(Uncertainty)
}

/// Why an order was surely not done.
public enum Refusal: String, Hashable, Sendable, CaseIterable {
    /// Fewer units left than asked for.
    case soldOut
    case frozen
    /// The sale is not open.
    case halted
    /// The same flow was used for another order.
    case conflict
    /// The flow was cancelled, before or after it was taken.
    case cancelled
    /// Older than the dedupe horizon, and SQL has no such order: it was not taken and will not be.
    case tooOld
    /// The buyer would hold more units than the SKU's limit, or the SKU is limited and the order names no buyer.
    case limit
    /// The SKU was never loaded.
    case notLoaded
    /// No capacity in SQL, or beyond the buyer's limit there: Redis allowed more than SQL does. The bucket is fenced.
    case overCapacity
    /// The bucket is fenced and recovering; nothing was taken.
    case fenced
    /// The queue of the bucket is full, or a limit on the rate of orders is reached: nothing was sent.
    case overloaded
    /// The node could not be reached; nothing was sent.
    case unreachable
}

/// Why nobody knows yet whether an order was done.
public enum Uncertainty: String, Hashable, Sendable, CaseIterable {
    /// The connection broke or the deadline passed after the call was sent.
    case replyLost
    /// Taken in Redis, but its epoch ended before SQL committed it.
    case epochEnded
    /// Taken in Redis, and SQL did not answer.
    case storeFailed
    /// Taken in Redis, and fewer replicas had it in time than the sale asks for.
    case tooFewReplicas
    /// Taken in Redis, and SQL was read too long ago to know that nobody recovered the bucket meanwhile.
    case leaseEnded
}
