import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// The strip that answers "is the sale healthy?" at one glance.
    func drawHeader(_ rect: Rect, _ form: Layout.Header, on canvas: inout Canvas) {
        if form == .strip { return drawStrip(rect, on: &canvas) }
        let snapshot = shown
        var panel = Panel("sellout")
        let name = SafeText.fitted(snapshot.saleName, width: max(8, rect.width / 4), ellipsis: canvas.glyphs.ellipsis)
        panel.title = [
            [Span("sellout", Style(.accent, attributes: .bold))],
            [Span(name, Style(.title, attributes: .bold))],
            [stateBadge(snapshot)],
        ]
        if let badge = openingBadge(snapshot) { panel.title.append([badge]) }
        panel.trailing = [
            [Span(snapshot.topology, Style(.dim))],
            [Span(snapshot.foreign == nil ? snapshot.durability.rawValue : "no SQL", Style(.dim))],
        ]
        if permissions.isProduction { panel.title.insert([Span(" PROD ", Style(.onFill, on: .bad, .bold))], at: 1) }
        if permissions.isReadOnly { panel.trailing.append([Span(" READ-ONLY ", Style(.onFill, on: .frozen, .bold))]) }
        if let screenState { panel.trailing.append([screenState]) }
        switch snapshot.alerts.first?.severity {
        case .bad?: panel.frame = .bad
        case .warning?: panel.frame = .warn
        default: break
        }
        if permissions.isProduction { panel.frame = .bad }
        let inside = canvas.panel(rect, panel)
        canvas.fill(inside, .strip)
        drawAddresses(rect, snapshot, on: &canvas)
        canvas.within(inside) { canvas in
            switch form {
            case .tiles: drawTiles(snapshot, on: &canvas)
            case .line, .strip: drawFigures(snapshot, on: &canvas)
            }
            let y = canvas.height - 1
            canvas.within(Rect(x: 1, y: y, width: canvas.width - 2, height: 1)) { canvas in
                drawAlert(snapshot, on: &canvas)
            }
        }
    }

    // MARK: Borders

    func stateBadge(_ snapshot: WarRoomSnapshot, showsClock: Bool = true) -> Span {
        if case .starting = snapshot.phase { return Span(" STARTING ", Style(.onFill, on: .accent, .bold)) }
        // Whether somebody else's sale is open, no key says.
        if snapshot.foreign != nil { return Span(" WATCHED ", Style(.onFill, on: .accent, .bold)) }
        let clock = snapshot.openSeconds.map { " " + Formats.clock(seconds: $0) } ?? ""
        let role: Role =
            switch snapshot.saleState {
            case .warmed: .accent
            case .open: .good
            case .halted: .warn
            case .closed: .frozen
            }
        let time = snapshot.saleState == .warmed || !showsClock ? "" : clock
        return Span(" \(snapshot.saleState.rawValue.uppercased())\(time) ", Style(.onFill, on: .role(role), .bold))
    }

    /// What the screen itself is doing: never a word that could mean the sale.
    var screenState: Span? {
        if let seconds = heldSeconds {
            return Span(" SCREEN HELD \(wholeSeconds(seconds))s ", Style(.onFill, on: .warn, .bold))
        }
        if case .stale(let seconds) = snapshot.phase {
            return Span(" STALE \(wholeSeconds(seconds))s ", Style(.onFill, on: .bad, .bold))
        }
        if case .starting = snapshot.phase { return nil }
        return Span("LIVE", Style(.good, attributes: .bold))
    }

    /// Both addresses, in the bottom border: where another program finds this sale.
    private func drawAddresses(_ rect: Rect, _ snapshot: WarRoomSnapshot, on canvas: inout Canvas) {
        let addresses = [snapshot.redisURL, snapshot.ordersURL].filter { !$0.isEmpty }
        var x = rect.x + 2
        let limit = rect.right - 2
        for (index, address) in addresses.enumerated() {
            let room = limit - x - 2 - (index == 0 && addresses.count > 1 ? 20 : 0)
            guard room > 8 else { return }
            // The end of a path tells more than its beginning.
            let text = SafeText.width(address) <= room ? address : tail(address, width: room, canvas.glyphs)
            x = canvas.put(x, rect.bottom - 1, " " + text + " ", Style(.dim)) + 1
        }
    }

    private func tail(_ text: String, width: Int, _ glyphs: Glyphs) -> String {
        let visible = SafeText.visible(String(text.prefix(2_000)))
        var kept = ""
        var used = 1
        for character in visible.reversed() {
            let size = SafeText.width(String(character))
            if used + size > width { break }
            kept.insert(character, at: kept.startIndex)
            used += size
        }
        return String(glyphs.ellipsis) + kept
    }

    // MARK: The worst alert, or what to do next

    /// Cells that news beside the next step may take.
    private static let noteMax = 200

    func drawAlert(_ snapshot: WarRoomSnapshot, on canvas: inout Canvas) {
        let glyphs = canvas.glyphs
        if case .starting(let what) = snapshot.phase {
            let frames = glyphs.isUnicode ? ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"] : ["|", "/", "-", "\\"]
            let frame = frames[wholeSeconds(now * 8) % frames.count]
            canvas.put(0, 0, frame, Style(.accent, attributes: .bold))
            canvas.label(2, 0, width: canvas.width - 2, canvas.own(what), Style(.text))
            return
        }
        if case .stale(let seconds) = snapshot.phase, snapshot.alerts.isEmpty {
            let text = "no answer for \(canvas.own(Formats.duration(seconds: seconds))): what you see is that old"
            canvas.fit(
                0, 0, width: canvas.width,
                [Span(glyphs.down + " ", Style(.bad, attributes: .bold)), Span(text, Style(.bad, attributes: .bold))])
            return
        }
        if let alert = snapshot.alerts.first, alert.severity >= .warning {
            let total = snapshot.alerts.count
            let isTight = SafeText.width(SafeText.fitted(alert.text, width: canvas.width)) + 24 > canvas.width
            let tally = total < 2 || canvas.width < 34 ? "" : isTight ? "1 of \(total)" : "first of \(total) alerts"
            let room = canvas.width - (tally.isEmpty ? 0 : tally.count + 2)
            canvas.put(0, 0, alert.severity.glyph(glyphs), alert.severity.text.bold)
            canvas.label(2, 0, width: room - 2, canvas.own(alert.text), alert.severity.text.bold)
            canvas.label(canvas.width - tally.count, 0, width: tally.count, tally, Style(.dim))
            return
        }
        var next = nextStep(snapshot, glyphs, isNarrow: false)
        func width() -> Int { next.reduce(0) { $0 + SafeText.width($1.text) } }
        if width() > canvas.width { next = nextStep(snapshot, glyphs, isNarrow: true) }
        canvas.fit(0, 0, width: canvas.width, next)
        if let note = snapshot.alerts.first, snapshot.saleState != .closed {
            // What is no more than news stands beside how things go, whole or as far as its first part.
            let used = width()
            let room = canvas.width - used - 4
            if room >= 20 {
                let whole = SafeText.fitted(note.text, width: Self.noteMax, ellipsis: glyphs.ellipsis)
                let short = whole.split(separator: ", ", maxSplits: 1).first.map(String.init) ?? whole
                let text = SafeText.fitted(
                    SafeText.width(whole) <= room ? whole : short, width: room, ellipsis: glyphs.ellipsis)
                canvas.putRight(used + 3, 0, width: canvas.width - used - 3, [Span(canvas.own(text), Style(.dim))])
            }
        }
    }

    /// With no alert, the line says how things stand and which key comes next.
    private func nextStep(_ snapshot: WarRoomSnapshot, _ glyphs: Glyphs, isNarrow: Bool) -> [Span] {
        if let foreign = snapshot.foreign { return standing(foreign, snapshot, glyphs) }
        let calm = Span(glyphs.calm + " ", Style(.good))
        func text(_ words: String) -> Span { Span(words, Style(.text)) }
        func key(_ name: String) -> Span { Span(name, Style(.hot, attributes: .bold)) }
        let buyers = snapshot.orders.buyersPerSecond
        let canOpen = !permissions.isReadOnly
        if snapshot.opening != nil, snapshot.saleState != .open {
            let how = isNarrow ? ": " : ", on GO, while this process lives: "
            return [calm, text("opens by itself in \(countdown)" + how), key("X"), text(" takes it back")]
        }
        switch snapshot.saleState {
        case .warmed where canOpen && permissions.canOpenWithBuyers:
            return [
                calm, text(isNarrow ? "warmed: press " : "warmed, nobody is buying: press "), key("F"),
                text(" to open the sale"),
            ]
        case .warmed where canOpen: return [calm, text("warmed: "), key("F"), text(" lets orders in")]
        case .warmed: return [calm, text("warmed: no order is let in yet")]
        case .open where buyers == 0 && canOpen && permissions.canOpenWithBuyers:
            if isNarrow { return [calm, text("open, nobody buys: "), key("F"), text(" sends buyers")] }
            return [
                calm, text("open, nobody is buying: press "), key("F"), text(" to send buyers, "), key("X"),
                text(" to halt"),
            ]
        case .open:
            let rate =
                buyers.map { $0.isFinite ? " from \(perSecond($0)) buyers/s" : " from buyers at full speed" }
                ?? ""
            // What comes in is said only where it does.
            if snapshot.orders.acceptedPerSecond < 0.5 {
                let isSoldOut = !snapshot.skus.isEmpty && snapshot.skus.allSatisfy { $0.stock == 0 }
                return [
                    calm,
                    text(
                        isSoldOut
                            ? isNarrow ? "sold out; no alert" : "sold out: open, and nothing is left to buy; no alert"
                            : isNarrow
                                ? "open: no order comes in; no alert" : "open: no order is coming in\(rate), no alert"),
                ]
            }
            return [calm, text(isNarrow ? "healthy: no alert" : "healthy: orders come in\(rate), no alert")]
        case .halted:
            if isNarrow && canOpen {
                return [
                    Span(glyphs.alert + " ", Style(.warn, attributes: .bold)), text("halted; "), key("F"),
                    text(" opens it, "), key("E"), text(" ends it"),
                ]
            }
            return [Span(glyphs.alert + " ", Style(.warn, attributes: .bold)), text("halted: no order is taken")]
                + (canOpen
                    ? [text("; "), key("F"), text(" opens it again, "), key("E"), text(" ends it for good")] : [])
        case .closed:
            return [calm, text(isNarrow ? "closed for good" : "closed for good: no order is taken")]
                + (canOpen ? [text("; "), key("E"), text(" prints its books")] : [])
        }
    }
}
