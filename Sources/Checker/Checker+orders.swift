import Inventory

/// Every order that somebody was told of, and every order that a book holds.
extension Checker {
    mutating func checkOrders() {
        for flow in stories.flows {
            guard let story = stories.byFlow[flow] else { continue }
            checkAcknowledged(flow, story)
            checkRefused(flow, story)
            checkEnding(flow, story)
            checkConflict(flow, story)
        }
        checkAttempted()
    }

    /// Told yes and never undone: it must stand, as it was asked for.
    private mutating func checkAcknowledged(_ flow: FlowID, _ story: Story) {
        let done = story.done
        guard let yes = done.first else { return }
        if !mayLose, isToldTwice(done.filter { !$0.isDuplicate }) {
            verdict.violate(.doubled, flow, "was told twice that it was taken just now")
        }
        if let other = done.first(where: { !Story.same($0.lines, yes.lines) }) {
            verdict.violate(
                .doubled, flow, "was told yes for \(Self.text(yes.lines)) and for \(Self.text(other.lines))")
        }
        guard let row = orders[flow] else {
            // A cancellation is a row as well; `checkEnding` looks for it.
            guard isWhole, !story.isUndone else { return }
            verdict.lose(
                .acknowledgedOrderLost, flow, isAllowed: mayLose && !story.isConfirmed,
                "told yes at \(yes.answeredAt) us for \(Self.text(yes.lines)); SQL has no row")
            return
        }
        switch row.state {
        case .reserved, .sold: break
        case .cancelled, .void, .partial:
            guard !story.isUndone else { break }
            verdict.lose(
                .acknowledgedOrderLost, flow, isAllowed: mayLose,
                "told yes at \(yes.answeredAt) us, undone by nobody; SQL says \(row.state.rawValue)")
        case .expired: break
        case .overCapacity, .refunded:
            guard !story.isUndone else { break }
            verdict.lose(
                .acknowledgedOrderLost, flow, isAllowed: mayLose,
                "told yes at \(yes.answeredAt) us for \(Self.text(yes.lines)); SQL says \(row.state.rawValue)")
        }
        if story.isConfirmed, row.state != .sold, story.undoneAt == nil {
            verdict.lose(
                .acknowledgedOrderLost, flow, isAllowed: mayLose && row.state == .refunded,
                "its payment was confirmed; SQL says \(row.state.rawValue)")
        }
        if row.state.holdsUnits, !Story.same(row.lines, yes.lines) {
            verdict.violate(
                .doubled, flow, "told yes for \(Self.text(yes.lines)); SQL has \(Self.text(row.lines))")
        }
    }

    /// Whether more than one was the first. Of an order over several buckets two who ask at once may each be first in one of them.
    private func isToldTwice(_ firsts: [Question]) -> Bool {
        guard firsts.count > 1 else { return false }
        let buckets = Set(firsts[0].lines.compactMap { positions[$0.sku].map { final.skus[$0].bucket } })
        guard buckets.count > 1 else { return true }
        return firsts.contains { early in firsts.contains { $0.askedAt > early.answeredAt } }
    }

    /// Told no, and no attempt is unknown: it must not stand.
    private mutating func checkRefused(_ flow: FlowID, _ story: Story) {
        guard let row = orders[flow], row.state.holdsUnits, story.done.isEmpty else { return }
        let attempts = story.deductions.filter { Story.same($0.lines, row.lines) }
        guard !attempts.isEmpty, attempts.allSatisfy({ $0.kind == .fail }) else { return }
        let answers = attempts.compactMap(\.answer).joined(separator: ", ")
        verdict.violate(.refusedButTaken, flow, "was only ever refused (\(answers)); SQL says \(row.state.rawValue)")
    }

