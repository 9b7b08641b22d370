import Telemetry
import TerminalUI

extension Model {
    /// Where the load falls: a bar a node, then the hottest tags.
    func drawHeat(_ rect: Rect, on canvas: inout Canvas) {
        let snapshot = shown
        let hottest = snapshot.hottestTags.first?.ordersPerSecond ?? 0
        let down = snapshot.nodes.count { !$0.isUp }
        var details: [String] = []
        if hottest > 0 { details.append("hottest " + Formats.rate(hottest)) }
        if details.isEmpty && !snapshot.nodes.isEmpty { details.append(count(snapshot.nodes.count, "node")) }
        var panel = Panel(
            "heat", details: details, number: 3, hints: hints(.heat, canvas.glyphs), isFocused: isFocused(.heat))
        if down > 0 {
            panel.trailing = [[Span(" \(down) DOWN ", Style(.onFill, on: .bad, .bold))]]
            panel.frame = .bad
        }
        let inside = canvas.panel(rect, panel).inset(1, 0)
        canvas.within(inside) { canvas in
            if snapshot.nodes.isEmpty {
                canvas.label(0, canvas.height / 2, width: canvas.width, "no node serves yet", Style(.dim), .centre)
            }
            let hasLegend = canvas.height >= 8 && hottest > 0
            let room = canvas.height - (hasLegend ? 1 : 0)
            let first = position(.heat).cursor
            let nodes = snapshot.nodes.enumerated().dropFirst(first)
            let peak = snapshot.nodes.map(\.ordersPerSecond).max() ?? 0
            var y = 0
            for (index, node) in nodes.prefix(room) {
                drawNode(node, index, peak: peak, y, on: &canvas)
                y += 1
            }
            if room - y >= 3 && !snapshot.hottestTags.isEmpty {
                drawTagHead(y, on: &canvas)
                y += 1
            }
            for tag in snapshot.hottestTags.dropFirst(max(0, first - snapshot.nodes.count)) where y < room {
                drawTag(tag, peak: hottest, y, on: &canvas)
                y += 1
            }
            if hasLegend { drawLegend(hottest, on: &canvas) }
        }
    }

    func drawNode(
        _ node: WarRoomSnapshot.Node, _ index: Int, peak: Double, _ y: Int, on canvas: inout Canvas
    ) {
        let glyphs = canvas.glyphs
        let isNarrow = canvas.width < 36
        let name = isNarrow ? "n\(index + 1)" : "node \(index + 1)"
        canvas.put(0, y, name, Style(.title, attributes: .bold))
        let start = isNarrow ? 4 : 8
        guard node.isUp else {
            let since = canvas.own(Formats.duration(seconds: node.sinceSeconds))
            let fenced = node.fencedBuckets > 0 ? "  \(Formats.grouped(node.fencedBuckets)) fenced" : ""
            let text = "\(glyphs.down) DOWN" + (isNarrow ? "" : " " + since)
            let end = canvas.put(start, y, " " + text + " ", Style(.onFill, on: .bad, .bold))
            canvas.label(end, y, width: canvas.width - end, fenced, Style(.warn, attributes: .bold))
            return
        }
        var figures: [[Span]] = [
            [Span(Formats.padded(Formats.rate(node.ordersPerSecond), 7), Style(.title, attributes: .bold))]
        ]
        if node.fencedBuckets > 0 {
            figures.append([Span("\(Formats.grouped(node.fencedBuckets)) fenced", Style(.warn, attributes: .bold))])
        }
        if node.errors > 0 && node.fencedBuckets == 0 {
            figures.append([Span("err \(Formats.count(Double(node.errors)))", Style(.warn))])
        }
        if let limit = node.rateLimit {
            let away = limit.turnedAway > 0 ? " -" + Formats.count(Double(limit.turnedAway)) : ""
            figures.append([
                Span("max " + Formats.rate(limit.ordersPerSecond) + away, Style(away.isEmpty ? .dim : .warn))
            ])
        }
        let p99 = Formats.padded(canvas.time(milliseconds: node.p99Milliseconds > 0 ? node.p99Milliseconds : nil), 6)
        figures.append([Span(isNarrow ? p99 : "p99 " + p99, Style(.dim))])
        if canvas.width >= 58 {
            if node.errors == 0 { figures.append([Span("err 0", Style(.dim))]) }
            figures.append([Span(Formats.padded(node.memoryBytes.map { Formats.bytes($0) } ?? "", 7), Style(.dim))])
        }
        if canvas.width >= 84 { figures.append([Span(node.address, Style(.dim))]) }
        let share = peak > 0 ? node.ordersPerSecond / peak : 0
        bar(figures, start: start, y, on: &canvas) { canvas, x, width in
            canvas.gauge(x, y, width: width, share, .between(.accent, .second))
        }
    }

