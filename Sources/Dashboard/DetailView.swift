import Telemetry
import TerminalUI

extension Model {
    /// One SKU, in place of the list; the cursor still moves from one to the next.
    func drawDetail(_ rect: Rect, on canvas: inout Canvas) {
        let snapshot = shown
        guard let index = list.cursorIndex, snapshot.skus.indices.contains(index) else {
            return drawStock(rect, on: &canvas)
        }
        let sku = snapshot.skus[index]
        let glyphs = canvas.glyphs
        let name = SafeText.fitted(sku.sku, width: 24, ellipsis: glyphs.ellipsis)
        var panel = Panel(
            "stock",
            details: [
                "SKU " + name, "row \(Formats.grouped(list.cursorRow + 1)) of \(Formats.grouped(list.order.count))",
            ],
            number: 1, hints: hints(.detail, glyphs), isFocused: isFocused(.stock))
        if case .oversold = sku.state { panel.frame = .bad }
        let inside = canvas.panel(rect, panel).inset(1, 0)
        canvas.within(inside) { canvas in
            let state = sku.state
            let word = state.word
            canvas.label(0, 0, width: canvas.width - word.count - 4, sku.name, Style(.title, attributes: .bold))
            canvas.put(canvas.width - word.count - 2, 0, " " + word + " ", state.style)
            canvas.gauge(0, 1, width: canvas.width, sku.soldShare, state.gauge)
            let facts = facts(sku, snapshot, on: canvas)
            let sides = Rect(y: 3, width: canvas.width, height: canvas.height - 3).columns(
                [.fixed(min(34, canvas.width / 2)), .share(1)], gap: 3)
            for (line, fact) in facts.enumerated() {
                canvas.within(sides[0]) { $0.pair(0, line, width: $0.width, fact.0, [fact.1]) }
            }
            drawTimeline(sku, sides[1], on: &canvas)
        }
    }

    private func facts(_ sku: WarRoomSnapshot.SKU, _ snapshot: WarRoomSnapshot, on canvas: Canvas) -> [(String, Span)] {
        func number(_ value: Int64) -> Span { Span(Formats.grouped(value), Style(.title)) }
        var facts: [(String, Span)] = [
            ("left in Redis", sku.stock.map(number) ?? Span("does not answer", Style(.warn, attributes: .bold))),
            ("sold and reserved", number(sku.taken)),
            ("share sold", Span(Formats.percent(sku.soldShare), Style(.title))),
            ("allocated in SQL", number(sku.allocated)),
            ("units a second", Span(perSecond(sku.unitsPerSecond), Style(.title, attributes: .bold))),
        ]
        if let seconds = sku.secondsToSellOut {
            facts.append(("sells out in", Span(canvas.own(Formats.duration(seconds: seconds)), Style(.warn))))
        }
        facts.append(("tag", Span(SafeText.fitted(sku.tag, width: 16), Style(.text))))
        facts.append(
            (
                "node",
                sku.node.map { node in
                    let address = snapshot.nodes.indices.contains(node) ? "  " + snapshot.nodes[node].address : ""
                    return Span("\(node + 1)" + address, Style(.text))
                } ?? Span("nobody's slot", Style(.warn))
            ))
        facts.append(("frozen", Span(sku.frozen ? "yes" : "no", Style(sku.frozen ? .frozen : .text))))
        if let limit = sku.rateLimit {
            facts.append(("rate limit", Span(Formats.rate(limit.ordersPerSecond), Style(.text))))
            facts.append(
                ("turned away", Span(Formats.grouped(limit.turnedAway), Style(limit.turnedAway > 0 ? .warn : .text))))
        }
        if sku.oversold > 0 {
            facts.append(
                ("OVERSOLD", Span(" \(Formats.grouped(sku.oversold)) units ", Style(.onFill, on: .bad, .bold))))
        }
        return facts
    }

    private func drawTimeline(_ sku: WarRoomSnapshot.SKU, _ rect: Rect, on canvas: inout Canvas) {
        guard rect.width >= 10 && rect.height >= 3 else { return }
        let values = minute(sku.history, slots: 60)
        let peak = values.max() ?? 0
        canvas.within(rect) { canvas in
            canvas.put(0, 0, [Span("units a second, last minute", Style(.dim))])
            canvas.putRight(0, 0, width: canvas.width, [Span("peak " + Formats.rate(peak), Style(.dim))])
            let area = Rect(x: 0, y: 1, width: canvas.width, height: canvas.height - 1)
            canvas.graph(area, stretched(values, to: area.width * (canvas.glyphs.ladder == .braille ? 2 : 1)))
        }
    }

    /// A series spread over more places than it has values.
    func stretched(_ values: [Double], to count: Int) -> [Double] {
        guard values.count < count, !values.isEmpty else { return Series.folded(values, to: count) }
        return (0..<count).map { values[$0 * values.count / count] }
    }
}
