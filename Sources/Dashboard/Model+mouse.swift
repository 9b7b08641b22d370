import Telemetry
import TerminalUI

extension Model {
    mutating func click(_ event: MouseEvent) -> [Effect] {
        guard !isTooSmall else { return [] }
        if !dialogs.isEmpty {
            // A click neither confirms nor closes a question; the wheel reads on.
            switch event.action {
            case .wheelUp: return readOn(.up)
            case .wheelDown: return readOn(.down)
            default: return []
            }
        }
        if palette != nil { return [] }
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
        case .help, .plan, .results, .themes: perform(.move(motion))
        default: []
        }
    }
}
