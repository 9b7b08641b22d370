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
        // As tags name their nodes, where a word would cost a figure.
        let isShort = canvas.width < 44
        canvas.put(0, y, isShort ? "n\(index + 1)" : "node \(index + 1)", Style(.title, attributes: .bold))
        let start = isShort ? 4 : 8
        guard node.isUp else {
            let since = canvas.own(Formats.duration(seconds: node.sinceSeconds))
            let fenced = node.fencedBuckets > 0 ? "  \(Formats.grouped(node.fencedBuckets)) fenced" : ""
            let text = "\(glyphs.down) DOWN" + (isNarrow ? "" : " " + since)
            let end = canvas.put(start, y, " " + text + " ", Style(.onFill, on: .bad, .bold))
            canvas.label(end, y, width: canvas.width - end, fenced, Style(.warn, attributes: .bold))
            return
        }
        let figures = figures(of: node, on: canvas)
        let share = peak > 0 ? node.ordersPerSecond / peak : 0
        bar(figures, start: start, y, on: &canvas) { canvas, x, width in
            canvas.gauge(x, y, width: width, share, .between(.accent, .second))
        }
    }

    /// A node's figures, most telling first. Each takes as many cells as the widest of all nodes, so that bars end at one place.
    private func figures(of node: WarRoomSnapshot.Node, on canvas: Canvas) -> [[Span]] {
        let isNarrow = canvas.width < 36
        let nodes = shown.nodes.filter(\.isUp)
        let p99 = Formats.padded(canvas.time(milliseconds: node.p99Milliseconds > 0 ? node.p99Milliseconds : nil), 6)
        // Beside a figure of what is wrong there is no room for the word.
        let isTight = canvas.width < 44 && nodes.contains { $0.errors > 0 || $0.fencedBuckets > 0 }
        let latency = [Span(isNarrow || isTight ? p99 : "p99 " + p99, Style(.dim))]
        var figures: [[Span]] = [
            [Span(Formats.padded(Formats.rate(node.ordersPerSecond), 7), Style(.title, attributes: .bold))]
        ]
        func slot(_ text: (WarRoomSnapshot.Node) -> (String, Style)) {
            let width = nodes.map { text($0).0.count }.max() ?? 0
            let (mine, style) = text(node)
            if width > 0 { figures.append([Span(Formats.padded(mine, width), style)]) }
        }
        let isWide = canvas.width >= 58
        func trouble(_ node: WarRoomSnapshot.Node) -> (String, Style) {
            if node.fencedBuckets > 0 {
                return ("\(Formats.grouped(node.fencedBuckets)) fenced", Style(.warn, attributes: .bold))
            }
            if node.errors > 0 { return ("err \(Formats.count(Double(node.errors)))", Style(.warn)) }
            return (isWide ? "err 0" : "", Style(.dim))
        }
        if isNarrow {
            // One figure beside the rate: what is fenced, where anything is.
            if nodes.contains(where: { $0.fencedBuckets > 0 }) { slot(trouble) } else { figures.append(latency) }
            return figures
        }
        slot(trouble)
        slot { node in
            guard let limit = node.rateLimit else { return ("", Style(.dim)) }
            let away = limit.turnedAway > 0 ? " -" + Formats.count(Double(limit.turnedAway)) : ""
            return ("max " + Formats.rate(limit.ordersPerSecond) + away, Style(away.isEmpty ? .dim : .warn))
        }
        figures.append(latency)
        if isWide {
            figures.append([Span(Formats.padded(node.memoryBytes.map { Formats.bytes($0) } ?? "", 7), Style(.dim))])
        }
        if canvas.width >= 84 { slot { ($0.address, Style(.dim)) } }
        return figures
    }

    /// A line across that names what stands under it.
    func drawTagHead(_ y: Int, _ title: String = "hottest tags", on canvas: inout Canvas) {
        canvas.rule(y, title)
        guard canvas.width >= 36 else { return }
        var heads = " orders node  slot"
        if let width = skusWidth(canvas) { heads += "  " + "SKUs".padded(to: width) }
        let x = canvas.width - heads.count - 1
        // Over the rule, never over its title.
        if x >= SafeText.width(title) + 3 { canvas.put(x, y, " " + heads, Style(.dim)) }
    }

    /// Cells for the SKUs of a tag, where there is room for any.
    private func skusWidth(_ canvas: Canvas) -> Int? {
        canvas.width >= 40 ? max(9, min(32, canvas.width - 46)) : nil
    }

    func drawTag(_ tag: WarRoomSnapshot.Tag, peak: Double, _ y: Int, on canvas: inout Canvas) {
        let isNarrow = canvas.width < 36
        let longest = shown.hottestTags.map { SafeText.width(SafeText.fitted($0.tag, width: 12)) }.max() ?? 0
        let start = min(isNarrow ? 7 : canvas.width >= 70 ? 14 : 8, max(4, longest + 2))
        canvas.label(0, y, width: start - 1, tag.tag, Style(.text))
        var figures: [[Span]] = [[Span(Formats.padded(Formats.rate(tag.ordersPerSecond), 7), Style(.title))]]
        if tag.fenced {
            figures.append(
                isNarrow
                    ? [Span("FENCED", Style(.onFill, on: .warn, .bold))]
                    : [Span(" FENCED ", Style(.onFill, on: .warn, .bold)), Span(" ", Style(.dim))])
        } else {
            figures.append([Span(tag.node.map { "n\($0 + 1)" } ?? "n?", Style(.dim))])
            if !isNarrow { figures.append([Span(Formats.padded("\(tag.slot)", 5), Style(.dim))]) }
        }
        if let width = skusWidth(canvas) {
            // As many as fit whole: half a SKU is another SKU.
            var listed = ""
            for sku in tag.skus {
                let next = SafeText.fitted(sku, width: width, ellipsis: canvas.glyphs.ellipsis)
                let longer = listed.isEmpty ? next : listed + " " + next
                if SafeText.width(longer) > width { break }
                listed = longer
            }
            figures.append([Span(listed.padded(to: width), Style(.dim))])
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
        canvas.heatLegend(
            0, canvas.height - 1, width: min(24, canvas.width - high.count - 4), low: "0", high: high)
    }
}
