import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Ledgers that are listed.
    static let largestMax = 100

    func rowOfLedgers(_ row: Int) -> Int? {
        largestLedgers.indices.contains(row) && shown.skus.indices.contains(largestLedgers[row])
            ? largestLedgers[row] : nil
    }

    /// Positions of the SKUs with the largest ledgers, largest first.
    static func largest(_ skus: [WarRoomSnapshot.SKU]) -> [Int] {
        RowSort.largest(skus.count, limit: largestMax) { Double(skus[$0].ledgerEntries ?? 0) }
            .filter { (skus[$0].ledgerEntries ?? 0) > 0 }
    }

    /// Growth, backlog, lag, memory and its forecast, the largest ledgers, dead letters.
    @discardableResult
    func drawLedgerScreen(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let ledger = shown.ledger
        let rate = "+" + Formats.rate(ledger.entriesPerSecond)
        var frame: Role?
        if ledger.storeError != nil || ledger.deadLetters > 0 || ledger.isUnattended { frame = .bad }
        let panel = screenPanel(
            details: [Formats.grouped(ledger.entries) + " entries in Redis", rate], frame: frame, glyphs: canvas.glyphs)
        let inside = canvas.panel(rect, panel).inset(1, 0)
        var hits = TableHits()
        canvas.within(inside) { canvas in
            if isSmall && canvas.height < 14 {
                hits = drawSmallLedger(on: &canvas)
                return
            }
            let isWide = canvas.width >= 100
            let graphs = isWide ? 4 : canvas.width >= 64 ? 3 : 2
            let top = max(4, min(isWide ? 12 : 8, canvas.height * 2 / 5))
            let parts = canvas.bounds.rows([.fixed(top), .share(1)], gap: canvas.height >= 18 ? 1 : 0)
            let cells = parts[0].columns(Array(repeating: .share(1), count: graphs), gap: 3)
            drawSeries(growthSeries, cells[0], on: &canvas)
            drawSeries(backlogSeries(canvas), cells[1], on: &canvas)
            if graphs > 2 { drawSeries(memorySeries(canvas), cells[graphs - 1], on: &canvas) }
            if graphs > 3 { drawSeries(lagSeries(canvas), cells[2], on: &canvas) }
            let letters = shown.life.deadLetters
            let facts = factLines(on: canvas)
            if isWide {
                let sides = parts[1].columns([.share(3), .fixed(44)], gap: 3)
                hits = canvas.within(sides[0]) { drawLargest(on: &$0) }
                canvas.within(sides[1]) { canvas in
                    canvas.rule(0, "in numbers")
                    var y = 1
                    for fact in facts where y < canvas.height {
                        canvas.pair(0, y, width: canvas.width, fact.0, [fact.1])
                        y += 1
                    }
                    drawLetters(letters, from: y + 1, on: &canvas)
                }
            } else {
                let shown = letters.isEmpty && ledger.deadLetters == 0 ? 0 : min(4, letters.count * 2 + 1)
                let rows = parts[1].rows([.fixed(min(facts.count, parts[1].height / 3)), .share(1), .fixed(shown)])
                canvas.within(rows[0]) { canvas in
                    let columns = canvas.bounds.columns([.share(1), .share(1)], gap: 3)
                    for (index, fact) in facts.prefix(canvas.height * 2).enumerated() {
                        canvas.within(columns[index % 2]) { $0.pair(0, index / 2, width: $0.width, fact.0, [fact.1]) }
                    }
                }
                hits = canvas.within(rows[1]) { drawLargest(on: &$0) }
                canvas.within(rows[2]) { drawLetters(letters, from: 0, on: &$0) }
            }
        }
        return hits
    }

    /// Few rows: what waits and what fills up in words, then the largest ledgers.
    private func drawSmallLedger(on canvas: inout Canvas) -> TableHits {
        let (ledger, life) = (shown.ledger, shown.life)
        let curves = [backlogSeries(canvas), memorySeries(canvas), lagSeries(canvas)]
        var facts: [(String, [Span])] = curves.map { curve in
            let style = Style(curve.isBad ? .bad : .dim, attributes: curve.isBad ? .bold : [])
            return (curve.title, [curve.now, Span(", " + curve.note, style)])
        }
        if let error = ledger.storeError {
            facts.insert(("SQL", [Span(SafeText.fitted(error, width: 60), Style(.bad, attributes: .bold))]), at: 0)
        }
        if ledger.deadLetters > 0 {
            facts.insert(
                ("dead letters", [Span(Formats.grouped(ledger.deadLetters), Style(.bad, attributes: .bold))]), at: 0)
        }
        if life.refundsPending > 0 {
            facts.append(
                ("refunds to pay", [Span(Formats.grouped(life.refundsPending), Style(.warn, attributes: .bold))]))
        }
        let columns = canvas.width >= 90 ? 2 : 1
        let lines = min((facts.count + columns - 1) / columns, max(2, canvas.height / 2 - 1))
        let parts = canvas.bounds.rows([.fixed(lines), .share(1)])
        let sides = parts[0].columns(Array(repeating: .share(1), count: columns), gap: 3)
        for (index, fact) in facts.prefix(lines * columns).enumerated() {
            canvas.within(sides[index % columns]) { canvas in
                let y = index / columns
                let x = canvas.put(0, y, fact.0 + "  ", Style(.dim))
                let size = fact.1.reduce(0) { $0 + SafeText.width($1.text) }
                canvas.fit(max(x, canvas.width - size), y, width: min(size, canvas.width - x), fact.1)
            }
        }
        return canvas.within(parts[1]) { drawLargest(isHeaded: false, on: &$0) }
    }

    // MARK: Graphs

    private struct Curve {
        var title: String
        var now: Span
        var values: [Double]
        var note: String
        /// Fills the height; `nil`: the largest value.
        var maximum: Double?
        var isBad = false
        /// Seconds between two values.
        var step = 1.0
    }

    private var growthSeries: Curve {
        let values = shown.ledger.history.map(Double.init)
        return Curve(
            title: "growth", now: Span(Formats.rate(shown.ledger.entriesPerSecond), Style(.title, attributes: .bold)),
            values: values, note: "peak " + Formats.rate(values.max() ?? 0))
    }

    private func backlogSeries(_ canvas: Canvas) -> Curve {
        let ledger = shown.ledger
        let isBehind = ledger.backlogMilliseconds > 5_000
        return Curve(
            title: "backlog",
            now: Span(
                Formats.count(Double(ledger.backlogEntries)), Style(isBehind ? .warn : .title, attributes: .bold)),
            values: shown.series.backlog.map(Double.init),
            note: ledger.isUnattended
                ? "NOBODY TAKES IT"
                : ledger.backlogEntries > 0
                    ? "oldest " + canvas.time(milliseconds: Double(ledger.backlogMilliseconds)) : "nothing waits",
            isBad: ledger.isUnattended)
    }

    private func lagSeries(_ canvas: Canvas) -> Curve {
        Curve(
            title: "lag p99",
            now: Span(canvas.time(milliseconds: shown.ledger.lagP99Milliseconds), Style(.title, attributes: .bold)),
            values: shown.series.lag.map(Double.init),
            note: "p50 " + canvas.time(milliseconds: shown.ledger.lagP50Milliseconds))
    }

    private func memorySeries(_ canvas: Canvas) -> Curve {
        let ledger = shown.ledger
        let isSoon = (ledger.memoryFullSeconds ?? .infinity) < 3_600
        let forecast =
            ledger.memoryFullSeconds.map { "full in " + canvas.own(Formats.duration(seconds: $0)) }
            ?? (ledger.memoryLimitBytes.map { "of " + Formats.bytes($0) } ?? "no limit known")
        return Curve(
            title: "memory",
            now: Span(
                ledger.redisBytes.map { Formats.bytes($0) } ?? "-", Style(isSoon ? .warn : .title, attributes: .bold)),
            values: shown.series.memory.map(Double.init), note: forecast, isBad: isSoon, step: 2)
    }

    private func drawSeries(_ curve: Curve, _ rect: Rect, on canvas: inout Canvas) {
        canvas.within(rect) { canvas in
            canvas.pair(0, 0, width: canvas.width, curve.title, [curve.now])
            let slots = canvas.width * (canvas.glyphs.ladder == .braille ? 2 : 1)
            let note = canvas.height >= 3 ? 1 : 0
            if note == 1 {
                let style = Style(curve.isBad ? .bad : .dim, attributes: curve.isBad ? .bold : [])
                canvas.label(0, canvas.height - 1, width: canvas.width, curve.note, style)
                let seconds = Double(min(slots, curve.values.count)) * curve.step
                let back = "last " + canvas.own(Formats.duration(seconds: seconds))
                if seconds > 0, canvas.width >= SafeText.width(curve.note) + back.count + 2 {
                    canvas.putRight(0, canvas.height - 1, width: canvas.width, [Span(back, Style(.faint))])
                }
            }
            let area = Rect(x: 0, y: 1, width: canvas.width, height: canvas.height - 1 - note)
            guard area.height > 0 else { return }
            let recent = Array(curve.values.suffix(slots))
            if (recent.max() ?? 0) > 0 {
                canvas.graph(area, recent, maximum: curve.maximum, .between(.accent, .second))
            } else {
                canvas.sparkline(0, area.bottom - 1, width: area.width, Array(repeating: 0, count: slots))
            }
        }
    }

    // MARK: Numbers

    private func factLines(on canvas: Canvas) -> [(String, Span)] {
        let (ledger, life) = (shown.ledger, shown.life)
        func plain(_ text: String) -> Span { Span(text, Style(.title)) }
        func warned(_ value: Int64) -> Span {
            Span(Formats.grouped(value), Style(value > 0 ? .warn : .title, attributes: value > 0 ? .bold : []))
        }
        var facts: [(String, Span)] = []
        if let error = ledger.storeError {
            facts.append(("SQL", Span(SafeText.fitted(error, width: 36), Style(.bad, attributes: .bold))))
        }
        facts += [
            ("orders in SQL", plain(Formats.grouped(ledger.persisted))),
            ("entries in Redis", plain(Formats.grouped(ledger.entries))),
            ("give-backs waiting", plain(Formats.grouped(ledger.pendingGiveBacks))),
            ("archived", plain(Formats.grouped(ledger.archivedOrders))),
            ("dead letters", warned(ledger.deadLetters)),
            ("refunds to pay", warned(life.refundsPending)),
            ("payments waiting", plain(Formats.grouped(life.paymentsWaiting))),
            ("expired", plain(Formats.grouped(life.expired))),
        ]
        if let bytes = ledger.redisBytes, ledger.entries > 0 {
            facts.append(("bytes an entry", plain(Formats.bytes(bytes / max(1, ledger.entries)))))
        }
        return facts
    }

    private func drawLetters(_ letters: [String], from start: Int, on canvas: inout Canvas) {
        guard canvas.height - start >= 2, !letters.isEmpty || shown.ledger.deadLetters > 0 else { return }
        canvas.rule(start, "dead letters", note: "sellout dead-letters settles them")
        var y = start + 1
        for letter in letters {
            for line in canvas.wrapped(letter, width: canvas.width - 2, lines: 3) where y < canvas.height {
                canvas.put(2, y, line, Style(.bad))
                y += 1
            }
        }
    }

    /// Whether what is shown is older than it should be.
    private var isStale: Bool { if case .stale = shown.phase { true } else { false } }

    func drawLargest(
        _ note: String = "an entry an order and SKU, until it is archived", isHeaded: Bool = true,
        on canvas: inout Canvas
    ) -> TableHits {
        if isHeaded { canvas.rule(0, "largest ledgers", note: note) }
        let isNarrow = canvas.width < 60
        let skus = shown.skus
        let largest = largestLedgers
        let total = max(1, shown.ledger.entries)
        let columns = [
            TableColumn("SKU", width: max(8, min(14, list.skuWidth))),
            TableColumn(
                shown.foreign == nil ? "name" : "key", width: isNarrow ? 6 : 12, stretch: 1,
                expendability: isNarrow ? 3 : 0),
            TableColumn("entries", width: isNarrow ? 9 : 10, .right),
            TableColumn("share", width: 14, stretch: canvas.width >= 120 ? 1 : 0, expendability: 2),
            TableColumn("left", width: 8, .right, expendability: 1), TableColumn("/s", width: 6, .right),
        ]
        let table = Table(
            columns: columns, rowCount: largest.count, position: position(.ledger), isFocused: dialogs.isEmpty,
            emptyText: isStale ? "no server answers: the ledgers are not known" : "no ledger has an entry yet")
        let top = isHeaded ? 1 : 0
        return canvas.placedTable(Rect(y: top, width: canvas.width, height: canvas.height - top), table) {
            row, column in
            guard skus.indices.contains(largest[row]) else { return .text("") }
            let sku = skus[largest[row]]
            let entries = sku.ledgerEntries ?? 0
            switch column {
            case 0: return .text(sku.sku, Style(.dim))
            case 1: return .text(sku.name, Style(.text))
            case 2: return .text(Formats.grouped(entries), Style(.title))
            case 3: return .gauge(Double(entries) / Double(total), gradient: .solid(.accent))
            case 4: return .text(sku.stock.map { units($0, width: 8) } ?? "?", Style(.dim))
            default: return .text(perSecond(sku.unitsPerSecond), Style(sku.unitsPerSecond > 0 ? .title : .faint))
            }
        }
    }
}
