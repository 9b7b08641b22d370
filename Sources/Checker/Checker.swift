import Inventory

/// Judges a run by its history and by what both stores held at its end, and by nothing else: no code of the engine, of a store
/// or of the reconciliation takes part.
///
/// Sibling: `Reconciler` compares the books with each other; this compares them with what buyers were told.
public struct Checker: Sendable {
    let stories: Stories
    let final: FinalState
    let promise: Promise
    /// Something was done to the system after which the promise allows losses.
    let mayLose: Bool
    let orders: [FlowID: FinalState.Order]
    let positions: [SKUNumber: Int]
    /// The flow for which another was asked: once more, for a payment that came too late.
    let standsFor: [FlowID: FlowID]
    /// Flows that have ended and for which another still holds the units.
    let heldByAnother: Set<FlowID>
    /// Whether both stores were read whole.
    let isWhole: Bool
    var verdict = Verdict()

    /// Checks a run. Linear in the history and in the final state.
    public static func check(history: History, final: FinalState, promise: Promise) -> Verdict {
        var checker = Checker(history: history, final: final, promise: promise)
        checker.checkReading(history)
        checker.checkOrders()
        checker.checkReplies()
        checker.checkPrefixes()
        checker.checkGiveBacks()
        checker.checkBooks()
        checker.checkActs()
        checker.checkClosing()
        checker.checkHoldings()
        checker.checkComparisons()
        checker.checkCauses()
        checker.checkRate()
        return checker.verdict
    }

    private init(history: History, final: FinalState, promise: Promise) {
        stories = Stories(history.events)
        self.final = final
        self.promise = promise
        mayLose = stories.faults.contains { promise.losesAfter.contains($0.name) }
        orders = Dictionary(final.orders.map { ($0.flow, $0) }, uniquingKeysWith: { first, _ in first })
        positions = Dictionary(
            final.skus.enumerated().map { ($1.sku, $0) }, uniquingKeysWith: { first, _ in first })
        standsFor = Dictionary(final.standIns.map { ($0.again, $0.flow) }, uniquingKeysWith: { first, _ in first })
        heldByAnother = Set(
            final.standIns.filter { [orders] in orders[$0.again]?.state.holdsUnits == true }.map(\.flow))
        isWhole = final.unread.isEmpty
        verdict.operations = stories.questions.count
        verdict.faults = stories.faults.count
        verdict.acknowledged = stories.firstYesAt.count
    }

    // MARK: Whether there is anything to judge

    private mutating func checkReading(_ history: History) {
        for line in final.unread + final.unended { verdict.leaveUnknown(.unfinished, nil, line) }
        if history.unreadable > 0 {
            verdict.leaveUnknown(.unfinished, nil, "\(history.unreadable) lines of the history cannot be read")
        }
        if stories.incoherent > 0 {
            verdict.leaveUnknown(.unfinished, nil, "\(stories.incoherent) answers in the history have no question")
        }
        if final.deadLetters > 0 {
            verdict.leaveUnknown(
                .unfinished, nil, "\(final.deadLetters) dead letters wait for a person: their units count as taken")
        }
        let pending = final.giveBacks.count { $0.id == nil }
        if pending > 0 {
            verdict.leaveUnknown(.unfinished, nil, "the drain did not end: \(pending) give-backs are pending")
        }
        let restocks = final.restocks.count { $0.id == nil }
        if restocks > 0 {
            verdict.leaveUnknown(.unfinished, nil, "the drain did not end: \(restocks) restocks are pending")
        }
        let partial = final.orders.count { $0.state == .partial }
        if partial > 0 {
            verdict.leaveUnknown(.unfinished, nil, "the drain did not end: \(partial) orders are half done")
        }
        for bucket in final.buckets where !bucket.isOpen || bucket.backlog > 0 {
            verdict.leaveUnknown(
                .unfinished, nil,
                "the drain did not end: bucket \(bucket.tag) \(bucket.isOpen ? "has \(bucket.backlog) entries that SQL lacks" : "is not open")"
            )
        }
    }

    private mutating func checkRate() {
        guard let least = promise.acknowledgedPerSecondMin, let start = stories.firstAskedAt else {
            if promise.acknowledgedPerSecondMin != nil {
                verdict.leaveUnknown(.tooFewOrders, nil, "nobody asked for anything")
            }
            return
        }
        let end = stories.faults.first?.at ?? stories.questions.last!.askedAt
        let count = stories.firstYesAt.count { $0 < end }
        let seconds = Double(max(end - start, 1)) / 1e6
        guard Double(count) / seconds < least else { return }
        verdict.leaveUnknown(
            .tooFewOrders, nil,
            "\(count) orders were acknowledged in the \(Self.text(seconds)) s before the first fault; at least \(Int(least)) a second make a run count"
        )
    }

    private mutating func checkComparisons() {
        guard let healedAt = stories.healedAt else {
            if !stories.faults.isEmpty {
                verdict.leaveUnknown(.driftAfterHealing, nil, "the history does not say when the last fault was healed")
            }
            return
        }
        let deadline = healedAt + promise.driftSettlesWithinMicroseconds
        let whole = final.comparisons.filter { $0.isWhole && $0.at >= healedAt }.sorted { $0.at < $1.at }
        guard let first = whole.first(where: { $0.driftUnits == 0 }) else {
            guard let last = whole.last(where: { $0.at >= deadline }) else {
                verdict.leaveUnknown(
                    .driftAfterHealing, nil,
                    "no whole comparison says whether the books agreed within \(Self.text(Double(promise.driftSettlesWithinMicroseconds) / 1e6)) s of the last heal"
                )
                return
            }
            verdict.violate(.driftAfterHealing, nil, Self.text(of: last, since: healedAt))
            return
        }
        if first.at > deadline {
            verdict.violate(.driftAfterHealing, nil, "first agreed " + Self.text(of: first, since: healedAt))
        }
        for late in whole where late.at > max(deadline, first.at) && late.driftUnits != 0 {
            verdict.violate(.driftAfterHealing, nil, Self.text(of: late, since: healedAt))
        }
    }

    /// The take that is done twice is seen here first: the second line of defence, SQL, hides it from its buyer.
    private mutating func checkCauses() {
        let harmedAt = stories.faults.first { Promise.Fault.changesData.contains($0.name) }?.at ?? .max
        for comparison in final.comparisons where comparison.isWhole && comparison.at < harmedAt {
            let units = comparison.causedUnits ?? comparison.driftUnits
            guard units != 0 else { continue }
            verdict.violate(
                .driftWithoutCause, nil,
                "the books differed by \(units) units, and no fault before had changed what Redis holds"
                    + (comparison.detail.map { ": \($0)" } ?? ""))
        }
    }

    private static func text(of comparison: FinalState.Comparison, since healedAt: Int64) -> String {
        "\(text(Double(comparison.at - healedAt) / 1e6)) s after the last heal the books differed by \(comparison.driftUnits) units"
            + (comparison.detail.map { ": \($0)" } ?? "")
    }

    /// One decimal.
    static func text(_ seconds: Double) -> String {
        let tenths = Int64((seconds * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    static func text(_ lines: [OrderLine]) -> String {
        lines.map { "\($0.quantity) of SKU \($0.sku.rawValue)" }.joined(separator: " + ")
    }
}
