import Inventory

/// Who held how many units when, by the buyers' own record: at least, and at most.
///
/// *Surely held*: told yes and not yet asked to be undone. *Possibly held*: asked for and not surely refused, nor surely given
/// back. The first must never exceed what there is; and who hears "sold out" while even the second leaves enough was lied to.
extension Checker {
    private struct Step {
        let at: Int64
        /// Units that may be held from here on.
        var possible: Int64 = 0
        /// Units that are surely held from here on.
        var sure: Int64 = 0
        var allocated: Int64 = 0
    }

    mutating func checkHoldings() {
        var steps: [SKUNumber: [Step]] = [:]
        func add(_ lines: [OrderLine], _ step: (Int64) -> Step) {
            for line in lines { steps[line.sku, default: []].append(step(Int64(line.quantity))) }
        }
        for flow in stories.flows {
            guard let story = stories.byFlow[flow] else { continue }
            for payload in payloads(of: story) {
                let held = span(of: story, payload, flow)
                if let from = held.possibleFrom {
                    add(payload) { Step(at: from, possible: $0) }
                    if let end = held.possibleTo { add(payload) { Step(at: end, possible: -$0) } }
                }
                if let from = held.sureFrom, held.sureTo.map({ $0 > from }) ?? true {
                    add(payload) { Step(at: from, sure: $0) }
                    if let end = held.sureTo { add(payload) { Step(at: end, sure: -$0) } }
                }
            }
        }
        for restock in stories.restocks where restock.kind != .fail {
            // Units may be sold from the moment when somebody asked for them.
            add(restock.lines) { Step(at: restock.askedAt, allocated: $0) }
        }
        for reversal in stories.reversals where reversal.kind == .ok {
            // They may not be any more once somebody heard that they are off sale.
            add(reversal.lines) { Step(at: reversal.answeredAt, allocated: -$0) }
        }
        let soldOut = falseSoldOutCandidates()
        for sku in final.skus {
            let restocked = final.restocked(sku.sku)
            let list = (steps[sku.sku] ?? []).sorted { $0.at < $1.at }
            checkSure(sku, allocated: sku.allocatedAtStart ?? sku.allocated - restocked, list)
        }
        checkSoldOut(soldOut, steps)
        checkLimits()
    }

    private func payloads(of story: Story) -> [[OrderLine]] {
        guard let first = story.deductions.first?.lines else { return [] }
        var all = [first]
        for question in story.deductions.dropFirst() where !all.contains(where: { Story.same($0, question.lines) }) {
            all.append(question.lines)
        }
        return all
    }

    /// From when to when an order may have held, and surely held, its units; without an end: to the end.
    private func span(
        of story: Story, _ lines: [OrderLine], _ flow: FlowID
    ) -> (possibleFrom: Int64?, possibleTo: Int64?, sureFrom: Int64?, sureTo: Int64?) {
        let attempts = story.deductions.filter { Story.same($0.lines, lines) }
        let yes = attempts.filter(\.isDone).map(\.answeredAt).min()
        let undoing = story.endings.filter(\.asksForUndoing)
        var possibleTo: Int64?
        if yes == nil, attempts.allSatisfy({ $0.kind == .fail }) {
            possibleTo = attempts.map(\.answeredAt).max()
        } else if let cancelled = undoing.filter({
            $0.operation == .cancel && $0.kind == .ok && $0.answer == HistoryEvent.Answer.cancelled
        }).map(\.answeredAt).min() {
            // Answered once Redis gave the units back.
            possibleTo = max(cancelled, attempts.filter { $0.kind == .info }.map(\.askedAt).max() ?? cancelled)
        } else if let failed = story.undoneAt {
            // A failed payment gives back behind its answer, in the time in which books settle after a heal.
            possibleTo = max(failed, stories.healedAt ?? failed) + promise.driftSettlesWithinMicroseconds
        }
        // What was reserved once more for a late payment is held on, whatever is asked of the flow that it was reserved for.
        if heldByAnother.contains(flow) { possibleTo = nil }
        // Who expired did so at a moment that no buyer saw; who was lost as the promise allows was not surely there.
        let state = orders[flow]?.state
        let isSure = state != .expired && (state?.holdsUnits == true || !undoing.isEmpty || !mayLose)
        return (
            attempts.map(\.askedAt).min(), possibleTo,
            isSure ? yes : nil,
            undoing.map(\.askedAt).min()
        )
    }

