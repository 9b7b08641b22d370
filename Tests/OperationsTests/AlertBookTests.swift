import Inventory
import Telemetry
import Testing

@testable import Operations

/// Each alert as a value: it starts, holds, ends.
@Suite("Alerts as states")
struct AlertBookTests {
    private func quiet() -> WarRoomSnapshot {
        var snapshot = WarRoomSnapshot(
            phase: .live, saleName: "s", saleState: .open, durability: .durable, topology: "cluster 3")
        snapshot.nodes = (0..<3).map { index in
            .init(
                address: "h:\(index)", isUp: true, sinceSeconds: 1, ordersPerSecond: 100, callsPerSecond: 100,
                p99Milliseconds: 1, errors: 0, buckets: 8, fencedBuckets: 0, memoryBytes: 60 << 20)
        }
        snapshot.bucketCount = 24
        snapshot.skus = [
            .init(
                number: SKUNumber(rawValue: 1), sku: "1001", name: "Lamp", tag: "a", node: 0, allocated: 100, stock: 50,
                taken: 50, unitsPerSecond: 1, history: [], frozen: false, fenced: false, oversold: 0)
        ]
        return snapshot
    }

    /// One figure of a rule: what starts it, what keeps it, what ends it.
    enum Figure: String, CaseIterable {
        case oversold, lost, nodeDown, drift, haltedAhead, fenced, outboxAge, hotSlot, skew, deadLetters, refunds
        case lowStock

        /// 2 starts it, 1 keeps it, 0 is clear of it.
        func set(_ level: Int, _ snapshot: inout WarRoomSnapshot) {
            switch self {
            case .oversold: snapshot.drift.oversoldUnits = level > 0 ? 3 : 0
            case .lost: snapshot.drift.lostOrders = level > 0 ? 3 : 0
            case .nodeDown: snapshot.nodes[1].isUp = level == 0
            case .drift: snapshot.drift.units = [0, 9, 10][level]
            case .haltedAhead: snapshot.haltedAheadBuckets = level
            case .fenced: snapshot.fencedBuckets = level
            case .outboxAge: snapshot.ledger.backlogMilliseconds = [1_000, 1_800, 2_100][level]
            case .hotSlot:
                snapshot.hottestTags = [
                    .init(
                        tag: "a7", slot: 4_711, node: 0, ordersPerSecond: [60, 160, 200][level], skus: ["1001"],
                        fenced: false)
                ]
            case .skew:
                let busiest = [100.0, 300, 500][level]
                for (index, rate) in [busiest, 100, 100].enumerated() { snapshot.nodes[index].ordersPerSecond = rate }
            case .deadLetters: snapshot.ledger.deadLetters = level > 0 ? 2 : 0
            case .refunds: snapshot.life.refundsPending = level > 0 ? 2 : 0
            case .lowStock: snapshot.skus[0].stock = [50, 12, 9][level]
            }
        }

        /// Whether there is something between starting and ending.
        var hasMiddle: Bool {
            switch self {
            case .drift, .outboxAge, .hotSlot, .skew, .lowStock: true
            default: false
            }
        }
    }

    private func kinds(
        _ book: inout AlertBook, _ figure: Figure, _ level: Int, at seconds: Double
    ) -> (kinds: [String], news: [String]) {
        var snapshot = quiet()
        figure.set(level, &snapshot)
        var thresholds = AlertThresholds()
        thresholds.driftUnits = 10
        let conditions =
            Alerts.of(snapshot, storeError: nil, thresholds: thresholds)
            + Alerts.ofLoad(snapshot, trends: TrendBook(), memoryLimits: [:], thresholds: thresholds)
        let (alerts, news) = book.take(
            conditions, seconds: seconds, unixMilliseconds: UInt64(seconds * 1_000))
        return (alerts.map { "\($0.kind)" }, news.map(\.text))
    }

