import Telemetry
import TerminalUI

/// A column of the stock table.
struct StockColumn {
    enum Kind { case sku, name, left, sold, gauge, percent, rate, end, history, place, state }

    var kind: Kind
    /// By what a click on its head sorts.
    var sort: SortColumn?
    var table: TableColumn

    /// What tells a SKU's rows apart beside the SKU: its name, or of somebody else's keys the tag, or the key where there is none.
    private static func nameTitle(_ model: Model) -> String {
        guard model.shown.foreign != nil else { return "name" }
        return model.shown.skus.first.map { $0.tag != $0.sku } ?? true ? "tag" : "key"
    }

    /// The columns for a panel of this outer width; the table leaves out what does not fit.
    static func all(_ model: Model, width: Int) -> [StockColumn] {
        let inner = model.isSmall ? width : width - 2
        // SKU and name share a column.
        let isNarrow = inner < 52
        let isRoomy = inner >= 92
        let isVast = inner >= 112
        // A large screen tells what a small one leaves to be worked out.
        let isHuge = inner >= 150
        let isGiant = inner >= 200
        let history = isGiant ? 60 : isHuge ? 30 : isVast ? 24 : isRoomy ? 20 : 7
        let gauge = isHuge ? 20 : isVast ? 12 : isRoomy ? 10 : 6
        let number = isRoomy ? 9 : 6
        let hasOversold = model.shown.drift.oversoldUnits > 0
        let list = model.list
        func sorted(_ column: SortColumn) -> TableColumn.Sort? {
            list.sort != column ? nil : list.isDescending ? .descending : .ascending
        }
        let skuMax = isHuge ? StockList.skuWidthMax : isRoomy ? 18 : 14
        var columns = [
            StockColumn(
                kind: .sku, sort: .sku,
                table: TableColumn(
                    "SKU", width: isNarrow ? min(11, max(8, list.skuWidth)) : min(skuMax, list.skuWidth),
                    stretch: isNarrow ? 1 : 0, sort: sorted(.sku))),
            StockColumn(
                kind: .name, sort: .name,
                table: TableColumn(
                    nameTitle(model), width: 12, stretch: 1, sort: sorted(.name))),
            StockColumn(
                kind: .left, sort: .left, table: TableColumn("left", width: number, .right, sort: sorted(.left))),
            StockColumn(
                kind: .sold, sort: .sold,
                table: TableColumn("sold", width: number, .right, sort: sorted(.sold), expendability: 5)),
            StockColumn(
                kind: .gauge, sort: .share,
                table: TableColumn(
                    "sold %", width: gauge, stretch: isHuge ? 1 : 0, sort: sorted(.share), expendability: 4)),
            StockColumn(
                kind: .percent, sort: .share, table: TableColumn("", width: 5, .right, expendability: isRoomy ? 6 : 9)),
            StockColumn(
                kind: .rate, sort: .rate, table: TableColumn("/s", width: 5, .right, sort: sorted(.rate))),
            StockColumn(kind: .end, sort: nil, table: TableColumn("gone in", width: 8, .right, expendability: 8)),
            StockColumn(
                kind: .history, sort: nil, table: TableColumn("60 s", width: history, expendability: 3)),
            StockColumn(
                kind: .place, sort: nil,
                table: TableColumn(model.shown.foreign == nil ? "tag and node" : "node", width: 16, expendability: 7)),
            StockColumn(
                kind: .state, sort: .state,
                table: TableColumn(
                    " state", width: hasOversold ? isNarrow ? 10 : 16 : 9, sort: sorted(.state))),
        ]
        if isNarrow { columns.removeAll { $0.kind == .name } }
        if !isHuge { columns.removeAll { $0.kind == .end || $0.kind == .place } }
        return columns
    }
}

extension Model {
    func drawStock(_ rect: Rect, on canvas: inout Canvas) {
        drawStockTable(rect, on: &canvas)
    }

    /// Where the table's heads and rows stand, for a click.
    func stockHits(_ rect: Rect) -> TableHits {
        var canvas = blankCanvas
        return drawStockTable(rect, on: &canvas)
    }

    @discardableResult
    private func drawStockTable(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let snapshot = shown
        let glyphs = canvas.glyphs
        let arrow = list.isDescending ? glyphs.descending : glyphs.ascending
        let isFiltered = !list.filter.isEmpty
        let total = count(snapshot.skus.count, "SKU")
        var details = [
            isFiltered ? "\(Formats.grouped(list.order.count)) of \(total)" : total,
            "by \(list.sort.title) \(arrow)",
        ]
        if isFiltered && !isEditingFilter { details.append("/" + list.filter.text) }
        var trailing: [[Span]] = []
        if !list.marks.isEmpty {
            trailing.append([Span(" \(Formats.grouped(list.marks.count)) marked ", Style(.onFill, on: .accent, .bold))])
        }
        if let bound = list.bound, let index = list.cursorIndex, snapshot.skus[index].number == bound,
            list.order.count > self.inside(rect).height - 1
        {
            trailing.append([Span("row \(Formats.grouped(list.cursorRow + 1))", Style(.dim))])
        }
        if let need = snapshot.needs(.stock, .search) { trailing.append([Span(need, Style(.dim))]) }
        let focused = isFocused(.stock)
        let panel = Panel(
            "stock", details: details, trailing: trailing, number: 1, hints: hints(.stock, glyphs), isFocused: focused)
        var inside = canvas.panel(rect, panel)
        if isEditingFilter {
            drawFilterLine(Rect(x: inside.x, y: inside.y, width: inside.width, height: 1), on: &canvas)
            inside = Rect(x: inside.x, y: inside.y + 1, width: inside.width, height: inside.height - 1)
        }
        let columns = StockColumn.all(self, width: rect.width)
        var position = ListPosition()
        (position.cursor, position.offset) = (list.cursorRow, list.offset)
        let table = Table(
            columns: columns.map(\.table), rowCount: list.order.count, position: position, isFocused: focused,
            emptyText: emptyText(snapshot))
        let order = list.order
        let skus = snapshot.skus
        let hasNames = columns.contains { $0.kind == .name }
        let hits = canvas.table(inside, table) { row, column in
            cell(columns[column], skus[Int(order[row])], glyphs, isNarrow: !hasNames)
        }
        if !list.marks.isEmpty {
            for line in 0..<hits.rowCount where list.marks.contains(skus[Int(order[hits.firstRow + line])].number) {
                canvas.put(hits.body.x + 1, hits.body.y + line, glyphs.mark, Style(.accent, attributes: .bold))
            }
        }
        canvas.scrollbar(
            rect.right - 1, hits.body.y, height: hits.body.height, offset: hits.firstRow, visible: hits.body.height,
            total: order.count)
        return hits
    }