    /// What buyers heard of payments and cancellations.
    private mutating func checkEnding(_ flow: FlowID, _ story: Story) {
        let row = orders[flow]
        if story.isLate, story.isConfirmed || row?.state == .sold {
            verdict.violate(
                .repliesDiffer, flow,
                "heard that its payment came too late; \(row?.state == .sold ? "SQL says sold" : "and that it is confirmed")"
            )
        }
        if let row, row.state == .expired { checkDeadline(flow, story) }
        if let cancelledAt = story.cancelledAt, let late = story.done.first(where: { $0.askedAt > cancelledAt }) {
            verdict.violate(
                .repliesDiffer, flow,
                "heard at \(cancelledAt) us that it is cancelled, asked again, and heard at \(late.answeredAt) us that it is done"
            )
        }
        guard let undoneAt = story.undoneAt else { return }
        if story.isConfirmed {
            verdict.violate(.confirmedAndReleased, flow, "heard both that it is paid for and that it is cancelled")
        } else if let row, row.state.holdsUnits {
            verdict.violate(
                .cancelledButStands, flow, "heard at \(undoneAt) us that it is undone; SQL says \(row.state.rawValue)")
        } else if row == nil, isWhole {
            verdict.violate(
                .cancelledButStands, flow, "heard at \(undoneAt) us that it is undone; SQL has no row that forbids it")
        }
    }

    /// Whoever heard that an expired order is over heard it after its deadline, which is counted from when it was taken.
    private mutating func checkDeadline(_ flow: FlowID, _ story: Story) {
        guard let timeout = promise.reservationTimeoutMicroseconds, let asked = story.deductions.map(\.askedAt).min(),
            !stories.faults.contains(where: { $0.name == Promise.Fault.clockJump })
        else { return }
        // Deadlines are whole milliseconds.
        let deadline = asked + timeout - 1_000
        let over = story.endings.filter { $0.kind == .ok }.map(\.answeredAt).min()
        guard let over, over < deadline else { return }
        verdict.violate(
            .expiredEarly, flow, "heard at \(over) us that it is over; its deadline was not before \(deadline) us")
    }

    /// What the books hold, somebody asked for, and in these quantities.
    private mutating func checkAttempted() {
        if orders.count != final.orders.count {
            var seen = Set<FlowID>()
            for row in final.orders where !seen.insert(row.flow).inserted {
                verdict.violate(.doubled, row.flow, "stands twice in SQL")
            }
        }
        for row in final.orders {
            if let story = story(of: row.flow), story.named(row.lines) { continue }
            let asked = stories.byFlow[row.flow]?.deductions.first.map { "asked for was \(Self.text($0.lines))" }
            verdict.violate(
                .neverAttempted, row.flow,
                "SQL has \(Self.text(row.lines)) as \(row.state.rawValue); \(asked ?? "nobody asked for it")")
        }
        for sku in final.skus {
            var seen = Set<FlowID>(minimumCapacity: sku.redisLedger.count)
            for entry in sku.redisLedger {
                if !seen.insert(entry.flow).inserted {
                    verdict.violate(.doubled, entry.flow, "stands twice in the ledger of SKU \(sku.sku.rawValue)")
                }
                guard let story = story(of: entry.flow) else {
                    verdict.violate(
                        .neverAttempted, entry.flow,
                        "the ledger of SKU \(sku.sku.rawValue) has \(entry.quantity); nobody asked for it")
                    continue
                }
                guard entry.quantity > 0 else { continue }
                let isNamed = (story.deductions + story.endings).contains { question in
                    question.lines.contains { $0.sku == sku.sku && Int64($0.quantity) == entry.quantity }
                }
                if !isNamed {
                    verdict.violate(
                        .neverAttempted, entry.flow,
                        "the ledger of SKU \(sku.sku.rawValue) has \(entry.quantity); nobody asked for so many")
                }
            }
        }
    }

    /// What was asked about a flow, or about the one that it stands for.
    private func story(of flow: FlowID) -> Story? {
        if let story = stories.byFlow[flow] { return story }
        guard let original = standsFor[flow], let story = stories.byFlow[original],
            story.endings.contains(where: { $0.operation == .pay && $0.flag == true })
        else { return nil }
        return story
    }

    // MARK: Replies

