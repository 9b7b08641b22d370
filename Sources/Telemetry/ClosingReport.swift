import Inventory

/// How far the closing of a sale has come, step by step, and its books at the end.
public struct ClosingReport: Sendable, Hashable {
    public enum Step: String, Sendable, CaseIterable, Hashable {
        case stop, drain, reservations, compare

        public var title: String {
            switch self {
            case .stop: "orders stopped everywhere"
            case .drain: "outboxes, give-backs drained"
            case .reservations: "reservations ended"
            case .compare: "Redis and SQL compared"
            }
        }
    }

    public enum Progress: Sendable, Hashable {
        case waiting
        case working(String)
        case done(String)
        /// It could not be done, or found something.
        case bad(String)
    }

    public var saleName: String
    public private(set) var steps: [Step: Progress]
    /// Once everything is done, or nothing moves any more.
    public var books: SaleBooks?

    public init(saleName: String) {
        self.saleName = saleName
        steps = Dictionary(uniqueKeysWithValues: Step.allCases.map { ($0, .waiting) })
    }

    public func progress(_ step: Step) -> Progress { steps[step] ?? .waiting }
    public mutating func set(_ step: Step, _ progress: Progress) { steps[step] = progress }

    /// Whether every step ended well.
    public var isClean: Bool {
        books?.isClean == true
            && Step.allCases.allSatisfy { if case .done = progress($0) { true } else { false } }
    }

    /// Whether nothing more will be done.
    public var isOver: Bool {
        books != nil
            || Step.allCases.contains { if case .bad = progress($0) { progress(.stop) == progress($0) } else { false } }
    }
}

/// The books of a sale: units by what became of them, and whether the stores agree.
public struct SaleBooks: Sendable, Hashable {
    public var allocated: Int64 = 0
    public var sold: Int64 = 0
    /// Units of reservations that are still open.
    public var reserved: Int64 = 0
    /// Units left in Redis; `nil`: some bucket does not answer.
    public var stock: Int64?
    public var soldOrders: Int64 = 0
    public var reservedOrders: Int64 = 0
    public var cancelledOrders: Int64 = 0
    public var expiredOrders: Int64 = 0
    public var refundsPending: Int64 = 0
    public var refundsSettled: Int64 = 0
    public var deadLetters: Int64 = 0
    public var driftUnits: Int64 = 0
    /// Buckets that could not be compared.
    public var unreadBuckets = 0
    public var oversoldUnits: Int64 = 0
    /// `nil`: only the buyers' own record could say, and there is none.
    public var lostOrders: Int64?
    public init() {}

    /// Units that no column has: allocated − sold − reserved − stock.
    public var missingUnits: Int64? { stock.map { allocated - sold - reserved - $0 } }

    /// Whether every unit is somewhere, and nothing was promised that is not there.
    public var isClean: Bool {
        driftUnits == 0 && unreadBuckets == 0 && oversoldUnits == 0 && (lostOrders ?? 0) == 0 && reserved == 0
            && missingUnits == 0
    }

    /// `allocated 120000 = sold 90000 + reserved 0 + stock 30000 units; drift 0, oversold 0, lost 0`
    public var sentence: String {
        "allocated \(allocated.inGroups) = sold \(sold.inGroups) + reserved \(reserved.inGroups) + stock \(stock?.inGroups ?? "?") units"
            + ((missingUnits ?? 0) == 0 ? "" : " + \(missingUnits ?? 0) that nobody has")
            + "; drift \(driftUnits), oversold \(oversoldUnits), lost \(lostOrders.map(String.init) ?? "not known here")"
            + "; refunds \(refundsPending) to be paid, \(refundsSettled) paid"
            + (deadLetters > 0 ? "; dead letters \(deadLetters)" : "")
            + (unreadBuckets > 0 ? "; \(unreadBuckets) buckets could not be compared" : "")
    }
}