    private func drawTagHead(_ y: Int, on canvas: inout Canvas) {
        let line = String(repeating: canvas.glyphs.horizontal, count: canvas.width)
        canvas.put(0, y, line, Style(.border))
        canvas.put(1, y, " hottest tags ", Style(.dim))
    }

    func drawTag(_ tag: WarRoomSnapshot.Tag, peak: Double, _ y: Int, on canvas: inout Canvas) {
        let isNarrow = canvas.width < 36
        let longest = shown.hottestTags.map { SafeText.width(SafeText.fitted($0.tag, width: 12)) }.max() ?? 0
        let start = min(isNarrow ? 4 : canvas.width >= 70 ? 14 : 8, max(4, longest + 2))
        canvas.label(0, y, width: start - 1, tag.tag, Style(.text))
        var figures: [[Span]] = [[Span(Formats.padded(Formats.rate(tag.ordersPerSecond), 7), Style(.title))]]
        if tag.fenced {
            figures.append(
                isNarrow
                    ? [Span("FENCED", Style(.onFill, on: .warn, .bold))]
                    : [Span(" FENCED ", Style(.onFill, on: .warn, .bold)), Span(" ", Style(.dim))])
        } else {
            figures.append([Span(tag.node.map { "n\($0 + 1)" } ?? "n?", Style(.dim))])
            if !isNarrow { figures.append([Span(Formats.padded("\(tag.slot)", 5), Style(.faint))]) }
        }
        if canvas.width >= 40 {
            let skus = tag.skus.map { SafeText.fitted($0, width: 10, ellipsis: canvas.glyphs.ellipsis) }
            let width = max(9, min(32, canvas.width - 46))
            let shown = SafeText.fitted(skus.joined(separator: " "), width: width, ellipsis: canvas.glyphs.ellipsis)
            let slack = String(repeating: " ", count: max(0, width - SafeText.width(shown)))
            figures.append([Span(shown + slack, Style(.dim))])
        }
        let share = peak > 0 ? tag.ordersPerSecond / peak : 0
        bar(figures, start: start, y, on: &canvas) { canvas, x, width in
            canvas.bar(x, y, width: width, share, .solid(.heat(share)))
        }
    }

    /// Figures at the right end, a bar in what they leave.
    private func bar(
        _ figures: [[Span]], start: Int, _ y: Int, on canvas: inout Canvas,
        draw: (inout Canvas, _ x: Int, _ width: Int) -> Void
    ) {
        var kept = figures
        func size() -> Int {
            kept.reduce(0) { $0 + 2 + $1.reduce(0) { $0 + SafeText.width($1.text) } }
        }
        while kept.count > 1 && start + size() + 3 > canvas.width { kept.removeLast() }
        var x = canvas.width - size() + 1
        draw(&canvas, start, max(0, x - start))
        for figure in kept {
            x = canvas.put(x + 1, y, figure) + 1
        }
    }

    private func drawLegend(_ hottest: Double, on canvas: inout Canvas) {
        let high = Formats.rate(hottest)
        let width = min(24, canvas.width - high.count - 4)
        let end = canvas.heatLegend(0, canvas.height - 1, width: width, low: "0", high: high)
        let note = "n: node  slot"
        if canvas.width - end >= note.count + 2 {
            canvas.putRight(end, canvas.height - 1, width: canvas.width - end, [Span(note, Style(.faint))])
        }
    }
}
