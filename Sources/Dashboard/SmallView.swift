import Inventory
import Telemetry
import TerminalUI

// The lines above and below on a terminal too small for boxes, down to 40 by 10 cells.

extension Model {
    /// State, what is wrong, then what goes well as far as there is room. With two lines the second tells the worst alert, or what
    /// comes next; with one the alert stands where the figures would.
    func drawStrip(_ rect: Rect, on canvas: inout Canvas) {
        let snapshot = shown
        canvas.fill(rect, .strip)
        canvas.within(rect) { canvas in
            let isSingle = canvas.height == 1
            let alert = snapshot.alerts.first { $0.severity >= .warning }
            var x = 0
            func badge(_ span: Span?) {
                guard let span, x + SafeText.width(span.text) <= canvas.width else { return }
                x = canvas.put(x, 0, [span]) + 1
            }
            if permissions.isProduction { badge(Span(" PROD ", Style(.onFill, on: .bad, .bold))) }
            let loud = loudFigures(snapshot)
            badge(stateBadge(snapshot, showsClock: canvas.width >= 56 || loud.isEmpty && !(isSingle && alert != nil)))
            for figure in loud { badge(figure) }
            if let screenState, screenState.text != "LIVE" {
                let isLong = x + SafeText.width(screenState.text) > canvas.width
                badge(isLong ? Span(screenState.text.replacing(" SCREEN", with: ""), screenState.style) : screenState)
            }
            badge(openingBadge(snapshot))
            if permissions.isReadOnly, snapshot.foreign == nil || canvas.width >= 50 {
                badge(Span(" READ-ONLY ", Style(.onFill, on: .frozen, .bold)))
            }
            let room = canvas.width - x
            if isSingle, alert != nil || snapshot.phase.isStarting {
                if room >= 14 {
                    canvas.within(Rect(x: x, y: 0, width: room, height: 1)) { drawAlert(snapshot, on: &$0) }
                }
            } else {
                drawCalmFigures(snapshot, x, on: &canvas)
            }
            if !isSingle {
                canvas.within(Rect(x: 1, y: 1, width: canvas.width - 2, height: 1)) { drawAlert(snapshot, on: &$0) }
            }
        }
    }

    /// What shouts, worst first.
    private func loudFigures(_ snapshot: WarRoomSnapshot) -> [Span] {
        let drift = snapshot.drift
        func shout(_ word: String, _ number: Int64, _ role: Role) -> Span? {
            guard number > 0 else { return nil }
            return Span(" \(word) \(Formats.count(Double(number))) ", Style(.onFill, on: .role(role), .bold))
        }
        let below = snapshot.foreign == nil ? "OVERSOLD" : "BELOW 0"
        return [
            shout(below, Int64(clamping: drift.oversoldUnits), .bad),
            shout("LOST", Int64(clamping: drift.lostOrders ?? 0), .bad),
            shout("DRIFT", Int64(clamping: drift.units), .warn),
        ].compactMap { $0 }
    }

    /// As many figures as fit whole, most telling first.
    private func drawCalmFigures(_ snapshot: WarRoomSnapshot, _ start: Int, on canvas: inout Canvas) {
        func figure(_ label: String, _ value: String, _ style: Style = Style(.title, attributes: .bold)) -> [Span] {
            [Span(label.isEmpty ? "" : label + " ", Style(.dim)), Span(value, style)]
        }
        let calm = Style(.good, attributes: .bold)
        var figures: [[Span]]
        if snapshot.foreign != nil {
            figures = [
                figure("seen to go", Formats.count(Double(snapshot.orders.accepted))),
                figure("SKUs", Formats.count(Double(snapshot.skus.count)), Style(.text)),
            ]
        } else {
            figures = [figure("sold", Formats.rate(snapshot.orders.acceptedPerSecond))]
            if snapshot.drift.units == 0 { figures.append(figure("drift", "0", calm)) }
            if snapshot.drift.oversoldUnits == 0 { figures.append(figure("oversold", "0", calm)) }
            if snapshot.drift.lostOrders == 0 { figures.append(figure("lost", "0", calm)) }
            figures.append(figure("accepted", Formats.count(Double(snapshot.orders.accepted)), Style(.text)))
        }
        figures.append(figure("", SafeText.fitted(snapshot.saleName, width: 24), Style(.text)))
        if snapshot.foreign == nil {
            figures.append(figure("outbox", Formats.count(Double(snapshot.ledger.backlogEntries)), Style(.text)))
            if let p99 = snapshot.orders.p99Milliseconds {
                figures.append(figure("p99", canvas.time(milliseconds: p99), Style(.text)))
            }
            figures.append([Span(snapshot.durability.rawValue, Style(.dim))])
        }
        figures.append([Span(snapshot.topology, Style(.dim))])
        var x = start + 1
        for figure in figures {
            let size = figure.reduce(0) { $0 + SafeText.width($1.text) }
            if x + size <= canvas.width { x = canvas.put(x, 0, figure) + 2 }
        }
    }

