/// One cell of the screen. `width` 2 is the left half of a wide cluster, and the cell after it has width 0.
public struct Cell: Hashable, Sendable {
    public var scalar: UInt32 = 0x20
    public var mark1: UInt32 = 0
    public var mark2: UInt32 = 0
    public var mark3: UInt32 = 0
    public var width: UInt8 = 1
    public var style = Style(.standard, on: .standard)

    /// A blank in the theme's colours.
    public init() {}
}

/// A grid of cells to draw on.
///
/// All text enters through ``put(_:_:_:_:)``, which makes it harmless (``SafeText``) and never leaves half of a wide
/// cluster: not at an edge, not when one is drawn over another. Coordinates are those of the current region (see
/// ``within(_:_:)``); whatever falls outside is clipped.
public struct Canvas: Sendable {
    /// The glyphs that this terminal can show.
    public let glyphs: Glyphs
    /// Columns of the whole canvas.
    public let columns: Int
    /// Rows of the whole canvas.
    public let rows: Int
    /// Row by row, `columns` to a row.
    public private(set) var cells: [Cell]

    /// How panels are framed.
    public var framing = Framing.boxes
    /// Text that was cut without a sign of it, or drawn over by other text: for tests of layouts. `nil` where nobody asks.
    public var flaws: [String]?

    /// The region drawn on, in absolute cells, and the part of it that is visible.
    private var region: Rect
    private var clip: Rect

    /// How panels are told apart.
    public enum Framing: Hashable, Sendable {
        /// A border all round.
        case boxes
        /// A line above, which holds the title: on a small terminal every cell counts.
        case rules
    }

