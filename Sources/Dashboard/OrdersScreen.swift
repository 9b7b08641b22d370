import Inventory
import Telemetry
import TerminalUI

extension OrderKind {
    func count(_ counts: WarRoomSnapshot.OrderCounts) -> Int64 {
        switch self {
        case .reserved: counts.reserved
        case .sold: counts.sold
        case .cancelled: counts.cancelled
        case .expired: counts.expired
        case .void: counts.void
        case .overCapacity: counts.overCapacity
        case .partial: counts.partial
        }
    }
}

extension Model {
    /// The newest orders, of one state or of all, and one that was asked for by its id.
    @discardableResult
    func drawOrdersScreen(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        var details = [
            Formats.grouped(shown.ledger.persisted) + " in SQL", orderKind.map { "only " + $0.words } ?? "newest first",
        ]
        if let found = foundOrder { details.append("/" + SafeText.fitted(found.id, width: 36)) }
        let panel = screenPanel(details: details, glyphs: canvas.glyphs)
        let inside = canvas.panel(rect, panel)
        var hits = TableHits()
        canvas.within(inside) { canvas in
            var y = drawCounts(on: &canvas)
            if let field = findField {
                canvas.put(1, y, "/ ", Style(.hot, attributes: .bold))
                canvas.field(3, y, width: canvas.width - 4, field, isFocused: true)
                y += 1
            }
            if let found = foundOrder, case .order(nil)? = sights[.order(found.id)] {
                canvas.label(
                    1, y, width: canvas.width - 2, "SQL has no order \(found.id)", Style(.warn, attributes: .bold))
                y += 1
            }
            let orders = listedOrders
            let full = canvas.height - y >= 14 ? min(6, 3 + (orderUnderCursor?.lines.count ?? 0)) : 0
            let parts = Rect(y: y, width: canvas.width, height: canvas.height - y).rows([.share(1), .fixed(full)])
            hits = drawOrderTable(orders, parts[0], on: &canvas)
            if full > 0 { canvas.within(parts[1].inset(1, 0)) { drawOrderInFull(on: &$0) } }
        }
        return hits
    }

    /// How many orders stand how, the kind that is listed in brackets.
    /// - Returns: the next free line.
    private func drawCounts(on canvas: inout Canvas) -> Int {
        var (x, y) = (1, 0)
        let counts = shown.counts
        let all = OrderKind.allCases.reduce(Int64(0)) { $0 + $1.count(counts) }
        func figure(_ number: Int64) -> String {
            canvas.width >= 130 ? Formats.grouped(number) : Formats.count(Double(number))
        }
        // As much air as keeps them on one line; where none does, two lines with all of it.
        let least = OrderKind.allCases.reduce(6 + figure(all).count) {
            $0 + $1.words.count + figure($1.count(counts)).count + 3
        }
        let chips = OrderKind.allCases.count
        let air = (0...2).last { least + $0 * chips <= canvas.width - 2 } ?? 2
        func chip(_ title: String, _ number: Int64, _ isChosen: Bool, _ style: Style) {
            let figure = figure(number)
            let size = title.count + figure.count + 3
            if x + size > canvas.width - 1 {
                x = 1
                y += 1
            }
            let mark = isChosen ? ("[", "]") : (" ", " ")
            x = canvas.put(
                x, y,
                [
                    Span(mark.0, Style(.accent, attributes: .bold)),
                    Span(title + " ", isChosen ? Style(.accent, attributes: .bold) : Style(.dim)),
                    Span(figure, number > 0 ? style : Style(.faint)),
                    Span(mark.1 + String(repeating: " ", count: air), Style(.accent, attributes: .bold)),
                ])
        }
        chip("all", all, orderKind == nil, Style(.title))
        // Where they would take the list's room, only those that there are.
        for kind in OrderKind.allCases where !isSmall || kind.count(counts) > 0 || orderKind == kind {
            chip(kind.words, kind.count(counts), orderKind == kind, kind.style.bold)
        }
        return y + 1
    }

    private func drawOrderTable(_ orders: [OrderSight], _ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let isNarrow = rect.width < 60
        let columns = [
            TableColumn("made", width: 8, expendability: isNarrow ? 4 : 0),
            TableColumn("order", width: rect.width >= 110 ? 36 : isNarrow ? 9 : 14),
            TableColumn("state", width: isNarrow ? 9 : 13), TableColumn("units", width: 5, .right, expendability: 1),
            TableColumn("lines", width: isNarrow ? 12 : 16, stretch: 1),
            TableColumn("bucket and entry", width: 16, expendability: 3),
            TableColumn("reserved until", width: 14, expendability: 2),
        ]
        let table = Table(
            columns: columns, rowCount: orders.count, position: position(.orders), isFocused: dialogs.isEmpty,
            emptyText: sights[.orders(orderKind)] == nil
                ? "looking…" : waitingText(.orders(orderKind), "no such order yet"))
        return canvas.placedTable(rect, table) { row, column in
            let order = orders[row]
            switch column {
            case 0: return .text(timeOfDay(order.atMilliseconds, offset: utcOffsetSeconds), Style(.dim))
            case 1:
                let flow = isNarrow ? String(order.flow.suffix(9)) : shortFlow(order.flow, isWhole: rect.width >= 110)
                return .text(flow, Style(.text))
            case 2: return .text(order.kind.words, order.kind.style)
            case 3: return .text(units(order.units, width: 5), Style(.title))
            case 4: return .text(lines(order, isNamed: rect.width >= 150), Style(.text))
            case 5: return .text(order.entry, Style(.dim))
            default:
                let deadline = order.kind == .reserved ? order.deadlineMilliseconds : nil
                return .text(deadline.map { timeOfDay($0, offset: utcOffsetSeconds) } ?? "", Style(.dim))
            }
        }
    }

    /// The whole id where there is room; else its end, which tells more than its beginning: that is the time.
    func shortFlow(_ flow: String, isWhole: Bool) -> String {
        isWhole ? flow : (capabilities.glyphs.isUnicode ? "…" : "~") + flow.suffix(12)
    }

    private func waitingText(_ look: Look, _ otherwise: String) -> String {
        if case .failed(let why)? = sights[look] { return why }
        return otherwise
    }

    private func lines(_ order: OrderSight, isNamed: Bool) -> String {
        order.lines.map { line in
            let name = isNamed ? sku(line.sku).map { " " + $0.name } ?? "" : ""
            return "\(line.units) × \(line.name)\(name)"
        }.joined(separator: ", ")
    }

    private func drawOrderInFull(on canvas: inout Canvas) {
        guard let order = orderUnderCursor else { return }
        canvas.rule(0, order.flow, note: order.kind.words)
        let deadline =
            order.deadlineMilliseconds.map { ", reserved until " + timeOfDay($0, offset: utcOffsetSeconds) } ?? ""
        canvas.label(
            0, 1, width: canvas.width,
            "made \(timeOfDay(order.atMilliseconds, offset: utcOffsetSeconds)), bucket and entry \(order.entry)\(deadline)",
            Style(.dim))
        for (index, line) in order.lines.enumerated() where 2 + index < canvas.height {
            let name = sku(line.sku).map { "\($0.sku)  \($0.name)" } ?? line.name
            canvas.put(
                2, 2 + index,
                [
                    Span(Formats.padded("\(line.units)", 6), Style(.title, attributes: .bold)),
                    Span("  " + name, Style(.text)),
                ])
        }
    }
}