    // MARK: Footer

    /// The brake and the way out always; then what belongs to what is shown, as far as there is room.
    func drawSmallFooter(_ layout: Layout, on canvas: inout Canvas) {
        let rect = layout.footer
        let glyphs = canvas.glyphs
        if !dialogs.isEmpty || palette != nil {
            let own = dialogs.last.map { dialogHints($0, glyphs) } ?? hints(.palette, glyphs)
            let brake = isNameFocused || palette != nil ? [] : screenHints(glyphs).filter { $0.key == "X" }
            canvas.footer(rect, fitting(own + brake, first: ["y", "Esc", "X"], rect.width))
            return
        }
        let all = screenHints(glyphs)
        var own = layout.keyLine == nil ? panelHints(glyphs) : []
        if isEditingFilter || findField != nil {
            canvas.footer(rect, fitting(own.isEmpty ? panelHints(glyphs) : own, first: [], rect.width))
        } else {
            // Where a key leads out of what is shown, it is worth more than a letter that leads elsewhere.
            own.removeAll { hint in all.contains { $0.key == hint.key } }
            let lead = all.filter { ["F", "X"].contains($0.key) }
            let rest = all.filter { !["F", "X", "?", "q"].contains($0.key) }
            let out = all.filter { ["?", "q"].contains($0.key) }
            let offered = lead + own + rest + out
            canvas.footer(rect, fitting(offered, first: ["X", "?", "q", "F", "z", "+"], rect.width))
        }
        drawSmallNotice(above: layout.keyLine?.y ?? layout.footer.y, on: &canvas)
    }

    /// The hints that fit, in their order: those named first are kept longest, and are the last to lose their words.
    private func fitting(_ hints: [Hint], first: [String], _ width: Int) -> [Hint] {
        let ranked = hints.indices.sorted { left, right in
            func rank(_ index: Int) -> Int { first.firstIndex(of: hints[index].key) ?? first.count + index }
            return rank(left) < rank(right)
        }
        var kept: [Int: Hint] = [:]
        var used = 1
        func bare(_ hint: Hint) -> Hint { Hint(hint.key, "", isEnabled: hint.isEnabled) }
        func shown() -> [Hint] { hints.indices.compactMap { kept[$0] } }
        let spoken = ["?", "q"]
        for index in ranked {
            let hint = spoken.contains(hints[index].key) ? bare(hints[index]) : hints[index]
            guard used + hint.width <= width else { continue }
            kept[index] = hint
            used += hint.width + 2
        }
        // What everybody knows gets its word last.
        for index in ranked where spoken.contains(hints[index].key) {
            guard let short = kept[index] else { continue }
            guard used - 2 + hints[index].width - short.width <= width else { return shown() }
            kept[index] = hints[index]
            used += hints[index].width - short.width
        }
        return shown()
    }

    /// What was just said, on the lines above the keys: whole sentences need more than one here.
    private func drawSmallNotice(above bottom: Int, on canvas: inout Canvas) {
        guard let notice = currentNotice else { return }
        let lines = canvas.wrapped(notice.text, width: canvas.width - 4, lines: 3)
        let rect = Rect(x: 0, y: bottom - lines.count, width: canvas.width, height: lines.count)
        canvas.fill(rect, .surface)
        canvas.put(1, rect.y, notice.severity.glyph(canvas.glyphs), notice.severity.text.bold)
        for (index, line) in lines.enumerated() { canvas.put(3, rect.y + index, line, notice.severity.text) }
    }
}