    /// A blank canvas. Negative sizes become 0.
    public init(columns: Int, rows: Int, glyphs: Glyphs = .unicode) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
        self.glyphs = glyphs
        cells = Array(repeating: Cell(), count: self.columns * self.rows)
        region = Rect(width: columns, height: rows)
        clip = region
    }

    /// Columns of the current region.
    public var width: Int { region.width }
    /// Rows of the current region.
    public var height: Int { region.height }
    /// Where the current region begins, in cells of the whole canvas.
    public var origin: (x: Int, y: Int) { (region.x, region.y) }
    /// The current region in its own coordinates: it starts at 0, 0.
    public var bounds: Rect { Rect(width: region.width, height: region.height) }

    /// Draws within a rectangle of the current region, whose corner becomes 0, 0 and beyond whose edges nothing shows.
    public mutating func within<Result>(_ rect: Rect, _ draw: (inout Canvas) throws -> Result) rethrows -> Result {
        let saved = (region, clip)
        region = Rect(x: region.x + rect.x, y: region.y + rect.y, width: rect.width, height: rect.height)
        clip = clip.intersection(region)
        defer { (region, clip) = saved }
        return try draw(&self)
    }

    /// The cell at a place of the current region; nil outside what is visible.
    public subscript(x: Int, y: Int) -> Cell? {
        let (column, row) = (region.x + x, region.y + y)
        return clip.contains(x: column, y: row) ? cells[row * columns + column] : nil
    }

    // MARK: Text

    /// Writes text to the right from a place and stops at the region's edge. The one way by which text reaches a cell.
    /// - Returns: the column after the last cluster, also where it was clipped.
    @discardableResult
    public mutating func put(_ x: Int, _ y: Int, _ text: String, _ style: Style = .plain) -> Int {
        var column = x
        for cluster in SafeText(text) {
            if column >= region.width {
                if flaws != nil { note(cut: text, y, cluster) }
                break
            }
            set(column, y, cluster, style)
            column += Int(cluster.width)
        }
        return column
    }

    /// Writes spans one after another.
    /// - Returns: the column after the last.
    @discardableResult
    public mutating func put(_ x: Int, _ y: Int, _ spans: [Span]) -> Int {
        var column = x
        for span in spans { column = put(column, y, span.text, span.style) }
        return column
    }

    /// Writes bytes that should be UTF-8; what is not becomes U+FFFD.
    @discardableResult
    public mutating func put(_ x: Int, _ y: Int, bytes: some Collection<UInt8>, _ style: Style = .plain) -> Int {
        put(x, y, String(decoding: bytes, as: UTF8.self), style)
    }

    /// Where text stands in a field wider than itself.
    public enum Alignment: Sendable { case left, right, centre }

    /// Writes text into a field of `width` cells, cut with an ellipsis when it is longer.
    public mutating func label(
        _ x: Int, _ y: Int, width: Int, _ text: String, _ style: Style = .plain, _ alignment: Alignment = .left
    ) {
        let shown = SafeText.fitted(text, width: width, ellipsis: glyphs.ellipsis)
        let slack = alignment == .left ? 0 : width - SafeText.width(shown)
        put(x + (alignment == .centre ? slack / 2 : slack), y, shown, style)
    }

    /// Writes spans that end at the field's right edge; nothing when they are wider than the field.
    public mutating func putRight(_ x: Int, _ y: Int, width: Int, _ spans: [Span]) {
        let size = spans.reduce(0) { $0 + SafeText.width($1.text) }
        if size <= width { put(x + width - size, y, spans) }
    }

    /// Fills a rectangle with blanks of this background.
    public mutating func fill(_ rect: Rect, _ background: Ink) {
        for y in rect.y..<rect.bottom {
            for x in rect.x..<rect.right {
                set(x, y, Cluster(scalar: 0x20, width: 1), Style(.standard, on: background))
            }
        }
    }

    /// Changes colours and attributes of what stands there; `.clear` keeps a colour.
    public mutating func restyle(_ rect: Rect, _ change: (Style) -> Style) {
        let area = Rect(x: region.x + rect.x, y: region.y + rect.y, width: rect.width, height: rect.height)
            .intersection(clip)
        for row in area.y..<area.bottom {
            for column in area.x..<area.right {
                let old = cells[row * columns + column].style
                cells[row * columns + column].style = Self.merged(change(old), over: old)
            }
        }
    }

    // MARK: The cell setter

    /// Draws one cluster of glyphs that are known to be harmless.
    mutating func set(_ x: Int, _ y: Int, _ cluster: Cluster, _ style: Style) {
        if !glyphs.isUnicode && cluster.scalar >= 0x7F {
            let letter = Cluster(scalar: Glyphs.asciiFallback(cluster.scalar), width: 1)
            set(x, y, letter, style)
            if cluster.width == 2 { set(x + 1, y, blank, style) }
            return
        }
        let (column, row) = (region.x + x, region.y + y)
        guard clip.contains(x: column, y: row) else {
            // The right half of a wide cluster may still reach into the clip: it shows as a blank.
            if cluster.width == 2 && clip.contains(x: column + 1, y: row) { place(column + 1, row, blank, style) }
            return
        }
        if cluster.width == 2 {
            guard clip.contains(x: column + 1, y: row) else { return place(column, row, blank, style) }
            place(column, row, cluster, style)
            place(column + 1, row, Cluster(scalar: 0x20, width: 0), style)
            cells[row * columns + column].width = 2
        } else {
            place(column, row, cluster, style)
        }
    }

    /// A letter or a digit: what is not read where it is covered.
    private static func isRead(_ scalar: UInt32) -> Bool {
        Unicode.Scalar(scalar).map { $0.properties.isAlphabetic || $0.properties.numericType != nil } ?? false
    }

    private mutating func note(cut text: String, _ y: Int, _ next: Cluster) {
        guard Self.isRead(next.scalar), y >= 0, y < region.height, clip.height > 0, clip.width > 0 else { return }
        flaws?.append("cut at \(columns)x\(rows), row \(region.y + y): \(SafeText.visible(text))")
    }

    private var blank: Cluster { Cluster(scalar: 0x20, width: 1) }

    /// Writes one cell and mends the other half of a wide cluster that it breaks.
    private mutating func place(_ column: Int, _ row: Int, _ cluster: Cluster, _ style: Style) {
        let index = row * columns + column
        if cells[index].width == 0 && cluster.width != 0 { blankOut(index - 1) }
        if cells[index].width == 2 && column + 1 < columns { blankOut(index + 1) }
        if flaws != nil, Self.isRead(cells[index].scalar), Self.isRead(cluster.scalar) {
            flaws?.append("covered at \(columns)x\(rows), row \(row), column \(column)")
        }
        var cell = Cell()
        cell.scalar = cluster.scalar
        cell.mark1 = cluster.mark1
        cell.mark2 = cluster.mark2
        cell.mark3 = cluster.mark3
        cell.width = cluster.width
        cell.style = Self.merged(style, over: cells[index].style)
        cells[index] = cell
        // A new right half that lands on the left half of an old cluster was mended above; one that lands on nothing is whole.
    }

    private mutating func blankOut(_ index: Int) {
        let style = cells[index].style
        cells[index] = Cell()
        cells[index].style = style
    }

    private static func merged(_ style: Style, over old: Style) -> Style {
        Style(
            style.foreground == .clear ? old.foreground : style.foreground,
            on: style.background == .clear ? old.background : style.background, style.attributes)
    }
}

extension Canvas: Equatable {
    /// Two canvases are equal when they look equal.
    public static func == (left: Canvas, right: Canvas) -> Bool {
        left.columns == right.columns && left.rows == right.rows && left.cells == right.cells
    }
}
