import Inventory
public import Telemetry
import TerminalUI

/// Tells what changes in a war room as plain sentences, one after another: for screen readers, logs, and whoever has no use for
/// a screen. A value: the same snapshots always give the same sentences.
public struct LinearTeller: Sendable {
    /// A sentence, harmless wherever it is printed.
    public struct Line: Sendable, Hashable {
        public var severity: WarRoomSnapshot.Event.Severity
        public var text: String

        public init(severity: WarRoomSnapshot.Event.Severity, text: String) {
            self.severity = severity
            self.text = text
        }
    }

    /// Figures are told this often at most, and only where they moved.
    static let figuresSeconds = 10.0
    /// An alert that is gone for so long is over.
    static let alertSeconds = 3.0
    /// SKUs are told this often at most, so many by name.
    static let stockSeconds = 2.0
    static let namesMax = 5

    /// What is not bad is told once it has lasted so long: a bucket that opens is fenced for a blink.
    static let warningSeconds = 1.0

    /// An event and an alert of the same kind within so long are about the same.
    static let sameSeconds = 5.0

    private struct Alert {
        var text: String
        var since: Double
        var seenAt: Double
        var isTold: Bool
    }

    private var starting: String?
    private var saleState: SaleState?
    private var isStale = false
    private var event = 0
    private var alerts: [String: Alert] = [:]
    /// When an event last told that an alert, by its identity, began or ended: it is not told a second time.
    private var toldBegun: [String: Double] = [:]
    private var toldEnded: [String: Double] = [:]
    private var frozen: Set<SKUNumber> = []
    private var stockAt = -Double.infinity
    private var figuresAt = -Double.infinity
    private var figures = ""

    public init() {}

    /// What is new since the last snapshot.
    /// - Parameter seconds: of a clock that never steps back.
    public mutating func tell(_ snapshot: WarRoomSnapshot, seconds: Double) -> [Line] {
        var lines: [Line] = []
        func add(_ severity: WarRoomSnapshot.Event.Severity, _ text: String) {
            lines.append(Line(severity: severity, text: Self.line(text)))
        }
        if case .starting(let what) = snapshot.phase {
            if what != starting { add(.info, "starting: \(what)") }
            starting = what
            return lines
        }
        if let foreign = snapshot.foreign {
            if saleState == nil { add(.info, "Redis is \(snapshot.redisURL); no SQL: sales are not compared") }
            saleState = snapshot.saleState
            tellStaleness(snapshot, add)
            tellEvents(snapshot, seconds, add)
            tellAlerts(snapshot, seconds, add)
            tellSeen(foreign, snapshot, seconds, add)
            return lines
        }
        if saleState == nil {
            add(
                .info,
                "\(snapshot.saleName): \(count(snapshot.skus.count, "SKU")) in \(count(snapshot.bucketCount, "bucket")) on "
                    + "\(count(snapshot.nodes.count, "node")), \(snapshot.durability.rawValue)")
            add(.info, "Redis is \(snapshot.redisURL), the orders are in \(snapshot.ordersURL)")
        }
        if saleState != snapshot.saleState {
            add(.info, "the sale is \(snapshot.saleState.rawValue)")
            saleState = snapshot.saleState
        }
        tellStaleness(snapshot, add)
        tellEvents(snapshot, seconds, add)
        tellAlerts(snapshot, seconds, add)
        tellStock(snapshot, seconds, add)
        tellFigures(snapshot, seconds, add)
        return lines
    }

    private typealias Add = (WarRoomSnapshot.Event.Severity, String) -> Void

    private mutating func tellStaleness(_ snapshot: WarRoomSnapshot, _ add: Add) {
        if case .stale(let age) = snapshot.phase {
            if !isStale { add(.bad, "no answer for \(wholeSeconds(age)) s: what is told is that old") }
            isStale = true
        } else {
            if isStale { add(.good, "the stores answer again") }
            isStale = false
        }
    }

    /// An alert that begins or ends is an event, too, as a rule; whichever comes first is told.
    private mutating func tellEvents(_ snapshot: WarRoomSnapshot, _ seconds: Double, _ add: Add) {
        for news in snapshot.events where news.number > event {
            event = news.number
            if let identity = news.alert {
                if news.severity <= .good {
                    toldEnded[identity] = seconds
                } else {
                    toldBegun[identity] = seconds
                    if let known = alerts[identity], known.isTold, seconds - known.since < Self.sameSeconds { continue }
                }
            }
            add(news.severity, news.text)
        }
    }

    private mutating func tellAlerts(_ snapshot: WarRoomSnapshot, _ seconds: Double, _ add: Add) {
        // What is low is told SKU by SKU.
        for alert in snapshot.alerts where alert.kind != .lowStock {
            let key = alert.identity ?? Self.key(alert.text)
            var known = alerts[key] ?? Alert(text: "", since: seconds, seenAt: seconds, isTold: false)
            known.text = alert.text
            known.seenAt = seconds
            if !known.isTold, let at = toldBegun[key], at >= known.since - Self.sameSeconds {
                known.isTold = true
            }
            if !known.isTold, alert.severity == .bad || seconds - known.since >= Self.warningSeconds {
                known.isTold = true
                add(alert.severity, "alert: \(alert.text)")
            }
            alerts[key] = known
        }
        for (key, alert) in alerts.sorted(by: { $0.key < $1.key }) where seconds - alert.seenAt >= Self.alertSeconds {
            alerts[key] = nil
            let isToldEnded = toldEnded[key].map { $0 >= alert.seenAt - Self.sameSeconds } ?? false
            if alert.isTold, !isToldEnded { add(.good, "no longer: \(alert.text)") }
        }
    }

