import Telemetry
import TerminalUI

extension Model {
    mutating func click(_ event: MouseEvent) -> [Effect] {
        guard !isTooSmall else { return [] }
        if !dialogs.isEmpty {
            // A click neither confirms nor closes a question; the wheel reads on, and a theme may be pointed at.
            switch event.action {
            case .wheelUp: return readOn(.up)
            case .wheelDown: return readOn(.down)
            case .press: return pointAtTheme(event)
            case .doubleClick:
                if case .themes = dialogs.last, themeRow(event) != nil { return perform(.confirm) }
                return []
            case .release: return []
            }
        }
        if palette != nil { return clickPalette(event) }
        if event.action == .press, let wanted = tab(event) { return wanted == screen ? [] : show(wanted) }
        switch event.action {
        case .wheelUp, .wheelDown:
            let intent = Intent.move(event.action == .wheelUp ? .up : .down)
            if screen == .overview {
                guard let panel = Layout(self).panel(x: event.x, y: event.y) else { return [] }
                focus = panel
            }
            if showsDetail { return [] }
            return (0..<3).flatMap { _ in perform(intent) }
        case .press, .doubleClick: break
        case .release: return []
        }
        let layout = Layout(self)
        if screen == .overview {
            guard let panel = layout.panel(x: event.x, y: event.y) else { return [] }
            focus = panel
            guard panel == .stock, let rect = layout.panels[.stock] else {
                return event.action == .doubleClick ? perform(.open) : []
            }
            return click(stockHits(rect), event, width: rect.width)
        }
        guard layout.body.contains(x: event.x, y: event.y) else { return [] }
        if screen == .stock { return click(stockHits(layout.body), event, width: layout.body.width) }
        if screen == .heat {
            return pickSlot(event, in: layout.body) && event.action == .doubleClick ? perform(.open) : []
        }
        guard let row = rowHits(layout.body)?.row(x: event.x, y: event.y) else { return [] }
        positions[screen.slot, default: ListPosition()].cursor = row
        return event.action == .doubleClick ? perform(.open) : []
    }

    private mutating func click(_ hits: TableHits, _ event: MouseEvent, width: Int) -> [Effect] {
        if let head = hits.head(x: event.x, y: event.y) {
            guard event.action == .press, let column = StockColumn.all(self, width: width)[head].sort else { return [] }
            list.choose(column)
            rearrange()
        } else if let row = hits.row(x: event.x, y: event.y) {
            list.moveCursor(to: row, shown.skus)
            if event.action == .doubleClick { return perform(.open) }
        }
        return []
    }

    private mutating func readOn(_ motion: Intent.Motion) -> [Effect] {
        switch dialogs.last {
        case .help, .plan, .settling, .results, .themes, .alerts, .closing: perform(.move(motion))
        default: []
        }
    }

    // MARK: Lists in dialogs

    /// Which theme a place in the chooser names.
    private func themeRow(_ event: MouseEvent) -> Int? {
        guard case .themes(let choice) = dialogs.last else { return nil }
        let places = themePlaces(choice, width: dialogArea.width, height: dialogArea.height)
        let (x, y) = (event.x - dialogArea.x, event.y - dialogArea.y)
        guard places.rows.contains(x: x, y: y) else { return nil }
        let row = places.first + y - places.rows.y
        return choice.names.indices.contains(row) ? row : nil
    }

    private mutating func pointAtTheme(_ event: MouseEvent) -> [Effect] {
        guard let row = themeRow(event), case .themes(var choice) = dialogs.last else { return [] }
        guard row != choice.index else { return [] }
        (choice.index, choice.problem) = (row, nil)
        dialogs[dialogs.count - 1] = .themes(choice)
        return [.previewTheme(choice.name)]
    }

    /// A click chooses a line of the palette, a second one does it: as Enter does, an act still asks.
    private mutating func clickPalette(_ event: MouseEvent) -> [Effect] {
        switch event.action {
        case .wheelUp: choose(-1)
        case .wheelDown: choose(1)
        case .release: break
        case .press, .doubleClick:
            let rows = inside(
                palettePlace(width: dialogArea.width, height: dialogArea.height, offers: offers.count))
            let (x, y) = (event.x - dialogArea.x, event.y - dialogArea.y)
            let row = y - rows.y - paletteTop
            guard rows.contains(x: x, y: y), offers.indices.contains(row) else { return [] }
            let isChosen = palette?.chosen == row
            palette?.chosen = row
            if isChosen || event.action == .doubleClick { return runPalette() }
        }
        return []
    }

    /// The screen whose name stands at a place of the line below.
    private func tab(_ event: MouseEvent) -> ScreenID? {
        guard let bar = Layout(self).foldBar, bar.contains(x: event.x, y: event.y) else { return nil }
        let places = screen == .overview ? foldPlaces(width: bar.width) : tabPlaces(width: bar.width)
        return places.first { $0.x..<($0.x + $0.width) ~= event.x - bar.x }?.screen
    }
}
