import Telemetry
public import TerminalUI

/// Draws a screen. Costs what is in sight, not what is on sale.
public func view(_ model: Model) -> Canvas {
    var canvas = model.blankCanvas
    model.draw(on: &canvas)
    return canvas
}

extension Model {
    /// Draws all of it.
    func draw(on canvas: inout Canvas) {
        if isTooSmall { return drawTooSmall(on: &canvas) }
        let layout = Layout(self)
        if screen == .overview {
            for panel in PanelID.allCases {
                guard let rect = layout.panels[panel] else { continue }
                switch panel {
                case .stock: drawStock(rect, on: &canvas)
                case .ledger: drawLedger(rect, on: &canvas)
                case .heat: drawHeat(rect, on: &canvas)
                case .drift: drawDrift(rect, on: &canvas)
                case .events: drawEvents(rect, on: &canvas)
                }
            }
            if let bar = layout.foldBar { drawFoldBar(bar, on: &canvas) }
        } else {
            drawScreen(layout.body, on: &canvas)
            if let bar = layout.foldBar { drawTabs(bar, on: &canvas) }
        }
        if let line = layout.keyLine, palette == nil, dialogs.isEmpty {
            canvas.footer(line, panelHints(canvas.glyphs))
        }
        let isBehind = palette != nil || dialogs.last.map { if case .themes = $0 { false } else { true } } ?? false
        if isBehind { canvas.recede() }
        // What the sale is, and what is wrong with it, never steps back.
        drawHeader(layout.header, layout.headerForm, on: &canvas)
        if palette != nil { canvas.within(dialogArea) { drawPalette(on: &$0) } }
        if let top = dialogs.last { canvas.within(dialogArea) { drawDialog(top, on: &$0) } }
        if layout.headerForm == .strip {
            drawSmallFooter(layout, on: &canvas)
        } else {
            drawFooter(layout.footer, on: &canvas)
        }
    }

    /// Whether a panel's border says that keys go to it.
    func isFocused(_ panel: PanelID) -> Bool {
        dialogs.isEmpty && palette == nil && (screen == .overview ? focus == panel : screen == panel.screen)
    }

    /// The screen that fills the terminal.
    func drawScreen(_ rect: Rect, on canvas: inout Canvas) {
        if shown.foreign != nil {
            switch screen {
            case .drift: return drawNoSQL(rect, Self.noSQL, on: &canvas)
            case .orders: return drawNoSQL(rect, "no SQL: there are no orders to show", on: &canvas)
            case .audit:
                return drawNoSQL(rect, "no SQL: nothing is done here, and nothing is written down", on: &canvas)
            case .ledger:
                drawForeignLedger(shown.foreign!, rect, on: &canvas)
                return
            default: break
            }
        }
        switch screen {
        case .overview: break
        case .stock: drawStock(rect, on: &canvas)
        case .sku: drawDetail(rect, on: &canvas)
        case .ledger: drawLedgerScreen(rect, on: &canvas)
        case .heat: drawHeatScreen(rect, on: &canvas)
        case .drift: drawDriftScreen(rect, on: &canvas)
        case .events: drawEvents(rect, on: &canvas)
        case .nodes: drawNodesScreen(rect, on: &canvas)
        case .orders: drawOrdersScreen(rect, on: &canvas)
        case .audit: drawAuditScreen(rect, on: &canvas)
        }
    }

    /// The frame of a screen: its name, what it tells first, its own keys.
    func screenPanel(
        _ title: String? = nil, details: [String] = [], trailing: [[Span]] = [], frame: Role? = nil, glyphs: Glyphs
    ) -> Panel {
        Panel(
            title ?? screen.title, details: details, trailing: trailing, number: screen.number,
            hints: hints(screen.context, glyphs), isFocused: dialogs.isEmpty && palette == nil, frame: frame)
    }

    /// The keys of a panel, for its bottom border.
    func hints(_ context: KeyContext, _ glyphs: Glyphs) -> [Hint] { keys.hints(in: context, glyphs: glyphs) }

    /// The keys of what has the focus.
    func panelHints(_ glyphs: Glyphs) -> [Hint] {
        if isEditingFilter { return hints(.filter, glyphs) }
        if findField != nil { return hints(.find, glyphs) }
        return hints(screen == .overview ? focus.context : screen.context, glyphs)
    }

