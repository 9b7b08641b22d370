import Inventory
import Telemetry
import TerminalUI

/// The dialogs that close a sale, and its books.
extension Model {
    func closeSheet(_ expires: Bool) -> Sheet {
        let name = SafeText.fitted(snapshot.saleName, width: 40)
        let open = snapshot.counts.reserved
        var sheet = Sheet(title: "close for good", tone: .bad)
        sheet.width = 66
        if snapshot.saleState == .closed {
            sheet.title = "books"
            sheet.tone = .accent
            sheet.text = [
                Span("\(name) is closed. This drains what is left, compares, and prints its books.", Style(.text))
            ]
        } else {
            sheet.text = [
                Span(
                    "Closes \(name) for good: no order is taken any more, by anybody. It cannot be opened again.",
                    Style(.bad, attributes: .bold)),
                Span("Then it drains what is on its way, compares both stores, and prints the books.", Style(.text)),
            ]
        }
        if open > 0 {
            sheet.text.append(
                Span(
                    expires
                        ? "\(count(open, "reservation")) are open: they END NOW, unpaid; their units go back."
                        : "\(count(open, "reservation")) are open: each waits for its payment or its deadline.",
                    Style(expires ? .warn : .text, attributes: .bold)))
            sheet.text.append(Span(expires ? "Tab lets them wait" : "Tab ends them now", Style(.dim)))
        } else {
            sheet.text.append(Span("No reservation is open.", Style(.dim)))
        }
        return sheet
    }

    /// The steps as they come, then the books.
    func drawClosing(_ scroll: Int, _ dialog: DialogState, on canvas: inout Canvas) {
        guard let report = closing else { return }
        let glyphs = canvas.glyphs
        let width = min(84, canvas.width - 8)
        var lines: [[Span]] = []
        for step in ClosingReport.Step.allCases {
            let title = step.title + String(repeating: " ", count: max(1, 31 - step.title.count))
            let progress = report.progress(step)
            let (glyph, role, words, isLoud): (String, Role, String, Bool) =
                switch progress {
                case .waiting: (glyphs.bullet, .dim, "waiting", false)
                case .working(let words): (glyphs.cursor, .accent, words, false)
                // The dialog's own name says what was done.
                case .done(let words):
                    (glyphs.calm, .good, words.replacing("the sale is closed for good: ", with: ""), false)
                case .bad(let words): (glyphs.down, .bad, words, true)
                }
            // What went wrong may need more than a line.
            let parts = canvas.wrapped(words, width: max(10, width - 33), lines: isLoud ? 3 : 2)
            for (index, part) in parts.enumerated() {
                lines.append([
                    Span(index == 0 ? glyph + " " : "  ", Style(.role(role), attributes: isLoud ? .bold : [])),
                    Span(
                        index == 0 ? title : String(repeating: " ", count: 31),
                        progress == .waiting ? Style(.dim) : Style(.text)),
                    Span(part, isLoud ? Style(.bad) : Style(.dim)),
                ])
            }
        }
        if let books = report.books {
            lines.append([])
            lines += bookLines(books)
            lines.append([])
            lines.append([
                Span(
                    report.isClean ? " BOOKS CLOSED " : " LOOK AT IT ",
                    Style(.onFill, on: report.isClean ? .good : .bad, .bold)),
                Span(
                    report.isClean
                        ? "  every unit is accounted for" : "  something is left for a person; E goes through it again",
                    Style(.text)),
            ])
        }
        let room = max(1, canvas.height - 5)
        let first = min(scroll, max(0, lines.count - room))
        let rect = canvas.bounds.centred(width: width + 6, height: min(lines.count, room) + 4)
        let tone: Role = !report.isOver ? .accent : report.isClean ? .good : .bad
        let panel = Panel(
            report.books == nil ? "closing" : "the books of \(SafeText.fitted(report.saleName, width: 30))",
            hints: dialogHints(dialog, glyphs), isFocused: true, frame: tone)
        canvas.overlay(rect, panel) { canvas in
            for (index, line) in lines.dropFirst(first).prefix(room).enumerated() { canvas.put(2, index + 1, line) }
        }
    }

    private func bookLines(_ books: SaleBooks) -> [[Span]] {
        func row(_ label: String, _ value: String, _ more: String = "", _ style: Style = Style(.title)) -> [Span] {
            [
                Span("  " + label + String(repeating: " ", count: max(1, 22 - label.count)), Style(.text)),
                Span(String(repeating: " ", count: max(0, 12 - value.count)) + value, style),
                Span("  " + more, Style(.dim)),
            ]
        }
        func judged(_ number: Int64) -> Style {
            number == 0 ? Style(.good, attributes: .bold) : Style(.bad, attributes: .bold)
        }
        var rows = [
            row("allocated", Formats.grouped(books.allocated), "units"),
            row("sold", Formats.grouped(books.sold), count(books.soldOrders, "order")),
            row(
                "reserved", Formats.grouped(books.reserved), count(books.reservedOrders, "open reservation"),
                judged(books.reserved)),
            row(
                "stock", books.stock.map { Formats.grouped($0) } ?? "?",
                books.stock == nil
                    ? "a bucket does not answer"
                    : "orders: \(Formats.grouped(books.cancelledOrders)) cancelled, \(Formats.grouped(books.expiredOrders)) expired"
            ),
        ]
        if let missing = books.missingUnits, missing != 0 {
            rows.append(row("nobody has", Formats.grouped(missing), "units", judged(missing)))
        }
        rows += [
            row("drift", Formats.grouped(books.driftUnits), "units", judged(books.driftUnits)),
            row("oversold", Formats.grouped(books.oversoldUnits), "units", judged(books.oversoldUnits)),
            row(
                "lost", books.lostOrders.map { Formats.grouped($0) } ?? "-",
                books.lostOrders == nil ? "only the buyers could know" : "orders", judged(books.lostOrders ?? 0)),
            row(
                "refunds", Formats.grouped(books.refundsPending),
                "to be paid, \(Formats.grouped(books.refundsSettled)) paid",
                books.refundsPending == 0 ? Style(.title) : Style(.warn, attributes: .bold)),
        ]
        if books.deadLetters > 0 {
            rows.append(
                row("dead letters", Formats.grouped(books.deadLetters), "for a person", judged(books.deadLetters)))
        }
        return rows
    }
}
