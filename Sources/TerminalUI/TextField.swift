/// A line of text being typed.
public struct TextField: Hashable, Sendable {
    /// What may be typed.
    public enum Kind: Hashable, Sendable {
        case text
        /// Whole numbers within a range.
        case number(ClosedRange<Int>)
    }

    public var kind: Kind
    public private(set) var text: String
    /// Where the next character goes, in characters from the start.
    public private(set) var caret: Int
    /// The most characters it takes.
    public let limit: Int

    public init(_ text: String = "", kind: Kind = .text, limit: Int = 200) {
        self.kind = kind
        self.limit = limit
        self.text = String(text.prefix(limit))
        caret = self.text.count
    }

    /// The number typed; nil when there is none or it is out of range.
    public var number: Int? {
        guard case .number(let range) = kind, let value = Int(text), range.contains(value) else { return nil }
        return value
    }

    /// What should have been typed, in few words (`1 to 3,600`); nil when nothing is wrong.
    public var problem: String? {
        guard case .number(let range) = kind, number == nil else { return nil }
        return "\(Formats.grouped(range.lowerBound)) to \(Formats.grouped(range.upperBound))"
    }

    /// Takes a key.
    /// - Returns: false when the key means nothing to a text field; the field is then unchanged.
    @discardableResult
    public mutating func edit(_ key: KeyPress) -> Bool {
        switch (key.code, key.modifiers) {
        case (.character(let character), []): insert(String(character))
        case (.left, _): caret = max(0, caret - 1)
        case (.right, _): caret = min(text.count, caret + 1)
        case (.home, _), (.character("a"), .control): caret = 0
        case (.end, _), (.character("e"), .control): caret = text.count
        case (.backspace, _) where caret > 0:
            caret -= 1
            remove(at: caret)
        case (.backspace, _): break
        case (.delete, _), (.character("d"), .control): if caret < text.count { remove(at: caret) }
        case (.character("u"), .control):
            text.removeFirst(caret)
            caret = 0
        case (.character("k"), .control): text = String(text.prefix(caret))
        case (.character("w"), .control):
            let head = text.prefix(caret)
            let kept = head.reversed().drop { $0 == " " }.drop { $0 != " " }.count
            text = String(text.prefix(kept)) + String(text.dropFirst(caret))
            caret = kept
        default: return false
        }
        return true
    }

    /// Types or pastes text at the caret: one line of it, made harmless, without what the kind does not take.
    public mutating func insert(_ pasted: String) {
        let line = pasted.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        let accepted = SafeText.visible(line).filter { character in
            switch kind {
            case .text: true
            case .number(let range):
                character.isASCII && character.isNumber || (character == "-" && range.lowerBound < 0)
            }
        }
        let taken = accepted.prefix(max(0, limit - text.count))
        text.insert(contentsOf: taken, at: text.index(text.startIndex, offsetBy: caret))
        caret = min(text.count, caret + taken.count)
    }

    private mutating func remove(at position: Int) {
        text.remove(at: text.index(text.startIndex, offsetBy: position))
    }
}

extension Canvas {
    /// Draws a text field with its caret, scrolled so that the caret is in sight.
    public mutating func field(_ x: Int, _ y: Int, width: Int, _ field: TextField, isFocused: Bool) {
        guard width > 1 else { return }
        fill(Rect(x: x, y: y, width: width, height: 1), isFocused ? .selection : .track)
        within(Rect(x: x, y: y, width: width, height: 1)) { canvas in
            let before = String(field.text.prefix(field.caret))
            let caret = SafeText.width(before)
            let shift = max(0, caret - width + 1)
            canvas.put(-shift, 0, field.text, Style(isFocused ? .selectionText : .text))
            if isFocused {
                canvas.restyle(Rect(x: caret - shift, y: 0, width: 1, height: 1)) { $0.with(.reverse) }
            }
        }
    }
}
