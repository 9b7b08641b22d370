public import Inventory

/// One line of a history: what somebody asked for, what they heard, or what was done to the system.
///
/// A question is an `invoke` and the `ok`, `fail` or `info` that the same `process` writes next; a process asks one thing at a
/// time. A question without an answer counts as `info`: nobody knows what became of it.
public struct HistoryEvent: Hashable, Sendable {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Asked, or begun.
        case invoke
        /// Surely done, with the answer.
        case ok
        /// Surely not done, with the reason.
        case fail
        /// Nobody knows.
        case info
    }

    public enum Operation: String, Codable, Sendable, CaseIterable {
        /// Take stock for an order. `ok done`, `fail` with a `Refusal`, `info` with an `Uncertainty`.
        case deduct
        /// End an order. `ok cancelled`; `fail` with `sold` or `conflict`.
        case cancel
        /// A payment that arrived (`succeeded`) or failed. `ok confirmed`, `ok cancelled`, or for a late one `ok refunded`
        /// or `ok reservedAgain`; `fail` where neither can be.
        case pay
        /// Units of a reservation given back in Redis, where a history can see it. `ok givenBack`, `ok tombstone`, `ok already`.
        case release
        /// Units added to a SKU: the one line of `lines`.
        case restock
        /// Units taken off a SKU's sale again: the one line of `lines`. `ok done`; whatever else was heard, they may go later.
        case reverseRestock
        case freeze, thaw, open, halt, close
        case recover, compare, repair
        /// A party (`subject`) came or went, by its own will or not.
        case start, end
        /// Something that was done to the system on purpose: `subject` names it, `invoke` begins and `ok` ends it.
        case fault
        /// `ok`: from here on nothing is done to the system any more.
        case heal
        /// `ok`: what was asked after a heal got its last answer; the rest is the end.
        case drained
    }

    /// Microseconds since the history began, on one clock that never steps.
    public var at: Int64
    /// Who asked: a number that asks one thing at a time.
    public var process: Int
    public var operation: Operation
    public var kind: Kind
    public var flow: FlowID?
    /// What was asked for; on an `invoke`.
    public var lines: [OrderLine]
    /// The person behind the order, where limits count.
    public var buyer: Int64?
    /// Of a deduction: the same flow was asked before. Of a payment: whether it arrived.
    public var flag: Bool?
    /// The answer's word.
    public var answer: String?
    /// Of a `done`: the flow had been taken before.
    public var isDuplicate: Bool?
    /// Name of a fault, a party, a bucket.
    public var subject: String?
    /// For people.
    public var detail: String?

    public init(
        at: Int64, process: Int, _ operation: Operation, _ kind: Kind, flow: FlowID? = nil, lines: [OrderLine] = [],
        buyer: Int64? = nil, flag: Bool? = nil, answer: String? = nil, isDuplicate: Bool? = nil, subject: String? = nil,
        detail: String? = nil
    ) {
        self.at = at
        self.process = process
        self.operation = operation
        self.kind = kind
        self.flow = flow
        self.lines = lines
        self.buyer = buyer
        self.flag = flag
        self.answer = answer
        self.isDuplicate = isDuplicate
        self.subject = subject
        self.detail = detail
    }
}

// MARK: Events that are written often

extension HistoryEvent {
    /// An order is asked for.
    public static func asking(
        _ flow: FlowID, _ lines: [OrderLine], at: Int64, process: Int, isRetry: Bool = false, buyer: Int64? = nil
    ) -> HistoryEvent {
        HistoryEvent(
            at: at, process: process, .deduct, .invoke, flow: flow, lines: lines, buyer: buyer,
            flag: isRetry ? true : nil)
    }

    /// The answer to a deduction.
    public static func heard(_ outcome: DeductionOutcome, _ flow: FlowID, at: Int64, process: Int) -> HistoryEvent {
        var event = HistoryEvent(at: at, process: process, .deduct, .info, flow: flow)
        switch outcome {
        case .done(let duplicate):
            event.kind = .ok
            event.answer = Answer.done
            if duplicate { event.isDuplicate = true }
        case .refused(let refusal):
            event.kind = .fail
            event.answer = refusal.rawValue
        case .unknown(let uncertainty): event.answer = uncertainty.rawValue
        }
        return event
    }

    /// Answers as the checker reads them, beside the refusals of `Inventory`.
    public enum Answer {
        public static let done = "done"
        public static let cancelled = "cancelled"
        public static let confirmed = "confirmed"
        /// Of a payment that came too late: the money goes back.
        public static let refunded = "refunded"
        /// Of a payment that came too late: its lines were taken under another flow.
        public static let reservedAgain = "reservedAgain"
        public static let sold = "sold"
        public static let conflict = "conflict"
        public static let soldOut = "soldOut"
        public static let overCapacity = "overCapacity"
        public static let tooOld = "tooOld"
        public static let givenBack = "givenBack"
    }
}
