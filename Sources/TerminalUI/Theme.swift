/// The colours of every meaning, resolved from a scheme.
public struct Theme: Hashable, Sendable {
    /// Steps of the heat ramp.
    public static let heatSteps = 64

    public let name: String
    public let isDark: Bool
    private let colours: [RGB]
    /// Cold to hot. Lightness rises evenly on dark backgrounds and falls evenly on light ones, so the order is seen
    /// without hue.
    public let heat: [RGB]

    /// Resolves a scheme. The roles that it does not name are derived from its palette.
    public init(_ scheme: BaseScheme) {
        name = scheme.name
        let base = scheme.palette
        let (back, front) = (base[0], base[5])
        isDark = back.luminance < front.luminance
        func derived(_ role: Role) -> RGB {
            switch role {
            case .background: back
            case .surface: back.mixed(with: front, 0.06)
            case .strip: back.mixed(with: front, 0.035)
            case .border: back.mixed(with: front, 0.26)
            case .focusBorder: base[13]
            case .title: base[7].contrast(with: back) > front.contrast(with: back) ? base[7] : front
            case .text, .selectionText: front
            case .dim: back.mixed(with: front, 0.62)
            case .faint: back.mixed(with: front, 0.38)
            case .accent: base[12]
            case .second: base[14]
            case .good: base[11]
            case .warn: base[10]
            case .bad: base[8]
            case .frozen: base[13]
            case .hot: base[10]
            case .track: back.mixed(with: front, 0.11)
            case .selection: base[2]
            case .onFill: back
            }
        }
        var resolved: [RGB] = []
        for role in Role.allCases { resolved.append(scheme.roles[role] ?? derived(role)) }
        colours = resolved
        let anchors =
            scheme.heat.isEmpty ? [base[13], base[14], base[8], base[9], base[10]] : scheme.heat
        heat = Self.ramp(through: anchors, background: resolved[0], isDark: isDark)
    }

    /// The colour of a meaning.
    public subscript(role: Role) -> RGB { colours[Int(role.rawValue)] }

    /// What an ink looks like in full colour; nil for `.standard` and `.clear`.
    public func colour(_ ink: Ink) -> RGB? {
        switch ink.kind {
        case .standard, .clear: nil
        case .role(let role): self[role]
        case .rgb(let colour): colour
        case .heat(let step): heat[min(Self.heatSteps - 1, step)]
        case .blend(let low, let high, let step): self[low].mixed(with: self[high], Double(step) / 63)
        }
    }

    /// Interpolates in OKLab through the anchors' hues, on an even rise (or fall) of lightness away from the background.
    private static func ramp(through anchors: [RGB], background: RGB, isDark: Bool) -> [RGB] {
        let points = anchors.map { OKLab($0) }
        let ground = OKLab(background).lightness
        let start = isDark ? max(0.34, ground + 0.14) : min(0.86, ground - 0.08)
        let end = isDark ? 0.90 : 0.36
        return (0..<heatSteps).map { step in
            let share = Double(step) / Double(heatSteps - 1)
            let position = share * Double(points.count - 1)
            let index = min(Int(position), max(0, points.count - 2))
            var point = points[index].mixed(with: points[min(index + 1, points.count - 1)], position - Double(index))
            point.lightness = start + (end - start) * share
            return point.rgb
        }
    }
}

/// A colour as a terminal of some depth takes it.
public enum TerminalColour: Hashable, Sendable {
    /// The terminal's own.
    case standard
    /// A number in its palette.
    case indexed(UInt8)
    case direct(RGB)
}

