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
                Span("Then it drains what is on its way, compares both stores, and prints the books.", Style(.dim)),
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
        let lines = closingLines(report, canvas)
        let room = canvas.dialogRows
        let first = min(scroll, max(0, lines.count - room))
        let tone: Role = !report.isOver ? .accent : report.isClean ? .good : .bad
        let panel = Panel(
            report.books == nil ? "closing" : "the books of \(SafeText.fitted(report.saleName, width: 30))",
            hints: dialogHints(dialog, canvas.glyphs), isFocused: true, frame: tone)
        let width = canvas.dialogWidth(Self.closingWidth)
        let place = canvas.sheet(panel, width: width, lines: min(lines.count, room)) { canvas in
            for (index, line) in lines.dropFirst(first).prefix(room).enumerated() {
                canvas.fit(0, index, width: width, line)
            }
        }
        canvas.scrollbar(
            place.right + (isSmall ? 0 : 2), place.y, height: min(room, place.height), offset: first, visible: room,
            total: lines.count)
    }

    private static let closingWidth = 84

    /// How far the closing's lines scroll at this size.
    var closingScrollLimit: Int {
        guard let report = closing else { return 0 }
        var canvas = blankCanvas
        return canvas.within(dialogArea) { max(0, closingLines(report, $0).count - $0.dialogRows) }
    }

    private func closingLines(_ report: ClosingReport, _ canvas: Canvas) -> [[Span]] {
        let glyphs = canvas.glyphs
        let width = canvas.dialogWidth(Self.closingWidth)
        let isNarrow = canvas.isNarrowDialog
        var lines: [[Span]] = []
        for step in ClosingReport.Step.allCases {
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
            let mark = Span(glyph + " ", Style(.role(role), attributes: isLoud ? .bold : []))
            let style = progress == .waiting ? Style(.dim) : Style(.text)
            let told = isLoud ? Style(.bad) : Style(.dim)
            // What went wrong may need more than a line.
            let parts = canvas.wrapped(words, width: max(10, isNarrow ? width - 2 : width - 33), lines: isLoud ? 3 : 2)
            if isNarrow {
                lines.append([mark, Span(step.title, style)])
                if progress != .waiting { lines += parts.map { [Span("  ", told), Span($0, told)] } }
                continue
            }
            let title = step.title + String(repeating: " ", count: max(1, 31 - step.title.count))
            for (index, part) in parts.enumerated() {
                lines.append([
                    index == 0 ? mark : Span("  ", told),
                    Span(index == 0 ? title : String(repeating: " ", count: 31), style), Span(part, told),
                ])
            }
        }
        guard let books = report.books else { return lines }
        let verdict = Span(
            report.isClean ? " BOOKS CLOSED " : " LOOK AT IT ",
            Style(.onFill, on: report.isClean ? .good : .bad, .bold))
        let why =
            report.isClean ? "every unit is accounted for" : "something is left for a person; E goes through it again"
        if isNarrow {
            // What came of it first: the rest is read on.
            let words = canvas.wrapped(why, width: width, lines: 3).map { [Span($0, Style(.text))] }
            return [[verdict]] + words + bookLines(books, isNarrow: true) + [[]] + lines
        }
        return lines + [[]] + bookLines(books, isNarrow: false) + [[], [verdict, Span("  " + why, Style(.text))]]
    }

    private func bookLines(_ books: SaleBooks, isNarrow: Bool) -> [[Span]] {
        func row(_ label: String, _ value: String, _ more: String = "", _ style: Style = Style(.title)) -> [Span] {
            if isNarrow {
                let air = String(repeating: " ", count: max(1, 24 - label.count - value.count))
                return [Span(label + air, Style(.text)), Span(value, style), Span("  " + more, Style(.dim))]
            }
            return [
                Span("  " + label + String(repeating: " ", count: max(1, 18 - label.count)), Style(.text)),
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