    func drawTooSmall(on canvas: inout Canvas) {
        let (rows, columns) = (canvas.rows, canvas.columns)
        let sign = canvas.glyphs.isUnicode ? "×" : "x"
        let lines = SafeText.wrapped(
            "sellout needs \(Self.columnsMin)\(sign)\(Self.rowsMin); this terminal is \(columns)\(sign)\(rows)",
            width: max(1, columns))
        let isShort = rows < lines.count + 1
        for (index, line) in lines.enumerated() {
            let y = isShort ? index : (rows - lines.count) / 2 + index
            canvas.label(0, y, width: columns, line, Style(.warn, attributes: .bold), .centre)
        }
        if !isShort && rows >= lines.count + 3 {
            canvas.label(
                0, (rows + lines.count) / 2 + 1, width: columns, "make it larger, or press q", Style(.dim), .centre)
        }
    }

    // MARK: Fold bar

    /// A screen's name on the line below, and where it stands there.
    struct TabPlace {
        var screen: ScreenID
        var x: Int
        var width: Int
        var text: String
        var role: Role
    }

    /// The folded panels, as many as fit.
    func foldPlaces(width: Int) -> [TabPlace] {
        let shownPanels = Layout(self).panels
        var places: [TabPlace] = []
        var x = 1
        for panel in PanelID.allCases where shownPanels[panel] == nil {
            let (text, role) = summary(panel)
            let size = SafeText.width(capabilities.glyphs.superscript(panel.rawValue) + panel.title + " " + text)
            if x + size > width { break }
            places.append(TabPlace(screen: panel.screen, x: x, width: size, text: " " + text, role: role))
            x += size + 3
        }
        return places
    }

    /// A line with what the folded panels would tell first.
    func drawFoldBar(_ rect: Rect, on canvas: inout Canvas) {
        canvas.within(rect) { canvas in
            for place in foldPlaces(width: canvas.width) { draw(place, isHere: false, on: &canvas) }
        }
    }

    private func draw(_ place: TabPlace, isHere: Bool, on canvas: inout Canvas) {
        let name = isHere ? Style(.accent, attributes: [.bold, .underline]) : Style(.dim)
        let isLoud = place.role == .bad || place.role == .warn
        canvas.put(
            place.x, 0,
            [
                Span(canvas.glyphs.superscript(place.screen.number ?? 0), Style(.hot)), Span(place.screen.title, name),
                Span(place.text, Style(.role(place.role), attributes: isLoud ? .bold : [])),
            ])
    }

    /// Every screen by its digit, with what it would tell first.
    func tabPlaces(width: Int) -> [TabPlace] {
        let told = ScreenID.numbered.map(summary)
        // All figures; else first those that are wrong, then as many of the others as fit.
        let order = told.indices.sorted { (told[$0].1.isLoud ? 0 : 1, $0) < (told[$1].1.isLoud ? 0 : 1, $1) }
        let digit = SafeText.width(capabilities.glyphs.superscript(1))
        let bare = ScreenID.numbered.reduce(0) { $0 + digit + $1.title.count }
        let gaps = ScreenID.numbered.count - 1
        let wanted = told.reduce(0) { $0 + ($1.0.isEmpty ? 0 : 1 + SafeText.width($1.0)) }
        let isRoomy = 2 + bare + wanted + gaps * 2 <= width
        var left = width - 2 - bare - gaps * (isRoomy ? 2 : 1)
        var marks = [String](repeating: "", count: told.count)
        for index in order where !told[index].0.isEmpty && (isRoomy || told[index].1.isLoud) {
            let text = " " + told[index].0
            if SafeText.width(text) <= left {
                marks[index] = text
                left -= SafeText.width(text)
            }
        }
        let used = zip(ScreenID.numbered, marks).reduce(0) { $0 + digit + $1.0.title.count + SafeText.width($1.1) }
        let gap = max(1, min(3, (width - 2 - used) / max(1, gaps)))
        var places: [TabPlace] = []
        var x = 1
        for (index, other) in ScreenID.numbered.enumerated() {
            let size = digit + SafeText.width(other.title + marks[index])
            if x + size > width { break }
            places.append(TabPlace(screen: other, x: x, width: size, text: marks[index], role: told[index].1))
            x += size + gap
        }
        return places
    }

