/// What a colour means here. A theme gives each its colour; a terminal of few colours gives each a near one.
public enum Role: UInt8, CaseIterable, Sendable {
    /// Behind everything.
    case background
    /// Behind dialogs and toasts.
    case surface
    /// Behind the header strip.
    case strip
    case border, focusBorder
    case title
    case text
    /// Second rank: labels, units, column heads.
    case dim
    /// Third rank: separators, what is empty or off.
    case faint
    /// What leads the eye when nothing is wrong.
    case accent
    /// A second lead, for the other of two series.
    case second
    case good, warn, bad
    /// Stopped on purpose.
    case frozen
    /// The letter to press.
    case hot
    /// The unfilled part of a gauge: nearly the background.
    case track
    /// Behind the row under the cursor.
    case selection
    case selectionText
    /// Text on a fill of `good`, `warn` or `bad`.
    case onFill
}

/// A colour by meaning, by number, or by mixture; a ``Theme`` resolves it when the canvas is shown, so a change of theme
/// is only another drawing of the same canvas.
public struct Ink: Hashable, Sendable {
    /// Tag in the top byte: 0 standard, 1 role, 2 RGB, 3 heat, 4 blend of two roles, 5 clear.
    let packed: UInt32

    /// The theme's text (as foreground) or background (as background).
    public static let standard = Ink(packed: 0)
    /// Keeps the colour that the cell already has.
    public static let clear = Ink(packed: 5 << 24)

    /// The colour of a meaning.
    public static func role(_ role: Role) -> Ink { Ink(packed: 1 << 24 | UInt32(role.rawValue)) }

    /// Exactly this colour.
    public static func rgb(_ colour: RGB) -> Ink { Ink(packed: 2 << 24 | colour.hex) }

    /// The heat ramp's colour. 0 is cold, 1 is hottest; values outside are clamped, NaN is cold.
    public static func heat(_ fraction: Double) -> Ink {
        Ink(packed: 3 << 24 | UInt32(share(fraction) * Double(Theme.heatSteps - 1) + 0.5))
    }

    /// A colour between two meanings, mixed perceptually in 64 steps. 0 is `low`, 1 is `high`.
    public static func blend(_ low: Role, _ high: Role, _ fraction: Double) -> Ink {
        let step = UInt32(share(fraction) * 63 + 0.5)
        return Ink(packed: 4 << 24 | UInt32(low.rawValue) << 16 | UInt32(high.rawValue) << 8 | step)
    }

    private static func share(_ fraction: Double) -> Double { fraction.isNaN ? 0 : min(1, max(0, fraction)) }

    /// What an ink asks for, unpacked.
    enum Kind: Equatable {
        case standard, clear
        case role(Role)
        case rgb(RGB)
        case heat(Int)
        case blend(Role, Role, Int)
    }

    var kind: Kind {
        switch packed >> 24 {
        case 1: .role(Role(rawValue: UInt8(packed & 0xFF)) ?? .text)
        case 2: .rgb(RGB(hex: packed & 0xFF_FFFF))
        case 3: .heat(Int(packed & 0xFF_FFFF))
        case 4:
            .blend(
                Role(rawValue: UInt8(packed >> 16 & 0xFF)) ?? .text, Role(rawValue: UInt8(packed >> 8 & 0xFF)) ?? .text,
                Int(packed & 0xFF))
        case 5: .clear
        default: .standard
        }
    }
}

extension Ink {
    public static let background = role(.background)
    public static let surface = role(.surface)
    public static let strip = role(.strip)
    public static let border = role(.border)
    public static let focusBorder = role(.focusBorder)
    public static let title = role(.title)
    public static let text = role(.text)
    public static let dim = role(.dim)
    public static let faint = role(.faint)
    public static let accent = role(.accent)
    public static let second = role(.second)
    public static let good = role(.good)
    public static let warn = role(.warn)
    public static let bad = role(.bad)
    public static let frozen = role(.frozen)
    public static let hot = role(.hot)
    public static let track = role(.track)
    public static let selection = role(.selection)
    public static let selectionText = role(.selectionText)
    public static let onFill = role(.onFill)
}

extension Ink: CustomStringConvertible {
    /// As golden screens print it: `bad`, `#ff0000`, `heat12`, `good~bad32`.
    public var description: String {
        switch kind {
        case .standard: "standard"
        case .clear: "clear"
        case .role(let role): "\(role)"
        case .rgb(let colour): colour.description
        case .heat(let step): "heat\(step)"
        case .blend(let low, let high, let step): "\(low)~\(high)\(step)"
        }
    }
}

/// Foreground, background and attributes of a cell.
public struct Style: Hashable, Sendable {
    /// What else a terminal can do to a letter.
    public struct Attributes: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let bold = Attributes(rawValue: 1)
        public static let dim = Attributes(rawValue: 2)
        public static let reverse = Attributes(rawValue: 4)
        public static let underline = Attributes(rawValue: 8)
        public static let italic = Attributes(rawValue: 16)
    }

    public var foreground: Ink
    public var background: Ink
    public var attributes: Attributes

    /// - Parameters:
    ///   - foreground: the letter's colour; `.clear` keeps the cell's.
    ///   - background: the fill behind it; `.clear` (the default) keeps the cell's.
    public init(_ foreground: Ink = .text, on background: Ink = .clear, _ attributes: Attributes = []) {
        self.foreground = foreground
        self.background = background
        self.attributes = attributes
    }

    /// The theme's text on whatever is there.
    public static let plain = Style()

    /// The same with bold.
    public var bold: Style { with(.bold) }

    /// The same with more attributes.
    public func with(_ more: Attributes) -> Style { Style(foreground, on: background, attributes.union(more)) }

    /// The same on another background.
    public func on(_ background: Ink) -> Style { Style(foreground, on: background, attributes) }
}

/// A piece of text in one style.
public struct Span: Hashable, Sendable {
    public var text: String
    public var style: Style

    public init(_ text: String, _ style: Style = .plain) {
        self.text = text
        self.style = style
    }

    /// - Parameter ink: the letters' colour; `attributes` as given.
    public init(_ text: String, _ ink: Ink, _ attributes: Style.Attributes = []) {
        self.init(text, Style(ink, attributes: attributes))
    }
}

extension Style {
    /// A foreground and attributes on whatever is there.
    public init(_ foreground: Ink, attributes: Attributes) {
        self.init(foreground, on: .clear, attributes)
    }
}
