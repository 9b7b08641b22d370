import Telemetry
import TerminalUI

// What panels show where somebody else's keys are watched, without SQL: no zeros for what nobody knows.

extension Model {
    /// Said wherever orders, sales or acts would stand.
    static let noSQL = "no SQL: sales are not compared"

    /// The line of the header when there is no alert: how far the search has come, and what the rates are.
    func standing(_ foreign: WarRoomSnapshot.Foreign, _ snapshot: WarRoomSnapshot, _ glyphs: Glyphs) -> [Span] {
        let calm = Span(glyphs.calm + " ", Style(.good))
        guard foreign.isScanned else {
            return [
                Span(glyphs.bullet + " ", Style(.accent, attributes: .bold)),
                Span("looking for SKUs: " + foreign.scan, Style(.text)),
            ]
        }
        let rates = foreign.ledgerKeys == nil ? "rates: what leaves the stock" : "rates: what comes into the ledgers"
        return [calm, Span("\(rates); rows in sight are read each second", Style(.text))]
    }

    @discardableResult
    func drawForeignLedger(_ foreign: WarRoomSnapshot.Foreign, _ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let ledger = shown.ledger
        let need = shown.needs(.ledger, .memory)
        var details: [String] = ["no ledger"]
        if foreign.ledgerKeys != nil {
            details = ["+" + Formats.rate(ledger.entriesPerSecond)]
            if rect.width >= 44 { details.insert(Formats.count(Double(ledger.entries)) + " entries", at: 0) }
        }
        var panel = Panel("ledger", details: details, number: 2, isFocused: isFocused(.ledger))
        if let need { panel.trailing = [[Span(need, Style(.dim))]] }
        let inside = canvas.panel(rect, panel).inset(1, 0)
        var hits = TableHits()
        canvas.within(inside) { canvas in
            func plain(_ text: String) -> [Span] { [Span(text, Style(.title))] }
            func faint(_ text: String) -> [Span] { [Span(text, Style(.dim))] }
            var facts: [Fact] = [
                ("in SQL", faint("no SQL")), ("stock", plain(foreign.stockKeys)),
                ("ledger", foreign.ledgerKeys.map(plain) ?? faint("none: by stock")),
                (
                    "memory",
                    ledger.redisBytes.map { plain(Formats.bytes($0)) } ?? faint(shown.needs(.memory) ?? "-")
                ),
                (
                    "reads",
                    plain(
                        "\(Formats.rate(Double(foreign.readsPerSecond))) of \(Formats.rate(Double(foreign.readsPerSecondMax)))"
                    )
                ),
                ("each SKU", plain("read within \(foreign.sweepSeconds) s")),
            ]
            if let full = ledger.memoryFullSeconds {
                facts.append(("full in", plain(canvas.own(Formats.duration(seconds: full)))))
            }
            guard canvas.width >= 44, foreign.ledgerKeys != nil else {
                drawFacts(facts, Rect(width: min(60, canvas.width), height: canvas.height), on: &canvas)
                let free = Rect(y: facts.count, width: canvas.width, height: canvas.height - facts.count)
                if foreign.ledgerKeys == nil { canvas.within(free) { drawWhyNoLedger(on: &$0) } }
                return
            }
            // As a screen it has room for more than a graph.
            let isScreen = screen == .ledger && canvas.height >= 14
            let rows = canvas.bounds.rows(
                isScreen ? [.fixed(max(7, canvas.height / 3)), .share(1)] : [.share(1)], gap: 1)
            let parts = rows[0].columns([.share(1), .fixed(canvas.width >= 90 ? 34 : 26)], gap: 2)
            drawGrowth(ledger, parts[0], on: &canvas)
            drawFacts(facts, parts[1], on: &canvas)
            if isScreen {
                hits = canvas.within(rows[1]) { drawLargest("entries, by the length of each hash", on: &$0) }
            }
        }
        return hits
    }

    /// Why there is nothing to show, and what would fill it.
    private func drawWhyNoLedger(on canvas: inout Canvas) {
        let need = shown.needs(.ledger)
        let why =
            need.map { "The ledgers cannot be read: \($0)." }
            ?? "No ledger is watched: none was found beside the stock, so rates are what leaves the stock."
        let cure =
            need == nil
            ? "Where this sale keeps one, --ledger-key names how its keys are made, such as 'sx_{tag}_sku': a hash, a field an order."
            : "sellout doctor prints the rules that allow it."
        // Air above, where there is any.
        var y = canvas.height >= 6 ? 1 : 0
        for (text, style) in [(why, Style(.text)), (cure, Style(.dim))] {
            for line in canvas.wrapped(text, width: min(78, canvas.width), lines: max(0, canvas.height - y)) {
                canvas.put(0, y, line, style)
                y += 1
            }
        }
    }

    /// A screen about what only SQL knows.
    func drawNoSQL(_ rect: Rect, _ why: String, on canvas: inout Canvas) {
        let panel = screenPanel(details: ["no SQL"], glyphs: canvas.glyphs)
        let inside = canvas.panel(rect, panel).inset(2, 1)
        canvas.within(inside) { canvas in
            var y = 0
            for (text, style) in [
                (why, Style(.text, attributes: .bold)),
                (
                    "Redis's keys alone are watched here. With --orders this screen shows the sale's own books.",
                    Style(.dim)
                ),
            ] {
                for line in canvas.wrapped(text, width: canvas.width, lines: max(1, canvas.height - y))
                where y < canvas.height {
                    canvas.label(0, y, width: canvas.width, line, style)
                    y += 1
                }
            }
        }
    }

    /// What would stand below a SKU's time line.
    func drawForeignBooks(on canvas: inout Canvas) {
        canvas.rule(0, "books")
        let text = "no SQL: its orders, its drift and what was done to it are not known; --orders names the books"
        for (y, line) in canvas.wrapped(text, width: canvas.width - 2, lines: canvas.height).enumerated()
        where y + 1 < canvas.height {
            canvas.label(0, y + 1, width: canvas.width, line, Style(.dim))
        }
    }

    func drawForeignDrift(_ rect: Rect, on canvas: inout Canvas) {
        let panel = Panel(
            "drift", details: ["no SQL"], number: 4, hints: [], isFocused: isFocused(.drift))
        let inside = canvas.panel(rect, panel).inset(1, 0)
        canvas.within(inside) { canvas in
            canvas.put(0, 0, canvas.glyphs.bullet, Style(.dim))
            var y = 0
            for (text, style) in [
                (Self.noSQL, Style(.text)), ("--orders names the books to compare with", Style(.dim)),
            ] {
                for line in canvas.wrapped(text, width: canvas.width - 2, lines: max(1, canvas.height - y))
                where y < canvas.height {
                    canvas.label(2, y, width: canvas.width - 2, line, style)
                    y += 1
                }
            }
        }
    }

    /// What may stand in sight of the user now, best first: positions in the snapshot's `skus`.
    public var rowsInSight: [Int] {
        if case .sku(let number) = screen, let index = shown.skus.firstIndex(where: { $0.number == number }) {
            return [index]
        }
        let first = min(max(0, list.offset), list.order.count)
        return list.order[first..<min(list.order.count, first + max(stockRowsVisible, 1))].map { Int($0) }
    }
}
