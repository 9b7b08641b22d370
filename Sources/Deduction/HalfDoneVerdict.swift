public import Inventory
public import OrderStore

/// What Redis says of a group that SQL has not met, once it was told to forbid what is not there.
public enum GroupAnswer: Sendable, Hashable {
    /// Taken, by entry `id`, which SQL will hear of: the group stays.
    case taken(OutboxID)
    /// It was not there, or cancelled, and can never be taken any more.
    case forbidden
    /// The flow carries another order there.
    case another
}

/// What becomes of a half-done order, as a value.
public enum HalfDoneVerdict: Sendable, Hashable {
    /// Every group is taken: SQL learns of the missing ones now.
    case finish([DuplicateSettlement])
    /// Some group can never come: SQL undoes the order, by compare and set, and what was taken is given back.
    case undo
    /// A bucket did not answer, or is being recovered, and nothing else says that the order cannot become whole.
    case wait

    /// - Parameters:
    ///   - missing: the groups that SQL has not met.
    ///   - answers: by bucket; none for a bucket that did not answer.
    public init(missing: [Order], answers: [BucketNumber: GroupAnswer]) {
        var duplicates: [DuplicateSettlement] = []
        var waits = false
        for order in missing {
            switch answers[order.bucket] {
            case .taken(let id): duplicates.append(DuplicateSettlement(order: order, id: id))
            case .forbidden, .another:
                self = .undo
                return
            case nil: waits = true
            }
        }
        self = waits ? .wait : .finish(duplicates)
    }
}
