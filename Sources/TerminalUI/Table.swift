/// A column of a table.
public struct TableColumn: Sendable {
    /// Which way the rows are sorted by this column.
    public enum Sort: Sendable { case ascending, descending }

    public var title: String
    /// The least number of cells it needs.
    public var width: Int
    /// Its share of what the columns leave over; 0 keeps `width`.
    public var stretch: Int
    public var alignment: Canvas.Alignment
    public var sort: Sort?
    /// Columns of a higher number are left out first when the table is narrow; 0 never.
    public var expendability: Int

    public init(
        _ title: String, width: Int, stretch: Int = 0, _ alignment: Canvas.Alignment = .left, sort: Sort? = nil,
        expendability: Int = 0
    ) {
        self.title = title
        self.width = width
        self.stretch = stretch
        self.alignment = alignment
        self.sort = sort
        self.expendability = expendability
    }
}

/// What stands in one cell of a table.
public enum TableCell: Sendable {
    case text(String, Style = .plain)
    case spans([Span])
    /// History, oldest first; `maximum` nil scales each row by itself.
    case sparkline([Double], maximum: Double? = nil, gradient: Gradient = .between(.accent, .good))
    /// A share of 0...1 as a thin line.
    case gauge(Double, gradient: Gradient = .solid(.accent))
}

/// The cursor and the scroll position of a list.
public struct ListPosition: Hashable, Sendable {
    /// The row under the cursor, 0-based.
    public var cursor = 0
    /// The first row shown.
    public var offset = 0

    public init() {}

    /// Keeps the cursor within `count` rows and on the screen.
    public mutating func settle(count: Int, visible: Int) {
        cursor = min(max(0, cursor), max(0, count - 1))
        offset = min(offset, max(0, count - max(1, visible)))
        offset = max(0, min(offset, cursor))
        if cursor >= offset + visible { offset = cursor - max(1, visible) + 1 }
    }
}

/// A table to draw: only the rows in sight are asked for.
public struct Table: Sendable {
    public var columns: [TableColumn]
    public var rowCount: Int
    public var position: ListPosition
    /// Whether the row under the cursor is shown as such.
    public var showsCursor: Bool
    /// A focused table's selection is filled, another's only marked.
    public var isFocused: Bool
    /// What stands in place of rows when there are none.
    public var emptyText: String

    public init(
        columns: [TableColumn], rowCount: Int, position: ListPosition = ListPosition(), showsCursor: Bool = true,
        isFocused: Bool = false, emptyText: String = ""
    ) {
        self.columns = columns
        self.rowCount = rowCount
        self.position = position
        self.showsCursor = showsCursor
        self.isFocused = isFocused
        self.emptyText = emptyText
    }
}

/// Where a table's parts were drawn, in the coordinates it was drawn in: what a mouse click hits.
public struct TableHits: Sendable {
    /// Index of each shown column and its head's rectangle.
    public var heads: [(column: Int, rect: Rect)] = []
    /// The rows' rectangle.
    public var body = Rect(width: 0, height: 0)
    /// The row index at the body's top.
    public var firstRow = 0
    /// How many rows were drawn.
    public var rowCount = 0

    public init() {}

    /// The row drawn at a place; nil when there is none.
    public func row(x: Int, y: Int) -> Int? {
        guard body.contains(x: x, y: y), y - body.y < rowCount else { return nil }
        return firstRow + y - body.y
    }

    /// The column whose head is at a place.
    public func head(x: Int, y: Int) -> Int? { heads.first { $0.rect.contains(x: x, y: y) }?.column }
}

