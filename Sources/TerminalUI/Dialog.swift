/// A question over the screen: the literal effect, fields, and the keys that answer.
public struct Dialog: Sendable {
    /// A labelled field.
    public struct Field: Sendable {
        public var label: String
        public var field: TextField
        /// A unit or a remark behind the field.
        public var note: String

        public init(_ label: String, _ field: TextField, note: String = "") {
            self.label = label
            self.field = field
            self.note = note
        }
    }

    public var title: String
    /// What will happen, in plain sentences; long ones are wrapped.
    public var text: [[Span]]
    public var fields: [Field]
    public var focusedField: Int
    public var hints: [Hint]
    /// `.bad` for what cannot be undone.
    public var tone: Role
    /// Columns inside the frame.
    public var width: Int

    public init(
        _ title: String, text: [String] = [], fields: [Field] = [], focusedField: Int = 0, hints: [Hint] = [],
        tone: Role = .accent, width: Int = 56
    ) {
        self.title = title
        self.text = text.map { [Span($0, Style(.text))] }
        self.fields = fields
        self.focusedField = focusedField
        self.hints = hints
        self.tone = tone
        self.width = width
    }
}

extension Canvas {
    /// Draws a dialog in the middle of the region, over whatever is there.
    /// - Returns: the rectangle it covers.
    @discardableResult
    public mutating func dialog(_ dialog: Dialog) -> Rect {
        let columns = min(dialog.width, width - 6)
        var lines: [[Span]] = []
        for line in dialog.text {
            if line.count == 1 {
                lines += SafeText.wrapped(line[0].text, width: columns).map { [Span($0, line[0].style)] }
            } else {
                lines.append(line)
            }
        }
        let fields = dialog.fields
        let height = lines.count + (fields.isEmpty ? 0 : fields.count + (lines.isEmpty ? 0 : 1)) + 4
        let rect = bounds.centred(width: columns + 6, height: height)
        overlay(rect, Panel(dialog.title, hints: dialog.hints, isFocused: true, frame: dialog.tone)) { canvas in
            var y = 1
            for line in lines {
                canvas.put(2, y, line)
                y += 1
            }
            if !fields.isEmpty && !lines.isEmpty { y += 1 }
            let labels = fields.map { SafeText.width($0.label) }.max() ?? 0
            for (index, field) in fields.enumerated() {
                let isFocused = index == dialog.focusedField
                canvas.put(2, y, field.label, Style(isFocused ? .title : .dim, attributes: isFocused ? .bold : []))
                let remark = field.field.problem ?? field.note
                let number = if case .number = field.field.kind { true } else { false }
                let room = columns - labels - 2
                let size = number || !remark.isEmpty ? min(14, room) : room
                canvas.field(2 + labels + 2, y, width: size, field.field, isFocused: isFocused)
                let style = Style(field.field.problem == nil ? .dim : .warn)
                canvas.label(2 + labels + size + 3, y, width: room - size - 1, remark, style)
                y += 1
            }
        }
        return rect
    }

    /// Makes all that is drawn step back, so that what is drawn next stands in front.
    public mutating func fade() {
        restyle(bounds) { style in
            Style(
                style.foreground == .standard || style.foreground == .track ? style.foreground : .faint, on: .standard)
        }
    }

    /// Draws a panel over what is there: filled with the surface colour, within a frame.
    public mutating func overlay(_ rect: Rect, _ panel: Panel, _ draw: (inout Canvas) -> Void) {
        fill(rect, .surface)
        let inside = self.panel(rect, panel)
        within(inside, draw)
    }

    /// Draws the help: sections in as many columns as fit, scrolled by lines.
    /// - Returns: how many lines can be scrolled.
    @discardableResult
    public mutating func help(_ sections: [HelpSection], title: String, hints: [Hint] = [], scroll: Int = 0) -> Int {
        let keys = sections.flatMap(\.lines).map { SafeText.width($0.keys) }.max() ?? 0
        let column = min(width - (framing == .rules ? 3 : 6), max(40, keys + 40))
        let columns = max(1, min(width >= 180 ? 3 : 2, (width - 4) / (column + 2)))
        var blocks = Array(repeating: [[Span]](), count: columns)
        for section in sections {
            var block = [[Span(section.title, Style(.title, attributes: .bold))]]
            for line in section.lines {
                let text = SafeText.wrapped(line.help, width: max(10, column - keys - 2))
                for (index, part) in text.enumerated() {
                    let head = index == 0 ? Formats.padded(line.keys, keys) : String(repeating: " ", count: keys)
                    block.append([Span(head, Style(.hot)), Span("  " + part, Style(.text))])
                }
            }
            block.append([])
            // The shorter column takes the next section; equal lengths go left, so the order reads down, then across.
            let shortest = blocks.indices.min { blocks[$0].count < blocks[$1].count } ?? 0
            blocks[shortest] += block
        }
        let lines = (blocks.map(\.count).max() ?? 1) - 1
        let isRuled = framing == .rules
        let rect = isRuled ? bounds : bounds.centred(width: columns * (column + 2) + 4, height: lines + 4)
        let visible = max(0, rect.height - (isRuled ? 1 : 4))
        let margin = isRuled ? (x: 1, y: 0) : (x: 2, y: 1)
        let hidden = max(0, lines - visible)
        let first = min(max(0, scroll), hidden)
        overlay(rect, Panel(title, hints: hints, isFocused: true)) { canvas in
            for (index, block) in blocks.enumerated() {
                for (row, line) in block.dropFirst(first).prefix(visible).enumerated() {
                    canvas.put(margin.x + index * (column + 2), row + margin.y, line)
                }
            }
        }
        scrollbar(
            rect.right - 1, rect.y + (isRuled ? 1 : 2), height: visible, offset: first, visible: visible, total: lines)
        return hidden
    }

    /// A short message at the bottom right of the region, over what is there.
    public mutating func toast(_ text: String, _ role: Role, bottomMargin: Int = 1) {
        let shown = SafeText.fitted(text, width: max(0, min(width - 6, 72)), ellipsis: glyphs.ellipsis)
        let size = SafeText.width(shown) + 4
        let rect = Rect(x: width - size - 1, y: height - 3 - bottomMargin, width: size, height: 3)
        fill(rect, .surface)
        frame(rect, Style(.role(role)))
        put(rect.x + 2, rect.y + 1, shown, Style(.role(role), attributes: .bold))
    }
}
