import Deduction
import Inventory
import OrderStore
import Reconciliation
public import Telemetry

/// What becomes of reservations that are open when a sale closes.
public enum OpenReservations: Sendable, Hashable {
    /// Each is paid or ends at its deadline; what has none stays open.
    case wait
    /// They end now, and their units go back.
    case expire
}

extension SaleService {
    /// How long what this process does not know yet is waited for.
    static let unknownPatience = Duration.seconds(10)
    /// How long after the last deadline a reservation may take to end.
    static let deadlineGrace = Duration.seconds(5)
    private static let closingPause = Duration.milliseconds(250)

    /// Closes the sale for good, and sees through what that asks for: no order is taken from the first step on, then the outboxes are
    /// drained, reservations ended, the stores compared, the books printed.
    ///
    /// It may end at any moment: the sale is closed, and closing once more goes on where this one ended. It may run beside a sale at work.
    ///
    /// - Parameters:
    ///   - witness: what the buyers themselves know, where somebody does.
    ///   - tell: hears how far it has come, on any thread; must not block.
    public func close(
        reservations: OpenReservations, witness: (any BuyersWitness)? = nil,
        _ tell: @Sendable (ClosingReport) -> Void = { _ in }
    ) async -> ClosingReport {
        var report = ClosingReport(saleName: sale.name)
        func set(_ step: ClosingReport.Step, _ progress: ClosingReport.Progress) {
            report.set(step, progress)
            tell(report)
        }
        schedule.cancel()
        set(.stop, .working("telling every bucket"))
        let isClosed = (try? await store.sale())??.state == .closed
        if isClosed {
            set(.stop, .done("it was closed before"))
        } else {
            let done = await control.close()
            set(.stop, done.succeeded ? .done(done.sentence) : .bad(done.sentence))
            guard done.succeeded else { return report }
        }
        set(.drain, .working("taking what is on its way to SQL"))
        set(.drain, await drain())
        set(.reservations, .working("counting"))
        set(.reservations, await end(reservations) { set(.reservations, .working($0)) })
        if Task.isCancelled { return report }
        set(.drain, await drain())
        set(.compare, .working("bucket by bucket"))
        var comparison = await compare(ledgers: true)
        // Two looks: what only the first names was on its way.
        if comparison.driftUnits > 0 { comparison = await compare(ledgers: true) }
        set(
            .compare,
            comparison.driftUnits == 0 && comparison.unread.isEmpty
                ? .done("\(comparison.cuts.counted("bucket")) \(comparison.cuts == 1 ? "agrees" : "agree") to the unit")
                : .bad(
                    comparison.drifts.first?.sentence
                        ?? "\(comparison.unread.count.counted("bucket")) could not be compared: \(comparison.unread.values.first ?? "")"
                ))
        let books = await books(comparison, witness)
        report.books = books
        tell(report)
        await control.record(
            what: "books", subject: "sale", before: "closed", after: books.map(\.sentence) ?? "SQL does not answer")
        if let books { events.add(books.isClean ? .good : .warning, "the books of \(sale.name): \(books.sentence)") }
        return report
    }

    // MARK: Steps

    /// Waits for what this process has under way, then runs a sale's own workers until nothing waits.
    private func drain() async -> ClosingReport.Progress {
        let giveUpAt = clock.now + Self.unknownPatience
        while engine.laneStatuses.contains(where: { $0.waiting > 0 }), clock.now < giveUpAt {
            do { try await clock.sleep(for: Self.closingPause) } catch { break }
        }
        let unknown = engine.laneStatuses.reduce(0) { $0 + $1.waiting }
        do {
            let settled = try await settleBacklog()
            if let left = settled.leftSentence { return .bad(left) }
            if unknown > 0 {
                return .bad(
                    "\(unknown.counted("order")) of this process still unknown: the buckets do not answer; close once more"
                )
            }
            let parts = settled.done.parts(settled.load)
            return .done(parts.isEmpty ? "nothing was on its way" : "settled \(parts.asList)")
        } catch {
            return .bad("\(error)")
        }
    }

    /// Ends reservations as it was decided, or waits for the last deadline.
    private func end(_ policy: OpenReservations, _ tell: (String) -> Void) async -> ClosingReport.Progress {
        do {
            var ended: Int64 = 0
            if policy == .expire {
                var position: FlowID?
                repeat {
                    let step = try await store.endReservations(after: position, limit: 2_000)
                    ended += Int64(step.ended)
                    position = step.next
                    tell("\(ended) ended")
                } while position != nil && !Task.isCancelled
            }
            while true {
                let open = try await store.orderTotals().reserved
                if open == 0 {
                    return .done(
                        policy == .expire && ended > 0
                            ? "\(ended.counted("reservation")) ended now" : "none is open")
                }
                guard policy == .wait else {
                    return .bad("\(open.counted("reservation")) came while they were being ended: close once more")
                }
                guard let last = try await store.lastDeadline() else {
                    return .bad(
                        "\(open.counted("reservation")) open without a deadline: close once more and end them (--expire)"
                    )
                }
                let left = Double(last - Int64(clock.unixMilliseconds)) / 1_000
                if left < -Self.deadlineGrace.milliseconds / 1_000 {
                    return .bad(
                        "\(open.counted("reservation")) did not end when due: close once more and end them (--expire)"
                    )
                }
                tell(
                    "\(open.counted("reservation")) open, the last ends in \(Duration.seconds(max(0, left)).formatted)")
                if Task.isCancelled { return .bad("\(open.counted("reservation")) still open; nobody waits any more") }
                try? await clock.sleep(for: Self.closingPause)
                _ = try await sweeper.sweepAll()
            }
        } catch {
            return .bad("\(error)")
        }
    }

    private func books(_ comparison: Comparison, _ witness: (any BuyersWitness)?) async -> SaleBooks? {
        do {
            var books = SaleBooks()
            for sku in try await store.skuCounters() {
                books.allocated += sku.allocated
                books.sold += sku.sold
                books.reserved += sku.reserved
                books.oversoldUnits += sku.overCapacity
            }
            let totals = try await store.orderTotals()
            books.soldOrders = totals.sold
            books.reservedOrders = totals.reserved
            books.cancelledOrders = totals.cancelled
            books.expiredOrders = totals.expired
            books.deadLetters = totals.deadLetters
            let payments = try await store.paymentTotals()
            (books.refundsPending, books.refundsSettled) = (payments.refundsPending, payments.refundsSettled)
            books.driftUnits = comparison.driftUnits
            books.unreadBuckets = comparison.unread.count
            let cuts = await cuts()
            if cuts.count == catalogue.buckets.count {
                books.stock = cuts.values.reduce(0) { $0 + $1.skus.reduce(0) { $0 + ($1.stock ?? 0) } }
            }
            if let reading = witness?.reading {
                books.lostOrders = reading.lostOrders
                books.oversoldUnits = reading.oversold.values.reduce(0, +)
            }
            return books
        } catch {
            return nil
        }
    }
}