    /// Every screen by its digit; the one that is open stands out.
    func drawTabs(_ rect: Rect, on canvas: inout Canvas) {
        let here = stack.last { $0.number != nil }
        canvas.within(rect) { canvas in
            for place in tabPlaces(width: canvas.width) { draw(place, isHere: place.screen == here, on: &canvas) }
        }
    }

    private func summary(_ panel: PanelID) -> (String, Role) { summary(panel.screen) }

    private func summary(_ screen: ScreenID) -> (String, Role) {
        let snapshot = shown
        if snapshot.foreign != nil, screen == .drift || screen == .orders { return ("no SQL", .dim) }
        if let foreign = snapshot.foreign, screen == .ledger, foreign.ledgerKeys == nil { return ("none", .dim) }
        switch screen {
        case .overview, .sku: return ("", .text)
        case .stock: return (count(snapshot.skus.count, "SKU"), .text)
        case .ledger:
            let waits = snapshot.ledger.deadLetters
            return waits > 0
                ? (count(waits, "dead letter"), .bad) : (Formats.count(Double(snapshot.ledger.entries)), .text)
        case .heat:
            let hottest = snapshot.hottestTags.first?.ordersPerSecond ?? 0
            return (hottest > 0 ? Formats.rate(hottest) : "cold", .text)
        case .drift:
            let units = snapshot.drift.units
            return (units == 0 ? "0" : Formats.count(Double(units)) + " units", units == 0 ? .good : .warn)
        case .events:
            let worst = snapshot.events.suffix(20).map(\.severity).max() ?? .info
            return ("\(snapshot.events.count)", worst == .info ? .text : worst.role)
        case .nodes:
            let down = snapshot.nodes.count { !$0.isUp }
            return down > 0 ? ("\(down) DOWN", .bad) : ("\(snapshot.nodes.count) up", .good)
        case .orders: return (Formats.count(Double(snapshot.ledger.persisted)), .text)
        case .audit: return ("", .text)
        }
    }

    // MARK: Footer

    /// The keys that work everywhere and stand in no panel's border.
    func screenHints(_ glyphs: Glyphs) -> [Hint] {
        // Rows' own keys stand in the stock panel's border.
        let rowKeys = ["/", "s", "z", "+", "⏎", "Enter", "Esc", "Space"]
        return hints(.screen, glyphs).filter { !rowKeys.contains($0.key) }
    }

    /// The keys that work everywhere, or what was just said; the brake is always in sight.
    func drawFooter(_ rect: Rect, on canvas: inout Canvas) {
        let glyphs = canvas.glyphs
        var hints = screenHints(glyphs)
        let kept = ["X", "?", "q"]
        if let notice = currentNotice {
            hints.removeAll { !kept.contains($0.key) }
            let width = hints.reduce(0) { $0 + $1.width + 2 }
            let room = rect.width - width - 6
            canvas.put(rect.x + 1, rect.y, notice.severity.glyph(glyphs), notice.severity.text.bold)
            canvas.label(rect.x + 3, rect.y, width: room, canvas.own(notice.text), notice.severity.text)
            canvas.footer(Rect(x: rect.right - width - 1, y: rect.y, width: width + 1, height: 1), hints)
            return
        }
        if isNameFocused {
            hints = []
        } else if !dialogs.isEmpty {
            hints.removeAll { $0.key != "X" }
        } else if palette != nil {
            hints = self.hints(.palette, glyphs)
        } else if isEditingFilter {
            hints = self.hints(.filter, glyphs)
        } else if findField != nil {
            hints = self.hints(.find, glyphs)
        }
        // The least needed go first; the brake, the help and the way out stay.
        let droppable = ["p", "C", "R", ":", "F"]
        var width = hints.reduce(1) { $0 + $1.width + 2 }
        for key in droppable where width > rect.width {
            if let index = hints.firstIndex(where: { $0.key == key }) { width -= hints.remove(at: index).width + 2 }
        }
        canvas.footer(rect, hints)
        if permissions.isReadOnly {
            canvas.putRight(
                rect.x + width, rect.y, width: rect.width - width - 1,
                [Span("read-only: keys that act are not bound", Style(.dim))])
        }
    }
}

extension Hint {
    var width: Int { spans.reduce(0) { $0 + SafeText.width($1.text) } }
}

extension Role {
    /// Whether it says that something is wrong.
    fileprivate var isLoud: Bool { self == .bad || self == .warn }
}
