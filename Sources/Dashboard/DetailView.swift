import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// One SKU: how it sells, its newest orders in both stores, its drift, its acts. The cursor still moves from one to the next.
    @discardableResult
    func drawDetail(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        guard let number = skuShown, let sku = sku(number) else {
            let inside = canvas.panel(rect, screenPanel(glyphs: canvas.glyphs))
            canvas.label(
                inside.x, inside.y + inside.height / 2, width: inside.width, "this SKU is not in the sale any more",
                Style(.dim), .centre)
            return TableHits()
        }
        let glyphs = canvas.glyphs
        let name = SafeText.fitted(sku.sku, width: 24, ellipsis: glyphs.ellipsis)
        var details: [String] = []
        if list.cursorIndex.map({ shown.skus[$0].number }) == number {
            details = ["row \(Formats.grouped(list.cursorRow + 1)) of \(Formats.grouped(list.order.count))"]
        }
        var panel = screenPanel("SKU " + name, details: details, glyphs: glyphs)
        if case .oversold = sku.state { panel.frame = .bad }
        let inside = canvas.panel(rect, panel).inset(1, 0)
        var hits = TableHits()
        canvas.within(inside) { canvas in
            drawHead(sku, on: &canvas)
            let facts = facts(sku, on: canvas)
            if isSmall {
                hits = drawSmallDetail(sku, facts, on: &canvas)
                return
            }
            let rest = Rect(y: 3, width: canvas.width, height: canvas.height - 3)
            let top = min(facts.count, max(min(facts.count, 6), rest.height * 2 / 5))
            let parts = rest.rows([.fixed(top), .share(1)], gap: 1)
            let sides = parts[0].columns([.fixed(min(36, canvas.width * 2 / 5)), .share(1)], gap: 3)
            for (line, fact) in facts.prefix(sides[0].height).enumerated() {
                canvas.within(sides[0]) { $0.pair(0, line, width: $0.width, fact.0, [fact.1]) }
            }
            drawTimeline(sku, sides[1], on: &canvas)
            guard parts[1].height >= 2 else { return }
            if sku.isForeign { return canvas.within(parts[1]) { drawForeignBooks(on: &$0) } }
            if canvas.width >= 96 {
                // A whole order's id, if its columns leave anything for the acts beside them.
                let side = canvas.width - Self.entriesWidth - 3
                let columns = parts[1].columns(
                    [.share(1), .fixed(side >= 33 ? min(side, 60) : canvas.width / 3)], gap: 3)
                hits = canvas.within(columns[0]) { drawEntries(number, on: &$0) }
                canvas.within(columns[1]) { drawActs(sku, on: &$0) }
            } else if parts[1].height >= 11 {
                let rows = parts[1].rows([.share(3), .share(2)], gap: 0)
                hits = canvas.within(rows[0]) { drawEntries(number, on: &$0) }
                canvas.within(rows[1]) { drawActs(sku, on: &$0) }
            } else {
                hits = canvas.within(parts[1]) { drawEntries(number, on: &$0) }
            }
        }
        return hits
    }

    private func drawHead(_ sku: WarRoomSnapshot.SKU, on canvas: inout Canvas) {
        let state = sku.state
        let word = state.word
        canvas.label(0, 0, width: canvas.width - word.count - 4, sku.name, Style(.title, attributes: .bold))
        canvas.put(canvas.width - word.count - 2, 0, " " + word + " ", state.style)
        let share = Formats.percent(sku.soldShare)
        let left =
            sku.stock.map { Formats.grouped($0) + " left of " + Formats.grouped(sku.allocated) } ?? "does not answer"
        let figures = share + " sold, " + left
        let room = canvas.width - figures.count - 2
        if room < 10 {
            // Numbers before pictures of them.
            canvas.label(0, 1, width: canvas.width, figures, Style(.text))
            return
        }
        canvas.gauge(0, 1, width: room, sku.soldShare, state.gauge)
        canvas.put(room + 2, 1, figures, Style(.text))
    }

    /// Few rows: the figures, beside or over them the time line, then the newest orders, as far as there is room.
    private func drawSmallDetail(
        _ sku: WarRoomSnapshot.SKU, _ facts: [(String, Span)], on canvas: inout Canvas
    ) -> TableHits {
        // What the head says already is not said again.
        let told = ["left in Redis", "allocated in SQL", "most seen in stock"]
        let facts = facts.filter { !told.contains($0.0) }
        let rest = Rect(y: 2, width: canvas.width, height: canvas.height - 2)
        func draw(_ rect: Rect, on canvas: inout Canvas) {
            canvas.within(rect) { canvas in
                for (line, fact) in facts.prefix(canvas.height).enumerated() {
                    canvas.pair(0, line, width: canvas.width, fact.0, [fact.1])
                }
            }
        }
        if canvas.width >= 76 {
            let sides = rest.columns([.fixed(36), .share(1)], gap: 3)
            draw(sides[0], on: &canvas)
            drawTimeline(sku, sides[1], on: &canvas)
            return TableHits()
        }
        let parts = rest.rows([.fixed(min(facts.count, max(4, rest.height / 2))), .share(1)])
        draw(parts[0], on: &canvas)
        guard parts[1].height >= 3 else { return TableHits() }
        let below = parts[1].rows([.fixed(min(6, parts[1].height)), .share(1)])
        drawTimeline(sku, below[0], on: &canvas)
        if below[1].height < 3 || sku.isForeign { return TableHits() }
        return canvas.within(below[1]) { drawEntries(sku.number, on: &$0) }
    }

    private func facts(_ sku: WarRoomSnapshot.SKU, on canvas: Canvas) -> [(String, Span)] {
        let snapshot = shown
        func number(_ value: Int64) -> Span { Span(Formats.grouped(value), Style(.title)) }
        var facts: [(String, Span)] = [
            ("left in Redis", sku.stock.map(number) ?? Span("does not answer", Style(.warn, attributes: .bold))),
            (sku.isForeign ? "seen to go" : "sold and reserved", number(sku.taken)),
            (sku.isForeign ? "most seen in stock" : "allocated in SQL", number(sku.allocated)),
            ("units a second", Span(perSecond(sku.unitsPerSecond), Style(.title, attributes: .bold))),
        ]
        if let seconds = sku.secondsToSellOut {
            facts.append(("sells out in", Span(canvas.own(Formats.duration(seconds: seconds)), Style(.warn))))
        }
        if sku.oversold > 0 {
            facts.append(
                ("OVERSOLD", Span(" \(Formats.grouped(sku.oversold)) units ", Style(.onFill, on: .bad, .bold))))
        }
        if sku.frozen { facts.append(("frozen", Span("nobody can buy it", Style(.frozen, attributes: .bold)))) }
        if let limit = sku.rateLimit {
            facts.append(("rate limit", Span("max " + Formats.rate(limit.ordersPerSecond), Style(.text))))
            facts.append(
                ("turned away", Span(Formats.grouped(limit.turnedAway), Style(limit.turnedAway > 0 ? .warn : .text))))
        }
        let bucket = shown.buckets.first { $0.tag == sku.tag }
        facts.append(
            (
                "node",
                sku.node.map { node in
                    let address = snapshot.nodes.indices.contains(node) ? "  " + snapshot.nodes[node].address : ""
                    return Span("\(node + 1)" + address, Style(.text))
                } ?? Span("nobody's slot", Style(.warn))
            ))
        let tag = SafeText.fitted(sku.tag, width: 16)
        facts.append(("tag and slot", Span(bucket.map { tag + "  \($0.slot)" } ?? tag, Style(.text))))
        if let bucket, let fence = bucket.fence {
            facts.append(("fenced", Span(SafeText.fitted(fence, width: 22), Style(.warn, attributes: .bold))))
        }
        if let epoch = bucket?.epoch { facts.append(("epoch", Span(Formats.grouped(epoch), Style(.dim)))) }
        if let entries = sku.ledgerEntries {
            facts.append(
                ("ledger in Redis", Span(count(entries, "entry").replacing("entrys", with: "entries"), Style(.dim))))
        }
        return facts
    }

    // MARK: Time line

    private func drawTimeline(_ sku: WarRoomSnapshot.SKU, _ rect: Rect, on canvas: inout Canvas) {
        guard rect.width >= 10 && rect.height >= 3 else { return }
        let values = history(sku)
        let peak = values.max() ?? 0
        canvas.within(rect) { canvas in
            var x = 0
            for other in TimeSpan.allCases where x + other.title.count < canvas.width - 14 {
                let isChosen = other == span
                x = canvas.put(
                    x, 0, isChosen ? "[" + other.title + "]" : " " + other.title + " ",
                    Style(isChosen ? .accent : .faint, attributes: isChosen ? .bold : []))
            }
            let words = canvas.width - x < 30 ? "peak " : "units a second, peak "
            canvas.putRight(
                x + 1, 0, width: canvas.width - x - 1,
                [Span(words, Style(.dim)), Span(perSecond(peak), Style(.title))])
            let hasAxis = canvas.height >= 5
            let area = Rect(x: 0, y: 1, width: canvas.width, height: canvas.height - (hasAxis ? 2 : 1))
            let slots = area.width * (canvas.glyphs.ladder == .braille ? 2 : 1)
            if peak > 0 {
                canvas.graph(area, stretched(values, to: slots), .between(.accent, .second))
            } else {
                canvas.sparkline(0, area.bottom - 1, width: area.width, Array(repeating: 0, count: slots))
                canvas.label(
                    0, area.y + area.height / 2, width: area.width, "nothing sold in this time", Style(.dim), .centre)
            }
            if hasAxis {
                canvas.put(0, canvas.height - 1, canvas.own("−" + span.title), Style(.faint))
                canvas.putRight(0, canvas.height - 1, width: canvas.width, [Span("now", Style(.faint))])
            }
        }
    }

    /// Units a second over the chosen span, oldest first; what is not known counts as nothing.
    func history(_ sku: WarRoomSnapshot.SKU) -> [Double] {
        if span == .minute { return minute(sku.history, slots: 60) }
        let wanted = span.seconds / 10
        let missing = max(0, wanted - sku.hour.count)
        return Array(repeating: 0.0, count: missing) + sku.hour.suffix(wanted).map(Double.init)
    }

    /// A series spread over more places than it has values.
    func stretched(_ values: [Double], to count: Int) -> [Double] {
        guard values.count < count, !values.isEmpty else { return TerminalUI.Series.folded(values, to: count) }
        return (0..<count).map { values[$0 * values.count / count] }
    }

    // MARK: Ledger and orders

    /// Cells in which a row of the newest orders has its whole id.
    private static let entriesWidth = 80

    private func drawEntries(_ number: SKUNumber, on canvas: inout Canvas) -> TableHits {
        canvas.rule(0, "newest orders, in SQL and in Redis's ledger")
        let area = Rect(y: 1, width: canvas.width, height: canvas.height - 1)
        guard case .sku(let sight)? = sights[.sku(number)] else {
            canvas.label(0, 2, width: canvas.width, waiting(for: .sku(number)), Style(.dim), .centre)
            return TableHits()
        }
        let isWhole = canvas.width >= Self.entriesWidth
        let columns = [
            TableColumn("made", width: 8, expendability: 2),
            TableColumn("order", width: isWhole ? 36 : 14, expendability: isWhole ? 0 : 3),
            TableColumn("units", width: 5, .right), TableColumn("state", width: 13),
            TableColumn("Redis", width: 7, stretch: 1, expendability: 1),
        ]
        let table = Table(
            columns: columns, rowCount: sight.entries.count, position: position(screen), showsCursor: false,
            emptyText: sight.note ?? "nobody has ordered it yet")
        return canvas.placedTable(area, table) { row, column in
            let entry = sight.entries[row]
            switch column {
            case 0: return .text(timeOfDay(entry.atMilliseconds, offset: utcOffsetSeconds), Style(.dim))
            case 1: return .text(shortFlow(entry.flow, isWhole: isWhole), Style(.text))
            case 2: return .text(units(entry.units, width: 5), Style(.title))
            case 3: return .text(entry.kind.words, entry.kind.style)
            default:
                switch entry.isInRedis {
                case true?: return .text("has it", Style(.good))
                case false?: return .text(entry.kind.isTaken ? "LACKS" : "no", Style(entry.kind.isTaken ? .warn : .dim))
                case nil: return .text("?", Style(.dim))
                }
            }
        }
    }

    private func drawActs(_ sku: WarRoomSnapshot.SKU, on canvas: inout Canvas) {
        var y = 0
        let findings = shown.drift.findings.filter { skuNamed(in: $0)?.number == sku.number }
        canvas.rule(0, "drift")
        y = 1
        if findings.isEmpty {
            canvas.put(
                0, y, [Span(canvas.glyphs.calm + " ", Style(.good)), Span("its books agree", Style(.text))])
            y += 1
        }
        for finding in findings.prefix(max(1, canvas.height / 3)) {
            for line in canvas.wrapped(finding, width: canvas.width - 2, lines: 3) where y < canvas.height {
                canvas.put(2, y, line, Style(.warn))
                y += 1
            }
        }
        guard y + 2 < canvas.height else { return }
        canvas.rule(y, "acts")
        y += 1
        guard case .sku(let sight)? = sights[.sku(sku.number)] else { return }
        if sight.acts.isEmpty { canvas.put(0, y, "nobody has touched it", Style(.dim)) }
        for act in sight.acts where y < canvas.height {
            let style = Style(act.isRefused ? .bad : .text)
            canvas.put(0, y, timeOfDay(act.atMilliseconds, offset: utcOffsetSeconds), Style(.dim))
            canvas.label(
                10, y, width: canvas.width - 10, canvas.own("\(act.who) \(act.what): \(act.before) → \(act.after)"),
                style)
            y += 1
        }
    }

    /// What stands where an answer is still awaited.
    func waiting(for look: Look) -> String {
        switch sights[look] {
        case .failed(let why)?: why
        default: "looking…"
        }
    }
}

extension OrderKind {
    var style: Style {
        switch self {
        case .sold: Style(.good)
        case .reserved: Style(.text)
        case .cancelled, .expired: Style(.dim)
        case .void: Style(.faint)
        case .overCapacity: Style(.bad, attributes: .bold)
        case .partial: Style(.warn)
        }
    }

    /// Whether Redis's ledger must hold its units as taken.
    var isTaken: Bool { self == .sold || self == .reserved }
}