extension Theme {
    /// An ink for a terminal. 256 colours take the nearest of the fixed 240 (the first sixteen belong to the user); 16 take
    /// the ANSI colour of the same meaning; mono takes none.
    public func terminalColour(_ ink: Ink, isBackground: Bool, depth: TerminalCapabilities.ColourDepth)
        -> TerminalColour
    {
        switch depth {
        case .mono: return .standard
        case .direct, .palette256:
            let ground: Role = isBackground ? .background : .text
            let colour = self.colour(ink) ?? self[ground]
            return depth == .direct ? .direct(colour) : .indexed(Palette.nearest256(colour))
        case .sixteen:
            switch ink.kind {
            case .standard, .clear: return .standard
            case .role(let role): return Self.ansi(role, isBackground: isBackground)
            case .rgb(let colour): return .indexed(Palette.nearest16(colour))
            case .heat(let step): return .indexed([4, 6, 2, 3, 1][min(4, step * 5 / Self.heatSteps)])
            case .blend(let low, let high, let step):
                return Self.ansi(step < 32 ? low : high, isBackground: isBackground)
            }
        }
    }

    private static func ansi(_ role: Role, isBackground: Bool) -> TerminalColour {
        switch role {
        case .background, .surface, .strip, .text, .title: .standard
        case .selectionText: .indexed(7)
        case .border, .dim, .faint: isBackground ? .standard : .indexed(7)
        case .track: isBackground ? .standard : .indexed(7)
        case .selection: .indexed(4)
        case .focusBorder, .accent: .indexed(6)
        case .second: .indexed(5)
        case .good: .indexed(2)
        case .warn, .hot: .indexed(3)
        case .bad: .indexed(1)
        case .frozen: .indexed(4)
        case .onFill: .indexed(0)
        }
    }

    /// Attributes that take over what colour cannot say on a terminal of this depth.
    public func terminalAttributes(_ style: Style, depth: TerminalCapabilities.ColourDepth) -> Style.Attributes {
        var attributes = style.attributes
        if depth == .mono {
            switch style.background.kind {
            case .role(.selection), .role(.good), .role(.warn), .role(.bad), .role(.accent), .role(.frozen):
                attributes.insert(.reverse)
            default: break
            }
            switch style.foreground.kind {
            case .role(.bad), .role(.warn), .role(.hot), .role(.focusBorder), .role(.title): attributes.insert(.bold)
            case .role(.faint): attributes.insert(.dim)
            default: break
            }
        } else if depth == .sixteen {
            switch style.foreground.kind {
            case .role(.faint), .role(.border), .role(.track): attributes.insert(.dim)
            // Bold turns black into a grey that nobody can read on a fill.
            case .role(.onFill): attributes.remove(.bold)
            default: break
            }
        }
        return attributes
    }
}

/// The fixed part of the 256-colour palette, and nearest colours in OKLab.
public enum Palette {
    /// The colours that xterm gives the numbers 16...255: a cube of six steps and a ramp of greys.
    public static let xterm: [RGB] = (16...255).map { index in
        if index >= 232 {
            let grey = UInt8(8 + (index - 232) * 10)
            return RGB(grey, grey, grey)
        }
        let steps: [UInt8] = [0, 95, 135, 175, 215, 255]
        let cube = index - 16
        return RGB(steps[cube / 36], steps[cube / 6 % 6], steps[cube % 6])
    }

    private static let xtermLab = xterm.map { OKLab($0) }

    /// xterm's defaults for the sixteen named colours: what the user sees may differ.
    private static let namedLab: [OKLab] = [
        0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
    ].map { OKLab(RGB(hex: $0)) }

    /// The number (16...255) of the colour that looks nearest.
    public static func nearest256(_ colour: RGB) -> UInt8 { UInt8(16 + nearest(OKLab(colour), in: xtermLab)) }

    /// The number (0...7) of the named colour that looks nearest.
    public static func nearest16(_ colour: RGB) -> UInt8 { UInt8(nearest(OKLab(colour), in: namedLab)) }

    private static func nearest(_ colour: OKLab, in palette: [OKLab]) -> Int {
        var best = 0
        var least = Double.infinity
        for (index, candidate) in palette.enumerated() {
            let distance = colour.distance(to: candidate)
            if distance < least { (best, least) = (index, distance) }
        }
        return best
    }
}
