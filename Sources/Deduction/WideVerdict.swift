import Inventory

/// What the answers of an order's groups make of the whole, as a value.
enum WideVerdict: Equatable {
    /// The buyer hears yes.
    case done(duplicate: Bool)
    /// No group was taken: the buyer hears no.
    case refused(Refusal)
    /// Some group was refused and another was, or may have been, taken: SQL must undo the order before the buyer hears no.
    case undo(Refusal)
    case unknown(Uncertainty)

    /// - Parameter storeDecides: a group's yes is SQL's word on the whole order (`durable`); else it is Redis's on that group.
    init(_ answers: [TicketAnswer], storeDecides: Bool) {
        var done = 0
        var duplicates = 0
        var refusals: [Refusal] = []
        var uncertainty: Uncertainty?
        for answer in answers {
            switch answer {
            case .deduction(.done(let duplicate)):
                done += 1
                if duplicate { duplicates += 1 }
            case .deduction(.refused(let refusal)): refusals.append(refusal)
            case .deduction(.unknown(let why)): uncertainty = why
            case .groupRecorded, .release: break
            }
        }
        if storeDecides ? done > 0 : done == answers.count {
            self = .done(duplicate: duplicates == done)
        } else if let refusal = Self.told.first(where: refusals.contains) {
            self = refusals.count == answers.count ? .refused(refusal) : .undo(refusal)
        } else {
            self = .unknown(uncertainty ?? .storeFailed)
        }
    }

    /// Which of several refusals the buyer hears: what no retry would change first, what time heals last.
    private static let told: [Refusal] = {
        let first: [Refusal] = [
            .conflict, .cancelled, .tooOld, .overCapacity, .limit, .soldOut, .frozen, .halted, .notLoaded,
        ]
        return first + Refusal.allCases.filter { !first.contains($0) }
    }()
}