    /// The filter as it is typed; what is wrong with it, and where, at its right. The rows are those of the last good one.
    private func drawFilterLine(_ rect: Rect, on canvas: inout Canvas) {
        let problem = filterProblem
        let remark = problem.map { canvas.own($0.message) } ?? ""
        let width =
            problem == nil ? rect.width - 4 : max(16, min(rect.width - 4, rect.width - SafeText.width(remark) - 7))
        canvas.put(rect.x + 1, rect.y, "/ ", Style(.hot, attributes: .bold))
        canvas.field(rect.x + 3, rect.y, width: width, filterField, isFocused: true)
        guard let problem else { return }
        if problem.offset < width {
            canvas.restyle(Rect(x: rect.x + 3 + problem.offset, y: rect.y, width: 1, height: 1)) { style in
                Style(.onFill, on: .bad, .bold)
            }
        }
        let room = rect.width - width - 5
        canvas.label(rect.x + 4 + width, rect.y, width: room, remark, Style(.bad, attributes: .bold))
    }

    private func emptyText(_ snapshot: WarRoomSnapshot) -> String {
        if case .starting = snapshot.phase { return "the stock shows here once Redis serves" }
        return snapshot.skus.isEmpty ? "no SKU is on sale" : "no SKU matches the filter; Esc shows all"
    }

    private func cell(
        _ column: StockColumn, _ sku: WarRoomSnapshot.SKU, _ glyphs: Glyphs, isNarrow: Bool
    ) -> TableCell {
        let state = sku.state
        let width = column.table.width
        switch column.kind {
        case .sku:
            // A name that is the SKU once more tells nothing.
            return .text(
                isNarrow && sku.name != sku.sku ? "\(sku.sku) \(sku.name)" : sku.sku, Style(isNarrow ? .text : .dim))
        case .name:
            let name = sku.isForeign && sku.tag != sku.sku ? sku.tag : sku.name
            return .text(name, Style(state == .soldOut ? .dim : .text))
        case .left:
            guard let stock = sku.stock else { return .text("?", Style(.warn, attributes: .bold)) }
            let style: Style =
                switch state {
                case .low: Style(.warn, attributes: .bold)
                case .soldOut: Style(.dim)
                default: Style(.title)
                }
            return .text(units(stock, width: width), style)
        case .sold: return .text(units(sku.taken, width: width), Style(.dim))
        case .gauge: return .gauge(sku.soldShare, gradient: state.gauge)
        case .percent: return .text(Formats.percent(sku.soldShare), Style(.dim))
        case .rate:
            let style = sku.unitsPerSecond > 0 ? Style(.title, attributes: .bold) : Style(.faint)
            return .text(perSecond(sku.unitsPerSecond), style)
        case .end:
            let end = sku.secondsToSellOut.map { Formats.duration(seconds: $0) } ?? ""
            return .text(end, state == .hot ? Style(.hot) : Style(.dim))
        case .place:
            let tag = sku.isForeign ? "" : SafeText.fitted(sku.tag, width: 10) + "  "
            return .text(tag + (sku.node.map { "n\($0 + 1)" } ?? "n?"), Style(.dim))
        case .history:
            let slots = glyphs.ladder == .braille ? width * 2 : width
            let values = stretched(minute(sku.history, slots: slots), to: slots)
            return .sparkline(
                values, maximum: Self.ceiling(values),
                gradient: state == .soldOut ? .solid(.faint) : .between(.accent, .second))
        case .state:
            // A cell at either side, which the filled words need to read well.
            let isShort = column.table.width < 16
            if case .oversold = state, isShort {
                return .text(column.table.width < 10 ? " OVERSOLD" : " OVERSOLD ", state.style)
            }
            return .text(" " + state.word + (state.isFilled ? " " : ""), state.style)
        }
    }

    /// What fills the height of a row's history: its largest value, or less where a few stand far above all others. The rush at an
    /// opening would else flatten a whole minute to its lowest dots.
    static func ceiling(_ values: [Double]) -> Double? {
        let sold = values.filter { $0 > 0 }.sorted()
        guard sold.count >= 8, let peak = sold.last else { return nil }
        let usual = sold[(sold.count - 1) * 85 / 100]
        return peak > usual * 2 ? usual * 1.5 : nil
    }

    /// A minute of history folded into so many values; what is not known yet counts as nothing.
    func minute(_ history: [Float], slots: Int) -> [Double] {
        let missing = max(0, 60 - history.count)
        let full = Array(repeating: 0.0, count: missing) + history.suffix(60).map(Double.init)
        return Series.folded(full, to: slots)
    }
}