    private mutating func checkSure(_ sku: FinalState.SKU, allocated start: Int64, _ steps: [Step]) {
        var held: Int64 = 0
        var allocated = start
        var worst: (held: Int64, allocated: Int64, at: Int64)?
        var position = 0
        while position < steps.count {
            // What happens at one moment counts together.
            let at = steps[position].at
            while position < steps.count, steps[position].at == at {
                held += steps[position].sure
                allocated += steps[position].allocated
                position += 1
            }
            if held > allocated, held - allocated > (worst.map { $0.held - $0.allocated } ?? 0) {
                worst = (held, allocated, at)
            }
        }
        guard let worst else { return }
        verdict.lose(
            .oversold, nil, isAllowed: mayLose,
            "SKU \(sku.sku.rawValue) at \(worst.at) us: buyers held \(worst.held) of \(worst.allocated)")
    }

    // MARK: Sold out

    /// First attempts after the last heal that heard "sold out".
    private func falseSoldOutCandidates() -> [Question] {
        guard let healedAt = stories.healedAt else { return [] }
        return stories.questions.filter {
            $0.operation == .deduct && $0.kind == .fail && $0.answer == HistoryEvent.Answer.soldOut && !$0.isRetry
                && $0.askedAt >= healedAt
        }
    }

    private mutating func checkSoldOut(_ questions: [Question], _ steps: [SKUNumber: [Step]]) {
        guard !questions.isEmpty else { return }
        var sums: [SKUNumber: Sums] = [:]
        for question in questions {
            let isFalse = question.lines.allSatisfy { line in
                guard let position = positions[line.sku] else { return false }
                let sku = final.skus[position]
                if sums[line.sku] == nil {
                    let restocked = final.restocked(line.sku)
                    sums[line.sku] = Sums(
                        steps: steps[line.sku] ?? [],
                        allocated: sku.allocatedAtStart ?? sku.allocated - restocked,
                        restocks: stories.restocks.filter { $0.lines.first?.sku == line.sku },
                        reversals: stories.reversals.filter { $0.lines.first?.sku == line.sku })
                }
                // Its own units, counted while it was asked, are not in its own way.
                let from = question.askedAt - promise.soldOutAgeMicrosecondsMax
                let inItsWay =
                    sums[line.sku]!.mostHeld(from: from, to: question.answeredAt) - Int64(line.quantity)
                let least = sums[line.sku]!.leastAllocated(from: from, to: question.answeredAt)
                return least - inItsWay >= Int64(line.quantity)
            }
            guard isFalse else { continue }
            verdict.violate(
                .falseSoldOut, question.flow,
                "heard at \(question.answeredAt) us that \(Self.text(question.lines)) are not to be had; there were enough"
            )
        }
    }

    /// Sums over one SKU's steps, for many questions.
    private struct Sums {
        private var added: [(at: Int64, units: Int64)] = []
        private var ended: [(at: Int64, units: Int64)] = []
        private var restocked: [(at: Int64, units: Int64)] = []
        private var takenBack: [(at: Int64, units: Int64)] = []
        private let start: Int64

        init(steps: [Step], allocated: Int64, restocks: [Question], reversals: [Question]) {
            start = allocated
            for step in steps.sorted(by: { $0.at < $1.at }) where step.possible != 0 {
                if step.possible > 0 {
                    added.append((step.at, (added.last?.units ?? 0) + step.possible))
                } else {
                    ended.append((step.at, (ended.last?.units ?? 0) - step.possible))
                }
            }
            for restock in restocks.sorted(by: { $0.answeredAt < $1.answeredAt })
            where restock.kind == .ok && restock.answer == HistoryEvent.Answer.done {
                restocked.append((restock.answeredAt, (restocked.last?.units ?? 0) + Int64(restock.lines[0].quantity)))
            }
            for reversal in reversals.sorted(by: { $0.askedAt < $1.askedAt }) where reversal.kind != .fail {
                takenBack.append((reversal.askedAt, (takenBack.last?.units ?? 0) + Int64(reversal.lines[0].quantity)))
            }
        }

