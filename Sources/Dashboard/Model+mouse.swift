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
        let layout = Layout(self)
        guard let panel = layout.panel(x: event.x, y: event.y) else { return [] }
        switch event.action {
        case .press, .doubleClick:
            focus = panel
            guard panel == .stock && !showsDetail, let rect = layout.panels[.stock] else { return [] }
            let hits = stockHits(rect)
            if let head = hits.head(x: event.x, y: event.y) {
                guard event.action == .press, let column = StockColumn.all(self, width: rect.width)[head].sort else {
                    return []
                }
                list.choose(column)
                rearrange()
            } else if let row = hits.row(x: event.x, y: event.y) {
                list.moveCursor(to: row, shown.skus)
                if event.action == .doubleClick { return perform(.open) }
            }
        case .wheelUp, .wheelDown:
            focus = panel
            let intent = Intent.move(event.action == .wheelUp ? .up : .down)
            return (0..<3).flatMap { _ in perform(intent) }
        case .release: break
        }
        return []
    }

    private mutating func readOn(_ motion: Intent.Motion) -> [Effect] {
        switch dialogs.last {
        case .help, .plan, .themes: perform(.move(motion))
        default: []
        }
    }
}
