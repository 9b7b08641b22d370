import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Every alert that holds, worst first, and since when.
    func drawAlerts(_ scroll: Int, _ dialog: DialogState, on canvas: inout Canvas) {
        let glyphs = canvas.glyphs
        let alerts = shown.alerts
        let width = canvas.dialogWidth(100)
        let room = canvas.dialogRows
        var lines: [[Span]] = []
        for alert in alerts.dropFirst(min(scroll, max(0, alerts.count - 1))) {
            let since = alert.sinceMilliseconds.map { timeOfDay($0, offset: utcOffsetSeconds) } ?? ""
            let parts = canvas.wrapped(alert.text, width: max(10, width - 12), lines: 3)
            for (index, part) in parts.enumerated() {
                lines.append([
                    Span(index == 0 ? alert.severity.glyph(glyphs) + " " : "  ", alert.severity.text.bold),
                    Span(
                        (index == 0 ? since : "")
                            + String(repeating: " ", count: max(0, 10 - (index == 0 ? since.count : 0))),
                        Style(.dim)),
                    Span(part, alert.severity.text),
                ])
            }
        }
        if lines.isEmpty {
            lines = [[Span(glyphs.calm + " ", Style(.good)), Span("no alert holds: all is well", Style(.text))]]
        }
        let shownLines = lines.prefix(room)
        let tone: Role =
            switch alerts.first?.severity {
            case .bad?: .bad
            case .warning?: .warn
            default: .good
            }
        let panel = Panel(
            "alerts", details: [alerts.isEmpty ? "" : "\(count(alerts.count, "alert")), and since when"],
            hints: dialogHints(dialog, glyphs), isFocused: true, frame: tone)
        canvas.sheet(panel, width: width, lines: shownLines.count) { canvas in
            for (index, line) in shownLines.enumerated() { canvas.put(0, index, line) }
        }
    }
}
