import Telemetry
import TerminalUI

extension Model {
    /// How fast Redis's ledgers grow and how far SQL follows.
    func drawLedger(_ rect: Rect, on canvas: inout Canvas) {
        if let foreign = shown.foreign {
            drawForeignLedger(foreign, rect, on: &canvas)
            return
        }
        let ledger = shown.ledger
        let rate = "+" + Formats.rate(ledger.entriesPerSecond)
        var panel = Panel(
            "ledger", details: rect.width < 44 ? [rate] : [Formats.count(Double(ledger.entries)) + " entries", rate],
            number: 2,
            isFocused: isFocused(.ledger))
        if ledger.storeError != nil || ledger.deadLetters > 0 { panel.frame = .bad }
        let inside = canvas.panel(rect, panel).inset(1, 0)
        canvas.within(inside) { canvas in
            let facts = facts(ledger, shown.life, on: canvas)
            guard canvas.width >= 44 else {
                drawFacts(facts, Rect(width: canvas.width, height: canvas.height), on: &canvas)
                return
            }
            let side = canvas.width >= 90 ? 34 : 26
            let parts = canvas.bounds.columns([.share(1), .fixed(side)], gap: 2)
            drawGrowth(ledger, parts[0], on: &canvas)
            drawFacts(facts, parts[1], on: &canvas)
        }
    }

    typealias Fact = (label: String, value: [Span])

    /// Most telling first: a short panel shows only the first of them.
    private func facts(
        _ ledger: WarRoomSnapshot.Ledger, _ life: WarRoomSnapshot.Life, on canvas: Canvas
    ) -> [Fact] {
        func plain(_ text: String) -> [Span] { [Span(text, Style(.title))] }
        func time(_ milliseconds: Double) -> String { canvas.time(milliseconds: milliseconds) }
        let isBehind = ledger.backlogMilliseconds > 5_000
        let age =
            ledger.backlogEntries > 0 && ledger.backlogMilliseconds > 0
            ? (canvas.width < 30 ? ", " : ", oldest ") + time(Double(ledger.backlogMilliseconds)) : ""
        var facts: [Fact] = []
        if let error = ledger.storeError { facts.append(("SQL", [Span(error, Style(.bad, attributes: .bold))])) }
        if ledger.deadLetters > 0 {
            facts.append(("dead letters", [Span(Formats.grouped(ledger.deadLetters), Style(.bad, attributes: .bold))]))
        }
        if life.refunds > 0 || life.paymentsWaiting > 0 {
            let waiting = life.paymentsWaiting > 0 ? ", " + Formats.count(Double(life.paymentsWaiting)) + " wait" : ""
            let style = Style(
                life.refundsPending > 0 ? .warn : .title, attributes: life.refundsPending > 0 ? .bold : [])
            facts.append(("refunds", [Span(Formats.count(Double(life.refunds)) + waiting, style)]))
        }
        if life.reservedAgain > 0 {
            facts.append(("reserved again", plain(Formats.count(Double(life.reservedAgain)))))
        }
        if life.expired > 0 {
            let lag =
                life.sweepP99Milliseconds > 0 && canvas.width >= 30 ? ", p99 +" + time(life.sweepP99Milliseconds) : ""
            facts.append(("expired", plain(Formats.count(Double(life.expired)) + lag)))
        }
        facts += [
            ("in SQL", plain(Formats.count(Double(ledger.persisted)))),
            (
                "backlog",
                [
                    Span(
                        Formats.count(Double(ledger.backlogEntries)) + age,
                        Style(isBehind ? .warn : .title, attributes: isBehind ? .bold : []))
                ]
            ),
            ("lag p50", plain(time(ledger.lagP50Milliseconds))),
            ("lag p99", plain(time(ledger.lagP99Milliseconds))),
            (
                "memory",
                ledger.redisBytes.map { plain(Formats.bytes($0)) } ?? shown.needs(.memory).map {
                    [Span($0, Style(.dim))]
                }
                    ?? plain("-")
            ),
            ("give-backs", plain(Formats.count(Double(ledger.pendingGiveBacks)) + " waiting")),
        ]
        if ledger.archivedOrders > 0 {
            facts.append(("archived", plain(Formats.count(Double(ledger.archivedOrders)))))
        }
        return facts
    }

    func drawFacts(_ facts: [Fact], _ rect: Rect, on canvas: inout Canvas) {
        canvas.within(rect) { canvas in
            for (line, fact) in facts.prefix(canvas.height).enumerated() {
                let size = fact.value.reduce(0) { $0 + SafeText.width($1.text) }
                if size > canvas.width - fact.label.count - 1, let span = fact.value.first {
                    // Too long for its place: label and what fits of the value.
                    let x = canvas.put(0, line, fact.label + " ", Style(.dim))
                    canvas.label(x, line, width: canvas.width - x, span.text, span.style)
                } else {
                    canvas.pair(0, line, width: canvas.width, fact.label, fact.value)
                }
            }
        }
    }

    func drawGrowth(_ ledger: WarRoomSnapshot.Ledger, _ rect: Rect, on canvas: inout Canvas) {
        let values = ledger.history.map(Double.init)
        let slots = rect.width * (canvas.glyphs.ladder == .braille ? 2 : 1)
        let recent = Array(values.suffix(slots))
        let peak = recent.max() ?? 0
        canvas.within(rect) { canvas in
            if peak <= 0 {
                canvas.sparkline(0, canvas.height - 1, width: canvas.width, Array(repeating: 0, count: slots))
            } else {
                canvas.graph(canvas.bounds, recent, maximum: peak, .between(.accent, .second))
            }
            if canvas.height >= 4 {
                canvas.put(0, 0, "peak " + Formats.rate(peak), Style(.dim))
            }
        }
    }
}
