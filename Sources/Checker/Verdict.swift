public import Inventory

/// What the checker looks for.
public enum Rule: String, Codable, Sendable, CaseIterable {
    /// Told yes, never undone, and yet not sold or reserved at the end.
    case acknowledgedOrderLost
    /// In a book, and nobody asked for it, or asked for something else.
    case neverAttempted
    /// Taken twice under one flow.
    case doubled
    /// At some entry, more units were sold and reserved than allocated, or fewer than none.
    case ledgerPrefix
    /// By the buyers' own record more units were held at some moment than there were.
    case oversold
    /// At the end, stock, counters, orders and ledgers do not say the same.
    case booksDisagree
    /// One flow heard answers that cannot both be true.
    case repliesDiffer
    /// Surely not done, said the answer; and yet it was.
    case refusedButTaken
    /// Cancelled, said the answer; and yet it stands.
    case cancelledButStands
    /// Units of one reservation given back more than once, or without a decision.
    case releasedTwice
    /// Paid for and given back.
    case confirmedAndReleased
    /// Sold out, said the answer, while units were there.
    case falseSoldOut
    /// The books did not agree in time after the last fault was healed.
    case driftAfterHealing
    /// The books differed before anything was done to what Redis holds: wires and processes that fail change no units.
    case driftWithoutCause
    /// At the end a bucket's state, or a SKU's frozen flag, is not in Redis what SQL says.
    case missedAct
    /// A closed sale that sold, still reserves, or whose printed books are not what the stores hold.
    case closedBooks
    /// Ended by its deadline before it.
    case expiredEarly
    /// One buyer holds more units than the sale allows, or held them.
    case buyerLimit
    /// Too few orders before the first fault: nothing was put to the test.
    case tooFewOrders
    /// A check that could not finish.
    case unfinished
}

/// What the checker found.
public struct Verdict: Codable, Sendable {
    /// One finding: which rule, about what, shown by what.
    public struct Finding: Codable, Sendable, Hashable, CustomStringConvertible {
        public var rule: Rule
        public var flow: FlowID?
        /// One line.
        public var evidence: String
        public var description: String {
            "\(rule.rawValue)\(flow.map { " \($0)" } ?? ""): \(evidence)"
        }
    }

    /// Findings of a rule that are kept; the rest is counted.
    public static let keptMax = 20

    /// The promise was broken.
    public private(set) var violations: [Finding] = []
    /// Acknowledged orders and units that the promise allowed to be lost.
    public private(set) var losses: [Finding] = []
    /// What nobody could find out.
    public private(set) var unknown: [Finding] = []
    public private(set) var violationCounts: [Rule: Int] = [:]
    public private(set) var lossCounts: [Rule: Int] = [:]
    /// Questions asked by buyers and operators.
    public internal(set) var operations = 0
    /// Flows that were told yes.
    public internal(set) var acknowledged = 0
    public internal(set) var faults = 0

    public var violationCount: Int { violationCounts.values.reduce(0, +) }
    public var lossCount: Int { lossCounts.values.reduce(0, +) }
    public var isGood: Bool { violations.isEmpty && unknown.isEmpty }

    mutating func violate(_ rule: Rule, _ flow: FlowID? = nil, _ evidence: @autoclosure () -> String) {
        violationCounts[rule, default: 0] += 1
        guard violationCounts[rule]! <= Self.keptMax else { return }
        violations.append(Finding(rule: rule, flow: flow, evidence: evidence()))
    }

    /// A violation, unless the promise allows it.
    mutating func lose(
        _ rule: Rule, _ flow: FlowID? = nil, isAllowed: Bool, _ evidence: @autoclosure () -> String
    ) {
        guard isAllowed else { return violate(rule, flow, evidence()) }
        lossCounts[rule, default: 0] += 1
        guard lossCounts[rule]! <= Self.keptMax else { return }
        losses.append(Finding(rule: rule, flow: flow, evidence: evidence()))
    }

    mutating func leaveUnknown(_ rule: Rule, _ flow: FlowID? = nil, _ why: String) {
        guard unknown.count < Self.keptMax else { return }
        unknown.append(Finding(rule: rule, flow: flow, evidence: why))
    }
}