    /// Every done, conflict or cancelled reply of one flow says the same, across restarts too.
    mutating func checkReplies() {
        for flow in stories.flows {
            guard let story = stories.byFlow[flow], story.deductions.count > 1 || !story.endings.isEmpty else {
                continue
            }
            for (position, question) in story.deductions.enumerated() {
                guard question.kind != .info, let answer = Self.recorded(question) else { continue }
                for other in story.deductions[(position + 1)...] {
                    guard other.kind != .info, let later = Self.recorded(other),
                        Story.same(question.lines, other.lines), answer != later,
                        let evidence = difference(
                            question, answer, other, later, story, isHeld: orders[flow]?.state ?? nil)
                    else { continue }
                    verdict.lose(
                        .repliesDiffer, flow, isAllowed: mayLose && answer == HistoryEvent.Answer.done, evidence)
                }
            }
            checkEndingReplies(flow, story)
        }
    }

    /// Who hears `conflict` shares the flow with another order: somebody asked for that one.
    private mutating func checkConflict(_ flow: FlowID, _ story: Story) {
        let all = story.deductions + story.endings
        guard let told = all.first(where: { $0.kind == .fail && $0.answer == HistoryEvent.Answer.conflict }),
            all.allSatisfy({ $0.lines.isEmpty || Story.same($0.lines, told.lines) })
        else { return }
        verdict.violate(
            .repliesDiffer, flow,
            "heard at \(told.answeredAt) us that its flow carries another order; nobody asked for another")
    }

    /// A payment's or cancellation's answer stays the same.
    private mutating func checkEndingReplies(_ flow: FlowID, _ story: Story) {
        guard story.endings.count > 1 else { return }
        var sold: Question?
        for ending in story.endings where ending.kind == .fail && ending.answer == HistoryEvent.Answer.sold {
            sold = ending
        }
        if let sold, story.undoneAt != nil {
            verdict.violate(
                .repliesDiffer, flow, "heard at \(sold.answeredAt) us that it is sold, and that it is cancelled")
        }
    }

    /// The reply as a flow's recorded result; `nil` for one that depends on the moment (sold out, frozen, fenced, …).
    private static func recorded(_ question: Question) -> String? {
        switch question.answer {
        case HistoryEvent.Answer.done, HistoryEvent.Answer.conflict, HistoryEvent.Answer.cancelled,
            HistoryEvent.Answer.overCapacity, HistoryEvent.Answer.soldOut, HistoryEvent.Answer.tooOld:
            question.answer
        default: nil
        }
    }

    /// Why two replies cannot both be true; `nil` if they can.
    private func difference(
        _ first: Question, _ answer: String, _ second: Question, _ later: String, _ story: Story,
        isHeld state: FinalState.OrderState?
    ) -> String? {
        let evidence = "heard \(answer) at \(first.answeredAt) us and \(later) at \(second.answeredAt) us"
        switch Set([answer, later]) {
        case [HistoryEvent.Answer.done, HistoryEvent.Answer.soldOut]:
            // Sold out is no recorded result: only a yes that came before the question forbids it.
            let (yes, no) = answer == HistoryEvent.Answer.done ? (first, second) : (second, first)
            guard yes.answeredAt < no.askedAt else { return nil }
            return evidence
        case [HistoryEvent.Answer.done, HistoryEvent.Answer.cancelled]:
            let (yes, no) = answer == HistoryEvent.Answer.done ? (first, second) : (second, first)
            if no.answeredAt < yes.askedAt { return evidence }
            let isUndone = story.endings.contains { $0.asksForUndoing && $0.askedAt < no.answeredAt }
            return isUndone || state == .expired || state == .refunded ? nil : evidence + ", undone by nobody"
        case [HistoryEvent.Answer.done, HistoryEvent.Answer.tooOld]:
            // Not taken and never to be: neither after a yes nor before one.
            let isBeside = first.answeredAt >= second.askedAt && second.answeredAt >= first.askedAt
            return isBeside ? nil : evidence
        case [HistoryEvent.Answer.done, HistoryEvent.Answer.overCapacity],
            [HistoryEvent.Answer.done, HistoryEvent.Answer.conflict]:
            return evidence
        case [HistoryEvent.Answer.conflict, HistoryEvent.Answer.cancelled]:
            return evidence
        default: return nil
        }
    }
}
