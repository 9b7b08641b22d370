import Lab

/// The figures of a sale as a person reads them.
enum ReportText {
    static func text(of report: DemoRun.Report) -> String {
        let rows: [(String, String)] = [
            (
                "sale",
                "\(report.topology), \(report.masters) masters, \(report.durability), \(rounded(report.durationSeconds)) s, seed \(report.seed)"
            ),
            (
                "attempts",
                "\(report.attempts): \(report.acknowledgedOrders) acknowledged, \(report.refusedOrders) refused, \(report.unknownOrders) unknown"
            ),
            (
                "speed",
                "\(Int(report.deductionsPerSecond)) orders/s, p50 \(rounded(report.p50Milliseconds)) ms, p99 \(rounded(report.p99Milliseconds)) ms"
            ),
            (
                "crashes",
                "\(report.crashes): \(report.fencedBuckets) buckets fenced, \(report.recoveries) recovered in \(rounded(report.recoveryMilliseconds)) ms"
            ),
            (
                "units",
                report.stockUnits.map {
                    "\(report.allocatedUnits) allocated = \($0) stock + \(report.soldUnits) sold + \(report.reservedUnits) reserved"
                }
                    ?? "\(report.allocatedUnits) allocated; ? stock, \(report.soldUnits) sold, \(report.reservedUnits) reserved"
            ),
            ("released", "\(report.releasedOrders) orders"),
            (
                "payments",
                "\(report.latePayments) late, \(report.refundedOrders) paid back; \(report.expiredOrders) reservations expired"
            ),
            ("oversold", "\(report.oversoldUnits) units"),
            ("lost", "\(report.lostOrders) orders"),
            (
                "drift",
                (report.unreadBuckets == 0 ? "\(report.driftUnits)" : "\(report.driftUnits) + ?")
                    + " units, \(report.driftUnitsPeak) at the worst"
            ),
            (
                "outbox",
                (report.unreadBuckets == 0 ? "\(report.outboxBacklog)" : "\(report.outboxBacklog) + ?")
                    + " entries left, "
                    + (report.unchecked.isEmpty
                        ? "drained in \(rounded(report.drainMilliseconds)) ms"
                        : "given up after \(rounded(report.drainMilliseconds)) ms")
            ),
        ]
        var lines = rows.map { name, value in name + String(repeating: " ", count: 12 - name.count) + value }
        lines.append(contentsOf: report.unchecked.map { "not checked \($0)" })
        switch report.verdict {
        case true?: lines.append("the promise of `\(report.durability)` was kept")
        case false?: lines.append("THE PROMISE OF `\(report.durability)` WAS BROKEN")
        case nil: lines.append("whether the promise of `\(report.durability)` was kept is unknown")
        }
        return lines.joined(separator: "\n")
    }

    private static func rounded(_ value: Double) -> String {
        let tenths = (value * 10).rounded() / 10
        return tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)"
    }
}