        /// The most units that may have been held at any moment of an interval: all that came until its end, less what went
        /// before its beginning.
        func mostHeld(from: Int64, to: Int64) -> Int64 {
            Self.sum(added, through: to) - Self.sum(ended, through: from - 1)
        }

        /// What there was at every moment of an interval: what came surely before it, less what may have gone until its end.
        func leastAllocated(from: Int64, to: Int64) -> Int64 {
            start + Self.sum(restocked, through: from) - Self.sum(takenBack, through: to)
        }

        private static func sum(_ list: [(at: Int64, units: Int64)], through at: Int64) -> Int64 {
            var low = 0
            var high = list.count
            while low < high {
                let middle = (low + high) / 2
                if list[middle].at <= at { low = middle + 1 } else { high = middle }
            }
            return low == 0 ? 0 : list[low - 1].units
        }
    }

    // MARK: Limits

    private mutating func checkLimits() {
        let limits = Dictionary(
            final.skus.compactMap { sku in (sku.limitPerBuyer ?? promise.unitsPerBuyerMax).map { (sku.sku, $0) } },
            uniquingKeysWith: { first, _ in first })
        guard !limits.isEmpty else { return }
        struct Place: Hashable {
            let buyer: Int64
            let sku: SKUNumber
        }
        var held: [Place: Int64] = [:]
        for row in final.orders where row.state.holdsUnits {
            guard let buyer = stories.byFlow[row.flow]?.buyer else { continue }
            for line in row.lines { held[Place(buyer: buyer, sku: line.sku), default: 0] += Int64(line.quantity) }
        }
        for (place, units) in held.sorted(by: { ($0.key.buyer, $0.key.sku) < ($1.key.buyer, $1.key.sku) }) {
            guard let most = limits[place.sku], units > most else { continue }
            verdict.violate(
                .buyerLimit, nil, "buyer \(place.buyer) holds \(units) of SKU \(place.sku.rawValue); at most \(most)")
        }
        checkLimitsMeanwhile(limits)
    }

    /// What one buyer surely held at any moment, by their own record.
    private mutating func checkLimitsMeanwhile(_ limits: [SKUNumber: Int64]) {
        struct Change {
            let at: Int64
            let sku: SKUNumber
            let units: Int64
        }
        var changes: [Int64: [Change]] = [:]
        for flow in stories.flows {
            guard let story = stories.byFlow[flow], let buyer = story.buyer, let payload = story.done.first?.lines
            else {
                continue
            }
            let held = span(of: story, payload, flow)
            guard let from = held.sureFrom, held.sureTo.map({ $0 > from }) ?? true else { continue }
            for line in payload where limits[line.sku] != nil {
                changes[buyer, default: []].append(Change(at: from, sku: line.sku, units: Int64(line.quantity)))
                if let end = held.sureTo {
                    changes[buyer]!.append(Change(at: end, sku: line.sku, units: -Int64(line.quantity)))
                }
            }
        }
        for buyer in changes.keys.sorted() {
            var held: [SKUNumber: Int64] = [:]
            // What ends at a moment ends before what begins with it.
            for change in changes[buyer]!.sorted(by: { ($0.at, $0.units) < ($1.at, $1.units) }) {
                held[change.sku, default: 0] += change.units
                guard let most = limits[change.sku], held[change.sku]! > most else { continue }
                verdict.lose(
                    .buyerLimit, nil, isAllowed: mayLose,
                    "buyer \(buyer) held \(held[change.sku]!) of SKU \(change.sku.rawValue) at \(change.at) us; at most \(most)"
                )
                break
            }
        }
    }
}
