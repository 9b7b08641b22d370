import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Whether the books agree: by kind over time, the plan of repairs, who would lose, and every finding.
    @discardableResult
    func drawDriftScreen(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let drift = shown.drift
        let age =
            drift.cutAgeSeconds.map { "cut " + canvas.age($0) } ?? "no cut yet"
        var frame: Role?
        let isLost = (drift.lostOrders ?? 0) > 0
        if drift.oversoldUnits > 0 || isLost { frame = .bad } else if drift.units > 0 { frame = .warn }
        var trailing: [[Span]] = []
        if isComparing { trailing = [[Span("comparing", Style(.accent, attributes: .bold))]] }
        let panel = screenPanel(
            details: [count(drift.units, "unit"), age, count(drift.cuts, "bucket") + " compared"], trailing: trailing,
            frame: frame, glyphs: canvas.glyphs)
        let inside = canvas.panel(rect, panel).inset(1, 0)
        var hits = TableHits()
        canvas.within(inside) { canvas in
            if isSmall && canvas.height < 14 {
                hits = drawSmallDrift(drift, on: &canvas)
                return
            }
            let findings = drift.findings.count
            let bottom = max(findings == 0 ? 2 : 4, min(findings + 2, canvas.height * 2 / 5))
            // Where every kind has its line, what is left is a graph over the whole width.
            let kinds = DriftKind.allCases.count + 5
            let isTall = canvas.width >= 90 && canvas.height - bottom >= kinds + 4
            let parts =
                isTall
                ? canvas.bounds.rows([.fixed(kinds), .fixed(bottom), .share(1)])
                : canvas.bounds.rows([.share(1), .fixed(bottom)])
            if isTall { canvas.within(parts[2]) { drawComparisons(from: 0, rowsMax: .max, on: &$0) } }
            if canvas.width >= 90 {
                let sides = parts[0].columns([.share(11), .share(9)], gap: 3)
                canvas.within(sides[0]) { drawKinds(drift, on: &$0) }
                canvas.within(sides[1]) { drawPlanAndLosers(on: &$0) }
            } else {
                let rows = parts[0].rows([.share(1), .fixed(max(3, parts[0].height * 2 / 5))])
                canvas.within(rows[0]) { drawKinds(drift, on: &$0) }
                canvas.within(rows[1]) { drawPlanAndLosers(on: &$0) }
            }
            hits = canvas.within(parts[1]) { drawFindings(drift, on: &$0) }
        }
        return hits
    }

    /// Few rows: the verdict with its kinds, then the findings, or the plan where there are none.
    private func drawSmallDrift(_ drift: WarRoomSnapshot.Drift, on canvas: inout Canvas) -> TableHits {
        let hasFindings = !drift.findings.isEmpty
        let kinds = drift.byKind.count { $0.value != 0 }
        let loud = (drift.oversoldUnits > 0 ? 1 : 0) + ((drift.lostOrders ?? 0) > 0 ? 1 : 0) + (drift.units > 0 ? 1 : 0)
        let wanted = max(2, loud + kinds)
        let parts = canvas.bounds.rows([.fixed(min(wanted, canvas.height / 2 + 1)), .share(1)])
        canvas.within(parts[0]) { _ = drawVerdict(drift, on: &$0) }
        guard hasFindings else {
            canvas.within(parts[1]) { drawPlanAndLosers(on: &$0) }
            return TableHits()
        }
        return canvas.within(parts[1]) { drawFindings(drift, on: &$0) }
    }

    // MARK: Kinds over time

    private func drawKinds(_ drift: WarRoomSnapshot.Drift, on canvas: inout Canvas) {
        var y = drawVerdict(drift, showsKinds: false, on: &canvas)
        let points = shown.series.drift
        guard y + 1 < canvas.height else { return }
        canvas.rule(y, "units by kind", note: points.isEmpty ? "" : "last \(count(points.count, "comparison"))")
        y += 1
        let room = canvas.height - y
        let kinds = DriftKind.allCases
        // What differs, or did, comes first; then the others, so that their absence is seen.
        var peaks: [DriftKind: Int64] = [:]
        for point in points {
            for (kind, units) in point.byKind { peaks[kind] = max(peaks[kind] ?? 0, units) }
        }
        for (kind, units) in drift.byKind { peaks[kind] = max(peaks[kind] ?? 0, units) }
        func rank(_ kind: DriftKind) -> Int {
            (drift.byKind[kind] ?? 0) != 0 ? 0 : (peaks[kind] ?? 0) != 0 ? 1 : 2
        }
        let order = kinds.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(
            \.element)
        let isDouble = room < order.count && canvas.width >= 76
        for (index, kind) in order.enumerated() {
            let line = isDouble ? index % room : index
            let column = isDouble ? index / room : 0
            guard line < room, column < 2 else { continue }
            let width = isDouble ? (canvas.width - 3) / 2 : canvas.width
            let isLast = !isDouble && line == room - 1 && index < order.count - 1
            if isLast {
                canvas.put(0, y + line, "and \(order.count - index) kinds more, all 0", Style(.faint))
                return
            }
            canvas.within(Rect(x: column * (width + 3), y: y + line, width: width, height: 1)) { canvas in
                drawKind(kind, drift.byKind[kind] ?? 0, peak: peaks[kind] ?? 0, points, on: &canvas)
            }
        }
    }

    private func drawKind(
        _ kind: DriftKind, _ units: Int64, peak: Int64, _ points: [WarRoomSnapshot.DriftPoint], on canvas: inout Canvas
    ) {
        let isBad = units != 0 && kind.countsAsDrift
        let style = isBad ? Style(.warn, attributes: .bold) : units != 0 ? Style(.text) : Style(.faint)
        canvas.label(0, 0, width: 21, kind.words, peak > 0 || units != 0 ? Style(.text) : Style(.faint))
        let figure = Formats.count(Double(units))
        canvas.putRight(0, 0, width: 29, [Span(figure, style)])
        let graph = canvas.width - 32
        // Where each has room: some with and some without would look like a difference between them.
        if peak == 0, canvas.width >= 77 {
            canvas.put(31, 0, kind.meaning, Style(units != 0 ? .dim : .faint))
        }
        guard graph >= 8, peak > 0 else { return }
        let note = "peak " + Formats.count(Double(peak))
        let width = graph - note.count - 2
        if width >= 8 { canvas.putRight(0, 0, width: canvas.width, [Span(note, Style(.dim))]) }
        let values = points.map { Double($0.byKind[kind] ?? 0) }
        canvas.sparkline(
            31, 0, width: width >= 8 ? width : graph, values, maximum: Double(peak),
            .solid(kind.countsAsDrift ? .warn : .accent))
    }

    // MARK: Plan

    /// Whether somebody would lose, by the last look.
    var hasLosers: Bool {
        guard case .losers(let losers)? = sights[.losers] else { return false }
        return losers.losersCount > 0 || !losers.takenIn.isEmpty
    }

    private func drawPlanAndLosers(on canvas: inout Canvas) {
        canvas.rule(0, "plan of repairs", note: lastPlan == nil ? "" : "\(wholeSeconds(now - lastPlanAt)) s ago")
        var y = 1
        func line(_ text: String, _ style: Style, _ bullet: String = "", _ role: Role = .accent) {
            for (index, part) in canvas.wrapped(text, width: canvas.width - 2, lines: 3).enumerated()
            where y < canvas.height {
                if index == 0 { canvas.put(0, y, bullet, Style(.role(role))) }
                canvas.put(2, y, part, style)
                y += 1
            }
        }
        if isComparing {
            line("comparing Redis with SQL, bucket by bucket…", Style(.text))
        } else if let plan = lastPlan {
            line(plan.sentence, Style(plan.repairs > 0 ? .warn : .good, attributes: .bold))
            let room = max(1, canvas.height - y - 4)
            for text in plan.lines.prefix(room) { line(text, Style(.text), canvas.glyphs.bullet) }
            if plan.lines.count > room { line("and \(plan.lines.count - room) lines more: a shows all", Style(.dim)) }
            if plan.repairs > 0 && !permissions.isReadOnly {
                line("a shows the plan; there y applies it", Style(.dim))
            }
        } else if canvas.height >= 6 || !hasLosers {
            line(
                "R is a dry run: it compares every ledger, reads only, and plans what would mend a difference",
                Style(.dim))
        }
        guard y + 1 < canvas.height, case .losers(let losers)? = sights[.losers] else { return }
        canvas.rule(y, "who would lose", note: losers.policy.isEmpty ? "" : losers.policy)
        y += 1
        if losers.losersCount == 0 && losers.takenIn.isEmpty {
            line("nobody: no order is beyond capacity", Style(.good), canvas.glyphs.calm, .good)
            return
        }
        line(
            "\(count(losers.losersCount, "order")) would lose, \(losers.takenIn.count) would be taken in: "
                + (permissions.isReadOnly
                    ? "sellout reconcile --settle-oversold does it" : "O shows all, y there does it"),
            Style(.bad, attributes: .bold))
        for text in losers.losers { line(text, Style(.text), canvas.glyphs.bullet) }
        for text in losers.takenIn { line(text + ": is taken in", Style(.good), canvas.glyphs.bullet) }
    }

    // MARK: Findings

    private func drawFindings(_ drift: WarRoomSnapshot.Drift, on canvas: inout Canvas) -> TableHits {
        canvas.rule(
            0, "findings of the last comparison",
            note: drift.unread > 0 ? "\(count(drift.unread, "bucket")) not readable" : "")
        var position = position(.drift)
        let body = Rect(y: 1, width: canvas.width, height: canvas.height - 1)
        guard !drift.findings.isEmpty else {
            canvas.label(
                2, 1, width: canvas.width - 2,
                drift.cutAgeSeconds == nil ? "nothing has been compared yet" : "none: every bucket agrees to the unit",
                Style(.dim))
            return TableHits()
        }
        position.settle(count: drift.findings.count, visible: body.height)
        var hits = TableHits()
        hits.body = body
        hits.firstRow = position.offset
        hits.rowCount = min(body.height, drift.findings.count - position.offset)
        for line in 0..<hits.rowCount {
            let row = position.offset + line
            let isHere = row == position.cursor
            if isHere {
                canvas.fill(Rect(x: 0, y: 1 + line, width: canvas.width, height: 1), .selection)
                canvas.put(0, 1 + line, canvas.glyphs.cursor, Style(.focusBorder, attributes: .bold))
            }
            canvas.label(
                2, 1 + line, width: canvas.width - (drift.findings.count > body.height ? 4 : 2),
                canvas.own(drift.findings[row]),
                isHere ? Style(.selectionText, attributes: .bold) : Style(.text))
        }
        canvas.scrollbar(
            canvas.width - 1, 1, height: body.height, offset: position.offset, visible: body.height,
            total: drift.findings.count)
        hits.body.x += canvas.origin.x
        hits.body.y += canvas.origin.y
        return hits
    }
}