extension Canvas {
    /// Draws head and rows. The position is settled for the drawing; settle your own with `hits.body.height`.
    /// - Parameter cell: what stands in a row's column; asked only for rows and columns in sight.
    @discardableResult
    public mutating func table(_ rect: Rect, _ table: Table, cell: (_ row: Int, _ column: Int) -> TableCell)
        -> TableHits
    {
        var hits = TableHits()
        guard rect.height > 0 && rect.width > 2 else { return hits }
        let places = Self.columnPlaces(table.columns, width: rect.width)
        for (column, x, width) in places {
            let head = table.columns[column]
            let sorted = head.sort != nil
            let mark = head.sort.map { $0 == .ascending ? glyphs.ascending : glyphs.descending } ?? ""
            let style = Style(sorted ? .accent : .dim, attributes: sorted ? .bold : [])
            label(rect.x + x, rect.y, width: width, head.title + mark, style, head.alignment)
            hits.heads.append((column, Rect(x: rect.x + x, y: rect.y, width: width, height: 1)))
        }
        hits.body = Rect(x: rect.x, y: rect.y + 1, width: rect.width, height: rect.height - 1)
        guard table.rowCount > 0 else {
            let lines = SafeText.wrapped(table.emptyText, width: rect.width - 2)
            let top = rect.y + 1 + max(0, (rect.height - 1 - lines.count) / 2)
            for (index, line) in lines.enumerated() where top + index < rect.bottom {
                label(rect.x + 1, top + index, width: rect.width - 2, line, Style(.dim), .centre)
            }
            return hits
        }
        var position = table.position
        position.settle(count: table.rowCount, visible: hits.body.height)
        hits.firstRow = position.offset
        hits.rowCount = min(hits.body.height, table.rowCount - position.offset)
        for line in 0..<hits.rowCount {
            let row = position.offset + line
            let y = hits.body.y + line
            let isCursor = table.showsCursor && row == position.cursor
            if isCursor {
                if table.isFocused { fill(Rect(x: rect.x, y: y, width: rect.width, height: 1), .selection) }
                put(rect.x, y, glyphs.cursor, Style(.focusBorder, attributes: .bold))
            }
            for (column, x, width) in places {
                draw(cell(row, column), rect.x + x, y, width, table.columns[column].alignment)
            }
            if isCursor && table.isFocused {
                restyle(Rect(x: rect.x, y: y, width: rect.width, height: 1)) { style in
                    switch style.foreground {
                    case .text: Style(.selectionText, on: .clear, style.attributes.union(.bold))
                    // What is nearly the background would be nearly the selection.
                    case .faint: Style(.dim, on: .clear, style.attributes)
                    default: style
                    }
                }
            }
        }
        return hits
    }

    private mutating func draw(_ cell: TableCell, _ x: Int, _ y: Int, _ width: Int, _ alignment: Alignment) {
        switch cell {
        case .text(let text, let style): label(x, y, width: width, text, style, alignment)
        case .spans(let spans):
            let size = spans.reduce(0) { $0 + SafeText.width($1.text) }
            let slack = max(0, width - size)
            within(Rect(x: x, y: y, width: width, height: 1)) { canvas in
                _ = canvas.put(alignment == .left ? 0 : alignment == .right ? slack : slack / 2, 0, spans)
            }
        case .sparkline(let values, let maximum, let gradient):
            sparkline(x, y, width: width, values, maximum: maximum, gradient)
        case .gauge(let fraction, let gradient): lineGauge(x, y, width: width, fraction, gradient)
        }
    }

    /// Which columns fit, where, how wide. Two cells at the left belong to the cursor, one at the
    /// right stays free, two stand between columns.
    static func columnPlaces(_ columns: [TableColumn], width: Int) -> [(column: Int, x: Int, width: Int)] {
        var kept = Array(columns.indices)
        func needed() -> Int { 3 + kept.reduce(0) { $0 + columns[$1].width } + 2 * max(0, kept.count - 1) }
        while needed() > width, let worst = kept.max(by: { columns[$0].expendability < columns[$1].expendability }),
            columns[worst].expendability > 0
        {
            // Of equals the rightmost goes first.
            let value = columns[worst].expendability
            guard let victim = kept.lastIndex(where: { columns[$0].expendability == value }) else { break }
            kept.remove(at: victim)
        }
        let extents = kept.map { index -> Extent in
            columns[index].stretch > 0
                ? .atLeast(columns[index].width, share: columns[index].stretch) : .fixed(columns[index].width)
        }
        let parts = Rect(x: 2, width: max(0, width - 3), height: 1).columns(extents, gap: 2)
        return zip(kept, parts).filter { $0.1.width > 0 }.map { ($0.0, $0.1.x, $0.1.width) }
    }
}
