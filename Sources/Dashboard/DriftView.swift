import Inventory
import Telemetry
import TerminalUI

extension DriftKind {
    /// As people say it.
    var words: String {
        switch self {
        case .inFlight: "in flight"
        case .unpersisted: "unpersisted"
        case .lostInRedis: "lost in Redis"
        case .lostBucket: "lost bucket"
        case .missingLedgerEntry: "missing ledger entry"
        case .missingRow: "missing SQL row"
        case .unaccounted: "unaccounted for"
        case .foreignField: "foreign field"
        case .halfDone: "half-done order"
        case .conflict: "conflict"
        case .deadLetter: "dead letter"
        case .reusedID: "reused id"
        case .unbalanced: "unbalanced"
        case .overCapacity: "over capacity"
        case .negative: "negative stock"
        case .missedAct: "missed act"
        case .expiring: "expiring key"
        }
    }

    /// What it means, in a few words.
    var meaning: String {
        switch self {
        case .inFlight: "on its way from Redis to SQL; no drift"
        case .unpersisted: "taken in Redis, drained, yet not in SQL"
        case .lostInRedis: "in SQL, absent from Redis's stock"
        case .lostBucket: "its keys are gone, or its node started anew"
        case .missingLedgerEntry: "in SQL and stock, absent from the ledger"
        case .missingRow: "in the ledger, settled, its row in SQL gone"
        case .unaccounted: "taken in Redis, and no order accounts for it"
        case .foreignField: "in a ledger, written by no script of ours"
        case .halfDone: "some groups of an order over several buckets"
        case .conflict: "one flow, two different orders"
        case .deadLetter: "an entry that SQL refused; for a person"
        case .reusedID: "two outbox entries of one id: a rollback"
        case .unbalanced: "stock + taken is not what was allocated"
        case .overCapacity: "orders beyond what there is"
        case .negative: "a stock below zero"
        case .missedAct: "a bucket that has not heard an act yet"
        case .expiring: "a key of ours that will vanish by itself"
        }
    }
}

extension Model {
    /// Whether the books agree, and by whose record.
    func drawDrift(_ rect: Rect, on canvas: inout Canvas) {
        if shown.foreign != nil { return drawForeignDrift(rect, on: &canvas) }
        let drift = shown.drift
        let age =
            drift.cutAgeSeconds.map { "cut " + canvas.age($0) } ?? "no cut yet"
        var panel = Panel(
            "drift", details: [Formats.count(Double(drift.units)) + " units", age], number: 4,
            hints: hints(.drift, canvas.glyphs), isFocused: isFocused(.drift))
        let isLost = (drift.lostOrders ?? 0) > 0
        if drift.oversoldUnits > 0 || isLost { panel.frame = .bad } else if drift.units > 0 { panel.frame = .warn }
        if isComparing { panel.trailing = [[Span("comparing", Style(.accent, attributes: .bold))]] }
        let inside = canvas.panel(rect, panel).inset(1, 0)
        canvas.within(inside) { canvas in
            var y = drawVerdict(drift, on: &canvas)
            let first = position(.drift).cursor
            if drift.findings.isEmpty && canvas.height - y >= 3 {
                drawComparisons(from: y, rowsMax: 8, on: &canvas)
                return
            }
            for finding in drift.findings.dropFirst(first) {
                guard y < canvas.height else { return }
                canvas.put(0, y, canvas.glyphs.bullet, Style(.warn))
                let lines = canvas.wrapped(finding, width: canvas.width - 2, lines: canvas.height + 1)
                for (index, line) in lines.enumerated() where y < canvas.height {
                    let isCut = y == canvas.height - 1 && index < lines.count - 1
                    let text = isCut ? line + " " + lines[index + 1] : line
                    canvas.label(2, y, width: canvas.width - 2, text, Style(.text))
                    y += 1
                }
            }
        }
    }

    /// Drift over the comparisons that are kept; where there was none, what was on its way while they were made.
    func drawComparisons(from y: Int, rowsMax: Int, on canvas: inout Canvas) {
        let points = shown.series.drift
        guard canvas.height - y >= 3, !points.isEmpty else { return }
        let drifts = points.map { Double($0.units) }
        let hasDrift = drifts.contains { $0 > 0 }
        var (title, span) = ("units of drift", "last " + count(points.count, "comparison"))
        var values = drifts
        if !hasDrift {
            values = points.map { Double(max(0, $0.byKind[.inFlight] ?? 0)) }
            title = "units in flight"
        }
        if (values.max() ?? 0) == 0, !shown.series.backlog.isEmpty {
            // Comparisons met nothing on its way; between them the outbox did.
            values = shown.series.backlog.map(Double.init)
            title = "on the way to SQL"
            span = "entries, last " + canvas.own(Formats.duration(seconds: Double(values.count)))
        }
        let peak = values.max() ?? 0
        canvas.rule(y, title, note: (canvas.width >= 56 ? span + ", peak " : "peak ") + Formats.count(peak))
        let area = Rect(x: 0, y: y + 1, width: canvas.width, height: min(rowsMax, canvas.height - y - 1))
        let slots = area.width * (canvas.glyphs.ladder == .braille ? 2 : 1)
        if peak > 0 {
            let gradient: Gradient = hasDrift ? .between(.warn, .bad) : .between(.accent, .second)
            canvas.graph(area, stretched(values, to: slots), gradient)
        } else {
            canvas.sparkline(0, area.bottom - 1, width: area.width, Array(repeating: 0, count: slots))
        }
    }

