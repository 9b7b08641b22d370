import Inventory

/// A question and its answer, as far as there is one.
struct Question {
    var operation: HistoryEvent.Operation
    var process: Int
    var flow: FlowID?
    var lines: [OrderLine]
    var buyer: Int64?
    var flag: Bool?
    var subject: String?
    var askedAt: Int64
    /// When the answer came; the end of time without one.
    var answeredAt = Int64.max
    /// `info` without an answer.
    var kind = HistoryEvent.Kind.info
    var answer: String?
    var isDuplicate = false

    /// Asked again, as its asker knew.
    var isRetry: Bool { operation == .deduct && flag == true }
    var isDone: Bool { operation == .deduct && kind == .ok }
    /// A payment that failed, or a cancellation: somebody wanted the order undone.
    var asksForUndoing: Bool { operation == .cancel || (operation == .pay && flag == false) }
}

/// All that buyers asked about one flow, in the order in which they asked.
struct Story {
    var deductions: [Question] = []
    var endings: [Question] = []

    var done: [Question] { deductions.filter(\.isDone) }
    /// Somebody asked for the order to be undone, whatever came of it.
    var isUndone: Bool { endings.contains(where: \.asksForUndoing) }
    /// A payment was told to be recorded.
    var isConfirmed: Bool {
        endings.contains { $0.operation == .pay && $0.kind == .ok && $0.answer == HistoryEvent.Answer.confirmed }
    }
    /// A payment came too late, and its buyer heard so.
    var isLate: Bool {
        endings.contains {
            $0.operation == .pay && $0.kind == .ok
                && ($0.answer == HistoryEvent.Answer.refunded || $0.answer == HistoryEvent.Answer.reservedAgain)
        }
    }
    /// When a cancellation was first answered.
    var cancelledAt: Int64? {
        endings.filter {
            $0.operation == .cancel && $0.kind == .ok && $0.answer == HistoryEvent.Answer.cancelled
        }.map(\.answeredAt).min()
    }
    /// When somebody first heard that the order is undone.
    var undoneAt: Int64? {
        endings.filter { $0.kind == .ok && $0.answer == HistoryEvent.Answer.cancelled }.map(\.answeredAt).min()
    }
    var buyer: Int64? { deductions.first(where: { $0.buyer != nil })?.buyer }

    /// Whether anybody ever named these lines under this flow.
    func named(_ lines: [OrderLine]) -> Bool {
        deductions.contains { Story.same($0.lines, lines) } || endings.contains { Story.same($0.lines, lines) }
    }

    static func same(_ left: [OrderLine], _ right: [OrderLine]) -> Bool {
        if left == right { return true }
        guard left.count == right.count, left.count > 1 else { return false }
        return left.sorted { $0.sku < $1.sku } == right.sorted { $0.sku < $1.sku }
    }
}

extension HistoryEvent.Operation {
    fileprivate var isAboutFlow: Bool {
        switch self {
        case .deduct, .cancel, .pay, .release: true
        default: false
        }
    }
}

/// A history, folded: one story a flow, and what was done to the system.
struct Stories {
    var byFlow: [FlowID: Story] = [:]
    /// In the order in which they were first asked about: one history, one verdict, finding by finding.
    var flows: [FlowID] = []
    /// In the order of the history.
    var questions: [Question] = []
    var restocks: [Question] = []
    var reversals: [Question] = []
    /// When somebody first heard the books of the closed sale.
    var closedAt: Int64?
    /// Begin of each fault, with its name.
    var faults: [(at: Int64, name: String)] = []
    var firstAskedAt: Int64?
    /// The last heal; `nil` where none was written.
    var healedAt: Int64?
    /// Answers to questions that nobody asked, or asked by somebody who had asked already.
    var incoherent = 0
    /// When the first of each flow's answers `done` came, in order.
    var firstYesAt: [Int64] = []

    init(_ events: [HistoryEvent]) {
        questions.reserveCapacity(events.count / 2)
        var open: [Int: Int] = [:]
        for event in events {
            switch event.operation {
            case .fault:
                if event.kind == .invoke { faults.append((event.at, event.subject ?? "?")) }
            case .heal:
                if event.kind == .ok { healedAt = event.at }
            case .compare, .start, .end, .drained: continue
            default: take(event, &open)
            }
        }
        for question in questions {
            guard let flow = question.flow else {
                if question.operation == .restock { restocks.append(question) }
                if question.operation == .reverseRestock { reversals.append(question) }
                if question.operation == .close, question.kind == .ok {
                    closedAt = min(closedAt ?? .max, question.answeredAt)
                }
                continue
            }
            if question.operation.isAboutFlow, byFlow[flow] == nil { flows.append(flow) }
            switch question.operation {
            case .deduct:
                if question.isDone, byFlow[flow]?.deductions.contains(where: \.isDone) != true {
                    firstYesAt.append(question.answeredAt)
                }
                byFlow[flow, default: Story()].deductions.append(question)
            case .cancel, .pay, .release: byFlow[flow, default: Story()].endings.append(question)
            default: continue
            }
        }
    }

    private mutating func take(_ event: HistoryEvent, _ open: inout [Int: Int]) {
        guard event.kind != .invoke else {
            // A process that asks anew has given up what it asked before.
            open[event.process] = questions.count
            if event.operation == .deduct, firstAskedAt == nil { firstAskedAt = event.at }
            questions.append(
                Question(
                    operation: event.operation, process: event.process, flow: event.flow, lines: event.lines,
                    buyer: event.buyer, flag: event.flag, subject: event.subject, askedAt: event.at))
            return
        }
        guard let position = open[event.process], questions[position].operation == event.operation,
            event.flow == nil || questions[position].flow == event.flow
        else {
            incoherent += 1
            return
        }
        open[event.process] = nil
        questions[position].answeredAt = event.at
        questions[position].kind = event.kind
        questions[position].answer = event.answer
        questions[position].isDuplicate = event.isDuplicate ?? false
    }
}
