/// The glyphs that a terminal can show, richest first: braille, eighths, shades, ASCII.
public struct Glyphs: Hashable, Sendable {
    /// What graphs are drawn with. Each step down needs less of the font.
    public enum Ladder: Int, Comparable, Sendable, CaseIterable {
        case ascii, shades, eighths, braille
        public static func < (left: Ladder, right: Ladder) -> Bool { left.rawValue < right.rawValue }
    }

    /// How graphs are drawn.
    public let ladder: Ladder

    /// - Parameter ladder: `.ascii` also draws borders and marks in ASCII.
    public init(ladder: Ladder) { self.ladder = ladder }

    /// Everything a UTF-8 terminal with a common font has.
    public static let unicode = Glyphs(ladder: .braille)
    /// Seven bits only.
    public static let ascii = Glyphs(ladder: .ascii)

    /// False when only ASCII may be shown.
    public var isUnicode: Bool { ladder != .ascii }

    public var horizontal: String { isUnicode ? "─" : "-" }
    public var vertical: String { isUnicode ? "│" : "|" }
    public var topLeft: String { isUnicode ? "╭" : "+" }
    public var topRight: String { isUnicode ? "╮" : "+" }
    public var bottomLeft: String { isUnicode ? "╰" : "+" }
    public var bottomRight: String { isUnicode ? "╯" : "+" }
    public var ellipsis: Character { isUnicode ? "…" : "~" }
    public var cursor: String { isUnicode ? "▸" : ">" }
    public var mark: String { isUnicode ? "●" : "*" }
    public var ascending: String { isUnicode ? "↑" : "^" }
    public var descending: String { isUnicode ? "↓" : "v" }
    public var down: String { isUnicode ? "✖" : "x" }
    public var alert: String { isUnicode ? "▲" : "!" }
    public var calm: String { isUnicode ? "●" : "o" }
    public var bullet: String { isUnicode ? "·" : "." }
    public var block: String { isUnicode ? "█" : "#" }
    public var thumb: String { isUnicode ? "┃" : "#" }

    /// A digit as a superscript, to name a panel: `¹`.
    public func superscript(_ digit: Int) -> String {
        guard (0...9).contains(digit) else { return "" }
        return isUnicode ? ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"][digit] : "\(digit) "
    }

    /// A bar's last cell filled from the left, in eighths 1...8.
    func leftEighths(_ eighths: Int) -> UInt32 {
        switch ladder {
        case .braille, .eighths: 0x2590 - UInt32(eighths)
        case .shades: [0x2591, 0x2591, 0x2591, 0x2592, 0x2592, 0x2592, 0x2593, 0x2588][eighths - 1]
        case .ascii: eighths >= 4 ? 0x23 : 0x2D
        }
    }

    /// A column filled from below, in eighths 1...8.
    func lowerEighths(_ eighths: Int) -> UInt32 {
        switch ladder {
        case .braille, .eighths: 0x2580 + UInt32(eighths)
        case .shades: [0x2591, 0x2591, 0x2591, 0x2592, 0x2592, 0x2592, 0x2593, 0x2588][eighths - 1]
        case .ascii: 0x31 + UInt32(eighths)
        }
    }

    /// Two columns of 0...4 dots, from below.
    func braille(left: Int, right: Int) -> UInt32 {
        let leftDots: [UInt32] = [0, 0x40, 0x44, 0x46, 0x47]
        let rightDots: [UInt32] = [0, 0x80, 0xA0, 0xB0, 0xB8]
        return 0x2800 | leftDots[left] | rightDots[right]
    }

    /// The letter that stands for a scalar where only ASCII may be shown.
    static func asciiFallback(_ scalar: UInt32) -> UInt32 {
        let letter: Unicode.Scalar =
            switch scalar {
            case 0x2018, 0x2019: "'"
            case 0x201C, 0x201D: "\""
            case 0x2010...0x2015, 0x2500: "-"
            case 0x2026: "~"
            case 0xB7, 0x2022: "."
            case 0xD7: "x"
            case 0xB5: "u"
            case 0x2191: "^"
            case 0x2193: "v"
            case 0x2190: "<"
            case 0x2192, 0x25B8: ">"
            case 0x25B2, 0x26A0: "!"
            case 0x25CF: "o"
            case 0x2502: "|"
            default: "?"
            }
        return letter.value
    }
}
