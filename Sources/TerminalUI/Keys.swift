/// A key as it was pressed.
public struct KeyPress: Hashable, Sendable {
    public enum Code: Hashable, Sendable {
        /// A character, already shifted: `F` and `f` differ.
        case character(Character)
        case up, down, left, right, home, end, pageUp, pageDown
        case enter, escape, tab, backTab, backspace, delete, insert
        /// F1 is 1.
        case function(Int)
    }

    public struct Modifiers: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let control = Modifiers(rawValue: 1)
        public static let alt = Modifiers(rawValue: 2)
    }

    public var code: Code
    public var modifiers: Modifiers

    public init(_ code: Code, _ modifiers: Modifiers = []) {
        self.code = code
        self.modifiers = modifiers
    }

    public static func char(_ character: Character) -> KeyPress { KeyPress(.character(character)) }
    public static func control(_ character: Character) -> KeyPress { KeyPress(.character(character), .control) }
    public static let up = KeyPress(.up)
    public static let down = KeyPress(.down)
    public static let left = KeyPress(.left)
    public static let right = KeyPress(.right)
    public static let home = KeyPress(.home)
    public static let end = KeyPress(.end)
    public static let pageUp = KeyPress(.pageUp)
    public static let pageDown = KeyPress(.pageDown)
    public static let enter = KeyPress(.enter)
    public static let escape = KeyPress(.escape)
    public static let tab = KeyPress(.tab)
    public static let backTab = KeyPress(.backTab)
    public static let backspace = KeyPress(.backspace)
    public static let delete = KeyPress(.delete)

    /// As a person reads it: `s`, `Space`, `⏎`, `^L`.
    public func name(_ glyphs: Glyphs = .unicode) -> String {
        let base: String
        switch code {
        case .character(" "): base = "Space"
        case .character(let character): base = String(character)
        case .up: base = glyphs.isUnicode ? "↑" : "Up"
        case .down: base = glyphs.isUnicode ? "↓" : "Down"
        case .left: base = glyphs.isUnicode ? "←" : "Left"
        case .right: base = glyphs.isUnicode ? "→" : "Right"
        case .home: base = "Home"
        case .end: base = "End"
        case .pageUp: base = "PgUp"
        case .pageDown: base = "PgDn"
        case .enter: base = glyphs.isUnicode ? "⏎" : "Enter"
        case .escape: base = "Esc"
        case .tab: base = "Tab"
        case .backTab: base = "S-Tab"
        case .backspace: base = "Bksp"
        case .delete: base = "Del"
        case .insert: base = "Ins"
        case .function(let number): base = "F\(number)"
        }
        return (modifiers.contains(.alt) ? "M-" : "")
            + (modifiers.contains(.control) ? "^" + base.uppercased() : base)
    }
}

/// What the mouse did, in cells of the whole screen.
public struct MouseEvent: Hashable, Sendable {
    public enum Action: Hashable, Sendable { case press, release, doubleClick, wheelUp, wheelDown }
    public var action: Action
    public var x: Int
    public var y: Int

    public init(_ action: Action, x: Int, y: Int) {
        self.action = action
        self.x = x
        self.y = y
    }
}

/// What a terminal tells its program. Pasted text is never taken for keys.
public enum TerminalEvent: Hashable, Sendable {
    case key(KeyPress)
    case mouse(MouseEvent)
    case paste(String)
    case resize(columns: Int, rows: Int)
}