    private mutating func tellStock(_ snapshot: WarRoomSnapshot, _ seconds: Double, _ add: Add) {
        guard seconds - stockAt >= Self.stockSeconds, !snapshot.skus.isEmpty else { return }
        stockAt = seconds
        var now: Set<SKUNumber> = []
        var (newFrozen, thawed): ([String], [String]) = ([], [])
        for sku in snapshot.skus {
            if sku.frozen {
                now.insert(sku.number)
                if !frozen.contains(sku.number) { newFrozen.append(Self.name(sku)) }
            } else if frozen.contains(sku.number) {
                thawed.append(Self.name(sku))
            }
        }
        frozen = now
        Self.tell(newFrozen, "frozen", add)
        Self.tell(thawed, "no longer frozen", add)
    }

    private static func tell(_ names: [String], _ what: String, _ add: Add) {
        guard !names.isEmpty else { return }
        let others = names.count > namesMax ? "; and \(count(names.count - namesMax, "other"))" : ""
        add(.info, "\(what): \(names.prefix(namesMax).joined(separator: "; "))\(others)")
    }

    /// How the books stand now, whenever they were last told.
    public mutating func sum(_ snapshot: WarRoomSnapshot, seconds: Double) -> [Line] {
        figuresAt = -.infinity
        return tell(snapshot, seconds: seconds)
    }

    private mutating func tellFigures(_ snapshot: WarRoomSnapshot, _ seconds: Double, _ add: Add) {
        guard seconds - figuresAt >= Self.figuresSeconds else { return }
        // Nothing has been sold and nothing is: there is nothing to count.
        guard snapshot.saleState != .warmed || snapshot.orders.accepted > 0 else { return }
        let (orders, drift, ledger) = (snapshot.orders, snapshot.drift, snapshot.ledger)
        var parts = [
            "\(count(Int(max(0, min(1e12, orders.acceptedPerSecond.rounded()))), "order")) a second",
            "\(Formats.grouped(orders.accepted)) accepted",
        ]
        if let refused = orders.refused { parts.append("\(Formats.grouped(refused)) refused") }
        if let unknown = orders.unknown, unknown > 0 { parts.append("\(Formats.grouped(unknown)) unknown") }
        parts.append("\(count(drift.oversoldUnits, "unit")) oversold")
        if let lost = drift.lostOrders { parts.append("\(count(lost, "order")) lost") }
        parts.append("\(count(drift.units, "unit")) of drift")
        parts.append("\(Formats.grouped(ledger.backlogEntries)) waiting for SQL")
        let text = parts.joined(separator: ", ")
        guard text != figures else { return }
        (figures, figuresAt) = (text, seconds)
        add(drift.oversoldUnits > 0 || (drift.lostOrders ?? 0) > 0 ? .bad : .info, text)
    }

    /// What was seen of somebody else's keys.
    private mutating func tellSeen(
        _ foreign: WarRoomSnapshot.Foreign, _ snapshot: WarRoomSnapshot, _ seconds: Double, _ add: Add
    ) {
        guard seconds - figuresAt >= Self.figuresSeconds, foreign.isScanned || figuresAt == -.infinity,
            !foreign.scan.isEmpty
        else { return }
        let rate = Formats.grouped(Int(max(0, min(1e12, snapshot.orders.acceptedPerSecond.rounded()))))
        let what = foreign.ledgerKeys == nil ? "units" : "ledger entries"
        let text =
            "\(foreign.scan); \(rate) \(what) a second, \(Formats.grouped(snapshot.orders.accepted)) since the first look; "
            + "each SKU is read within \(foreign.sweepSeconds) s"
        guard text != figures else { return }
        (figures, figuresAt) = (text, seconds)
        add(.info, text)
    }

    /// A SKU's own words may hold a line end; what stands for one sentence must stay one.
    private static func name(_ sku: WarRoomSnapshot.SKU) -> String {
        SafeText.fitted(sku.sku, width: 40) + " " + SafeText.fitted(sku.name, width: 60)
    }

    /// One line, nothing in it that moves a terminal.
    static func line(_ text: String) -> String {
        SafeText.visible(text.split(whereSeparator: \.isNewline).joined(separator: "; "))
    }

    /// What stays the same of an alert while its figures move; a node's number is part of it.
    static func key(_ text: String) -> String {
        var key = ""
        var isNumber = false
        for letter in text {
            if letter.isNumber && !key.hasSuffix("node ") {
                if !isNumber { key.append("#") }
                isNumber = true
            } else if !(isNumber && (letter == "." || letter == ",")) {
                isNumber = false
                key.append(letter)
            }
        }
        return key
    }
}