    /// The loud words, then the kinds.
    /// - Returns: the next free line.
    func drawVerdict(_ drift: WarRoomSnapshot.Drift, showsKinds: Bool = true, on canvas: inout Canvas) -> Int {
        var y = 0
        let record = drift.lostOrders == nil ? "by SQL's rows" : "by the buyers' record"
        func line(_ shout: String, _ role: Role) {
            let end = canvas.shout(0, y, width: canvas.width, shout, role)
            if canvas.width - end > record.count { canvas.put(end + 1, y, record, Style(.dim)) }
            y += 1
        }
        if drift.oversoldUnits > 0 { line("OVERSOLD \(count(drift.oversoldUnits, "unit"))", .bad) }
        if let lost = drift.lostOrders, lost > 0 {
            let units = drift.lostUnits.map { " (\(count($0, "unit")))" } ?? ""
            let short = "LOST \(count(lost, "order"))"
            line(short.count + units.count + 2 <= canvas.width ? short + units : short, .bad)
        }
        let isCalm = y == 0
        if isCalm && drift.units == 0 {
            let isCut = drift.cutAgeSeconds != nil
            let verdict =
                if !isCut {
                    [Span(canvas.glyphs.bullet + " ", Style(.dim)), Span("not compared yet", Style(.text))]
                } else if drift.unread > 0 {
                    [
                        Span(canvas.glyphs.alert + " ", Style(.warn)),
                        Span(
                            canvas.width < 27 ? "what is read agrees" : "what could be read agrees",
                            Style(.warn, attributes: .bold)),
                    ]
                } else {
                    [
                        Span(canvas.glyphs.calm + " ", Style(.good)),
                        Span("the books agree", Style(.good, attributes: .bold)),
                    ]
                }
            canvas.fit(0, y, width: canvas.width, verdict)
            y += 1
            let lost = drift.lostOrders.map { "lost \($0)  " } ?? ""
            let calm = lost + "oversold 0"
            let isWide = canvas.width >= calm.count + record.count + 2
            canvas.put(0, y, isWide ? calm + "  " + record : calm, Style(.dim))
            y += 1
        } else if drift.units > 0 {
            canvas.pair(
                0, y, width: canvas.width, "drift",
                [Span(count(drift.units, "unit"), Style(.warn, attributes: .bold))])
            y += 1
        }
        if !showsKinds { return y }
        let kinds = drift.byKind.filter { $0.value != 0 }.sorted {
            ($0.key.countsAsDrift ? 0 : 1, -$0.value.magnitude.clamped, $0.key.rawValue)
                < ($1.key.countsAsDrift ? 0 : 1, -$1.value.magnitude.clamped, $1.key.rawValue)
        }
        for (kind, units) in kinds where y < canvas.height {
            let style = Style(kind.countsAsDrift ? .warn : .dim)
            canvas.pair(0, y, width: canvas.width, kind.words, [Span(Formats.grouped(units), style)])
            y += 1
        }
        if drift.unread > 0 && y < canvas.height {
            let words = canvas.width < 26 ? "buckets unread" : "buckets not readable"
            canvas.pair(0, y, width: canvas.width, words, [Span("\(drift.unread)", Style(.warn))])
            y += 1
        }
        if y < canvas.height && (drift.cuts > 0 || drift.unitsPeak > 0) && canvas.height > 4 {
            let peak = drift.unitsPeak > 0 ? ", peak \(count(drift.unitsPeak, "unit"))" : ""
            let cuts = count(drift.cuts, "bucket")
            let isTight = cuts.count + peak.count + 10 > canvas.width
            canvas.pair(0, y, width: canvas.width, "compared", [Span(isTight ? cuts : cuts + peak, Style(.dim))])
            y += 1
        }
        return y
    }
}

extension UInt64 {
    /// As an `Int64` that does not overflow.
    fileprivate var clamped: Int64 { Int64(Swift.min(self, UInt64(Int64.max))) }
}
