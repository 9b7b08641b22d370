import Telemetry
import TerminalUI

extension Model {
    /// Who did what, to what, before and after; newest first.
    @discardableResult
    func drawAuditScreen(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let rows = auditRows
        let refused = rows.count { $0.isRefused }
        let panel = screenPanel(
            details: [
                rows.isEmpty ? "" : "newest \(Formats.grouped(rows.count))", refused > 0 ? "\(refused) refused" : "",
            ],
            glyphs: canvas.glyphs)
        let inside = canvas.panel(rect, panel)
        let isNarrow = rect.width < 60
        let columns = [
            TableColumn("when", width: 8, expendability: isNarrow ? 1 : 0),
            TableColumn("who", width: 10, expendability: 3),
            TableColumn("act", width: rect.width >= 100 ? 18 : isNarrow ? 8 : 10),
            TableColumn("to", width: isNarrow ? 8 : rect.width >= 110 ? 25 : 10, stretch: 1),
            TableColumn("before", width: 16, stretch: 1, expendability: 2),
            TableColumn("after", width: isNarrow ? 12 : 18, stretch: 2),
            TableColumn("from", width: 16, expendability: 4),
        ]
        var hits = TableHits()
        canvas.within(inside) { canvas in
            let hasFull = canvas.height >= 12 && !rows.isEmpty
            let parts = canvas.bounds.rows([.share(1), .fixed(hasFull ? 4 : 0)])
            let failed: String? = if case .failed(let why)? = sights[.audit] { why } else { nil }
            let table = Table(
                columns: columns, rowCount: rows.count, position: position(.audit), isFocused: dialogs.isEmpty,
                emptyText: sights[.audit] == nil ? "looking…" : failed ?? "nobody has acted yet")
            hits = canvas.placedTable(parts[0], table) { row, column in
                let act = rows[row]
                let style = act.isRefused ? Style(.bad) : Style(.text)
                switch column {
                case 0: return .text(timeOfDay(act.atMilliseconds, offset: utcOffsetSeconds), Style(.dim))
                case 1: return .text(act.who, Style(.text))
                case 2: return .text(act.what, Style(.title, attributes: .bold))
                case 3: return .text(act.subject, Style(.text))
                case 4: return .text(act.before, Style(.dim))
                case 5: return .text(act.after, style)
                default: return .text(act.origin, Style(.dim))
                }
            }
            let row = position(.audit).cursor
            guard hasFull, rows.indices.contains(row) else { return }
            let act = rows[row]
            canvas.within(parts[1].inset(1, 0)) { canvas in
                canvas.rule(0, "\(act.who) \(act.what) \(act.subject)", note: act.origin)
                let text = (act.before.isEmpty ? "" : canvas.own(act.before + " → ")) + act.after
                for (line, part) in canvas.wrapped(text, width: canvas.width, lines: 3).enumerated() {
                    canvas.put(0, 1 + line, part, act.isRefused ? Style(.bad) : Style(.text))
                }
            }
        }
        return hits
    }

    /// Where the rows of the open screen's list stand, for a click.
    func rowHits(_ rect: Rect) -> TableHits? {
        var canvas = blankCanvas
        switch screen {
        case .ledger:
            if let foreign = shown.foreign { return drawForeignLedger(foreign, rect, on: &canvas) }
            return drawLedgerScreen(rect, on: &canvas)
        case .drift: return drawDriftScreen(rect, on: &canvas)
        case .nodes: return drawNodesScreen(rect, on: &canvas)
        case .orders: return drawOrdersScreen(rect, on: &canvas)
        case .audit: return drawAuditScreen(rect, on: &canvas)
        default: return nil
        }
    }
}
