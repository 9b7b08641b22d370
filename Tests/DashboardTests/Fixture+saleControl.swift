import Telemetry

/// Lists, closings and alerts as they come.
extension Fixture {
    /// A list of which the first items are decided, all of them well but those in `bad`.
    static func list(
        upTo count: Int = PreflightReport.Item.allCases.count,
        bad: [PreflightReport.Item: (String, Bool)] = [:]
    ) -> PreflightReport {
        let words: [PreflightReport.Item: String] = [
            .servers: "3 servers", .scripts: "13 scripts on 3 nodes", .stock: "64 SKUs, 480000 units",
            .drift: "64 buckets agree to the unit", .replicas: "none, and none is promised",
            .memory: "at most 20 MiB a node needed, 900 MiB free", .eviction: "noeviction",
            .expiry: "no time to live on any of them", .durability: "durable: SQL commits in 3 ms",
            .clock: "3 servers within 2 ms",
        ]
        var list = PreflightReport()
        for item in PreflightReport.Item.allCases.prefix(count) {
            if let (why, mayBeOverridden) = bad[item] {
                list.decide(item, .bad(why, mayBeOverridden: mayBeOverridden))
            } else {
                list.decide(item, .ok(words[item] ?? ""))
            }
        }
        return list
    }

    static func closed(isClean: Bool) -> ClosingReport {
        var report = ClosingReport(saleName: "flash")
        report.set(.stop, .done("the sale is closed for good: 64 buckets told in 9 ms"))
        report.set(.drain, .done("settled 312 outbox entries and 11 give-backs"))
        report.set(
            .reservations,
            isClean
                ? .done("2 reservations ended now")
                : .bad("12 reservations open without a deadline: close once more and end them (--expire)"))
        report.set(.compare, .done("64 buckets agree to the unit"))
        var books = SaleBooks()
        (books.allocated, books.sold, books.reserved, books.stock) = (
            480_000, 361_204, isClean ? 0 : 12, isClean ? 118_796 : 118_784
        )
        (books.soldOrders, books.reservedOrders, books.cancelledOrders, books.expiredOrders) = (
            240_800, isClean ? 0 : 12, 4_402, 311
        )
        (books.refundsPending, books.refundsSettled, books.lostOrders) = (3, 0, isClean ? 0 : nil)
        report.books = books
        return report
    }

    static let alerts: [WarRoomSnapshot.Alert] = [
        .init(
            severity: .bad, text: "node 2 down 1.2 s: 21 buckets not selling", kind: .nodeDown,
            subject: "127.0.0.1:7002",
            sinceMilliseconds: 1_700_000_042_000),
        .init(
            severity: .warning, text: "HOT SLOT: 71.0 % of all orders go to slot 4711 (tag a7) on node 1: 1001, 1002",
            kind: .hotSlot, sinceMilliseconds: 1_700_000_030_000),
        .init(
            severity: .info, text: "LOW: 3 SKUs nearly gone, least of 1004 Headlamp: 3 of 400", kind: .lowStock,
            sinceMilliseconds: 1_700_000_010_000),
    ]
}