    @Test(
        "each starts past its threshold, holds above a lower one, and ends once it stayed clear",
        arguments: Figure.allCases)
    func startsHoldsEnds(_ figure: Figure) {
        var book = AlertBook()
        #expect(kinds(&book, figure, 0, at: 0).kinds == [])
        if figure.hasMiddle { #expect(kinds(&book, figure, 1, at: 1).kinds == [], "it begins below its threshold") }
        // Load must last; damage is told at once.
        let isLoad = [.hotSlot, .skew, .haltedAhead].contains(figure)
        #expect(kinds(&book, figure, 2, at: 10).kinds == (isLoad ? [] : [figure.rawValue]))
        var news = kinds(&book, figure, 2, at: 13).news
        #expect(kinds(&book, figure, 2, at: 14).kinds == [figure.rawValue])
        if figure.hasMiddle {
            let held = kinds(&book, figure, 1, at: 15)
            #expect(held.kinds == [figure.rawValue] && held.news == [], "it ends above the lower threshold")
        }
        news += kinds(&book, figure, 2, at: 16).news
        // It ends once, after its calm, with a sentence where nobody else tells it.
        var ended: [String] = []
        for second in 17...30 { ended += kinds(&book, figure, 0, at: Double(second)).news }
        #expect(kinds(&book, figure, 0, at: 31).kinds == [])
        #expect(ended.count == ([.nodeDown, .drift, .fenced, .lowStock].contains(figure) ? 0 : 1), "\(ended)")
        if isLoad { #expect(news.count == 1) }
    }

    @Test("SQL has not caught up because nobody takes anything to it any more, or because nobody can see it")
    func worseIsNotMended() {
        for change in [
            { $0.ledger.isUnattended = true }, { $0.nodes[1].isUp = false },
        ] as [(inout WarRoomSnapshot) -> Void] {
            var book = AlertBook()
            #expect(kinds(&book, .outboxAge, 2, at: 0).kinds == ["outboxAge"])
            var snapshot = quiet()
            change(&snapshot)
            var news: [String] = []
            for second in 1...10 {
                let told = book.take(
                    Alerts.of(snapshot, storeError: nil), seconds: Double(second), unixMilliseconds: 1)
                news += told.news.filter { $0.severity == .good }.map(\.text)
            }
            #expect(news == [])
        }
    }

    @Test("what wavers about its threshold is one alert, with the moment at which it began")
    func wavers() {
        var book = AlertBook()
        var news = 0
        for second in 0..<60 {
            let (_, told) = kinds(&book, .hotSlot, second % 4 == 3 ? 0 : 2, at: Double(second) / 2)
            news += told.count
        }
        // It never lasted 3 s: nothing is told.
        #expect(news == 0)
        for second in 0..<60 {
            let (alerts, told) = kinds(
                &book, .hotSlot, second < 8 ? 2 : second % 4 == 3 ? 0 : 1, at: 100 + Double(second))
            news += told.count
            if second >= 4 { #expect(alerts == ["hotSlot"]) }
        }
        #expect(news == 1)
    }

    @Test("the worst stands first, and since when is kept while numbers move")
    func order() {
        var book = AlertBook()
        func look(_ age: Double, at seconds: Double) -> [WarRoomSnapshot.Alert] {
            let conditions: [AlertCondition] = [
                .init(kind: .lowStock, severity: .info, text: "low"),
                .init(kind: .refunds, severity: .warning, text: "refunds"),
                .init(kind: .nodeDown, subject: "b", severity: .bad, text: "node down \(age) s"),
                .init(kind: .oversold, severity: .bad, text: "oversold"),
            ]
            return book.take(conditions, seconds: seconds, unixMilliseconds: UInt64(seconds * 1_000)).alerts
        }
        _ = look(1, at: 5)
        let alerts = look(4, at: 8)
        #expect(alerts.map(\.kind) == [.oversold, .nodeDown, .refunds, .lowStock])
        #expect(alerts[1].text == "node down 4.0 s" && alerts[1].sinceMilliseconds == 5_000)
        #expect(Set(alerts.compactMap(\.identity)).count == 4)
    }

    @Test("keys that a server dropped are told by their number")
    func evicted() {
        let found = Alerts.of(quiet(), storeError: nil, evicted: ["h:1": 12])
        #expect(found.map(\.text) == ["EVICTED: h:1 has dropped 12 keys for lack of memory"])
        #expect(found[0].severity == .bad)
    }
}
