/// A key and what it does, for a panel's bottom border or the footer.
public struct Hint: Hashable, Sendable {
    /// The key as a person reads it: `s`, `⏎`, `Esc`.
    public var key: String
    /// One or two words.
    public var label: String
    /// False shows it as off.
    public var isEnabled: Bool

    public init(_ key: String, _ label: String, isEnabled: Bool = true) {
        self.key = key
        self.label = label
        self.isEnabled = isEnabled
    }

    /// The word with its hot letter when the key begins a word of the label, else the key before the label.
    public var spans: [Span] {
        let hot = Style(isEnabled ? .hot : .faint, attributes: isEnabled ? .bold : [])
        let calm = Style(isEnabled ? .dim : .faint)
        let starts = label.indices.filter { $0 == label.startIndex || label[label.index(before: $0)] == " " }
        if key.count == 1, let place = starts.first(where: { String(label[$0]) == key }) {
            return [
                Span(String(label[..<place]), calm), Span(key, hot),
                Span(String(label[label.index(after: place)...]), calm),
            ].filter { !$0.text.isEmpty }
        }
        return label.isEmpty ? [Span(key, hot)] : [Span(key, hot), Span(" " + label, calm)]
    }
}

/// A rounded box whose title is cut into its top border and whose keys are cut into its bottom border.
public struct Panel: Sendable {
    /// Parts of the title, joined by border: scope, count, filter.
    public var title: [[Span]]
    /// Parts that stand at the right end of the top border, dropped first when it is narrow.
    public var trailing: [[Span]]
    /// The digit that focuses it.
    public var number: Int?
    public var hints: [Hint]
    public var isFocused: Bool
    /// Replaces the border's colour: `.bad` frames a place marked production.
    public var frame: Role?

    /// - Parameters:
    ///   - title: the name, drawn strong.
    ///   - details: further parts of the title, drawn quietly.
    public init(
        _ title: String, details: [String] = [], trailing: [[Span]] = [], number: Int? = nil, hints: [Hint] = [],
        isFocused: Bool = false, frame: Role? = nil
    ) {
        let name = Span(title, Style(isFocused ? .role(frame ?? .focusBorder) : .title, attributes: .bold))
        self.title = [[name]] + details.filter { !$0.isEmpty }.map { [Span($0, Style(.dim))] }
        self.trailing = trailing
        self.number = number
        self.hints = hints
        self.isFocused = isFocused
        self.frame = frame
    }
}

extension Canvas {
    /// Draws a panel's frame, or the line that stands for it (see ``Framing``); keys have a place only in a frame.
    /// - Returns: the rectangle inside the frame.
    @discardableResult
    public mutating func panel(_ rect: Rect, _ panel: Panel) -> Rect {
        if framing == .rules { return ruled(rect, panel) }
        guard rect.width >= 2 && rect.height >= 2 else { return Rect(x: rect.x, y: rect.y, width: 0, height: 0) }
        let ink: Ink = panel.frame.map { .role($0) } ?? (panel.isFocused ? .focusBorder : .border)
        let style = Style(ink, attributes: panel.isFocused ? .bold : [])
        frame(rect, style)
        let inside = rect.inset(1, 1)
        within(Rect(x: rect.x, y: rect.y, width: rect.width, height: rect.height)) { canvas in
            canvas.topBorder(panel, style)
            canvas.bottomBorder(panel.hints, style)
        }
        return inside
    }

    private mutating func ruled(_ rect: Rect, _ panel: Panel) -> Rect {
        guard rect.height >= 1 else { return Rect(x: rect.x, y: rect.y, width: rect.width, height: 0) }
        let ink: Ink = panel.frame.map { .role($0) } ?? (panel.isFocused ? .focusBorder : .border)
        let style = Style(ink, attributes: panel.isFocused ? .bold : [])
        within(Rect(x: rect.x, y: rect.y, width: rect.width, height: 1)) { canvas in
            canvas.put(0, 0, String(repeating: canvas.glyphs.horizontal, count: canvas.width), style)
            canvas.topBorder(panel, style)
        }
        return Rect(x: rect.x, y: rect.y + 1, width: rect.width, height: rect.height - 1)
    }

    /// Draws the four borders of a rectangle, rounded where the terminal can.
    public mutating func frame(_ rect: Rect, _ style: Style) {
        guard rect.width >= 2 && rect.height >= 2 else { return }
        let line = String(repeating: glyphs.horizontal, count: rect.width - 2)
        put(rect.x, rect.y, glyphs.topLeft + line + glyphs.topRight, style)
        put(rect.x, rect.bottom - 1, glyphs.bottomLeft + line + glyphs.bottomRight, style)
        for row in rect.y + 1..<rect.bottom - 1 {
            put(rect.x, row, glyphs.vertical, style)
            put(rect.right - 1, row, glyphs.vertical, style)
        }
    }

    private mutating func topBorder(_ panel: Panel, _ style: Style) {
        let corner = framing == .rules ? 1 : 2
        var column = corner
        let limit = width - corner
        for (index, part) in panel.title.enumerated() {
            let digit = index == 0 ? panel.number.map { glyphs.superscript($0) } ?? "" : ""
            let size = part.reduce(SafeText.width(digit)) { $0 + SafeText.width($1.text) } + 2
            if column + size > limit {
                // The name is always told, if only its beginning.
                if index == 0, let first = part.first, limit - column > 3 {
                    label(column, 0, width: limit - column, " " + digit + first.text + " ", first.style)
                }
                return
            }
            put(column, 0, " ", style)
            let start = digit.isEmpty ? column + 1 : put(column + 1, 0, digit, Style(.hot))
            put(start, 0, part)
            put(column + size - 1, 0, " ", style)
            column += size + 1
        }
        var right = width - corner
        for part in panel.trailing.reversed() {
            let size = part.reduce(2) { $0 + SafeText.width($1.text) }
            if right - size < column { return }
            put(right - size, 0, [Span(" ", style)] + part + [Span(" ", style)])
            right -= size + 1
        }
    }

    private mutating func bottomBorder(_ hints: [Hint], _ style: Style) {
        var column = 2
        for hint in hints {
            let spans = hint.spans
            let size = spans.reduce(2) { $0 + SafeText.width($1.text) }
            if column + size > width - 2 { return }
            put(column, height - 1, [Span(" ", style)] + spans + [Span(" ", style)])
            column += size + 1
        }
    }

    /// Keys and their meaning in one row, as many as fit.
    public mutating func footer(_ rect: Rect, _ hints: [Hint]) {
        within(rect) { canvas in
            var column = 1
            for hint in hints {
                let spans = hint.spans
                let size = spans.reduce(0) { $0 + SafeText.width($1.text) }
                if column + size > canvas.width { return }
                column = canvas.put(column, 0, spans) + 2
            }
        }
    }

    /// A scroll thumb over a panel's right border; nothing when all is visible.
    public mutating func scrollbar(_ x: Int, _ y: Int, height: Int, offset: Int, visible: Int, total: Int) {
        guard total > visible && visible > 0 && height > 0 else { return }
        let size = max(1, height * visible / total)
        let top = min(height - size, (height - size) * offset / max(1, total - visible))
        for row in top..<top + size { put(x, y + row, glyphs.thumb, Style(.dim)) }
    }

    /// A filled label: ` OPEN `.
    /// - Returns: the column after it.
    @discardableResult
    public mutating func badge(_ x: Int, _ y: Int, _ text: String, _ role: Role) -> Int {
        put(x, y, " " + text + " ", Style(.onFill, on: .role(role), .bold))
    }
}
