/// A colour as the screen shows it: sRGB, eight bits a channel.
public struct RGB: Hashable, Sendable, CustomStringConvertible {
    public var red: UInt8
    public var green: UInt8
    public var blue: UInt8

    /// From three channels.
    public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// From `0xRRGGBB`.
    public init(hex: UInt32) {
        self.init(UInt8(hex >> 16 & 0xFF), UInt8(hex >> 8 & 0xFF), UInt8(hex & 0xFF))
    }

    /// Reads `rrggbb` or `#rrggbb`; nil when it is neither.
    public init?(text: String) {
        let digits = text.hasPrefix("#") ? text.dropFirst() : text[...]
        guard digits.utf8.count == 6, let value = UInt32(digits, radix: 16), !digits.hasPrefix("+") else { return nil }
        self.init(hex: value)
    }

    /// `0xRRGGBB`.
    public var hex: UInt32 { UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue) }

    /// `#rrggbb`.
    public var description: String {
        let digits = String(hex, radix: 16)
        return "#" + String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// Mixes two colours in OKLab, so that equal steps look equal.
    /// - Parameter fraction: 0 gives `self`, 1 gives `other`; values outside are clamped.
    public func mixed(with other: RGB, _ fraction: Double) -> RGB {
        let share = min(1, max(0, fraction))
        return OKLab(self).mixed(with: OKLab(other), share).rgb
    }

    /// Relative luminance as WCAG 2 defines it, 0 (black) to 1 (white).
    public var luminance: Double {
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// WCAG 2 contrast ratio, 1 to 21.
    public func contrast(with other: RGB) -> Double {
        let (high, low) = (max(luminance, other.luminance), min(luminance, other.luminance))
        return (high + 0.05) / (low + 0.05)
    }
}

/// A colour in OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020).
struct OKLab: Hashable, Sendable {
    var lightness: Double
    var a: Double
    var b: Double

    init(lightness: Double, a: Double, b: Double) {
        self.lightness = lightness
        self.a = a
        self.b = b
    }

    init(_ rgb: RGB) {
        let (red, green, blue) = (linear(rgb.red), linear(rgb.green), linear(rgb.blue))
        let long = cubeRoot(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
        let medium = cubeRoot(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
        let short = cubeRoot(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
        lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
        a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
        b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    }

    func mixed(with other: OKLab, _ share: Double) -> OKLab {
        OKLab(
            lightness: lightness + (other.lightness - lightness) * share,
            a: a + (other.a - a) * share,
            b: b + (other.b - b) * share)
    }

    /// Squared distance; order is all that callers need.
    func distance(to other: OKLab) -> Double {
        let (x, y, z) = (lightness - other.lightness, a - other.a, b - other.b)
        return x * x + y * y + z * z
    }

    /// The linear channels, which may lie outside 0...1 when the colour is outside sRGB.
    private var linearChannels: (Double, Double, Double) {
        let long = cube(lightness + 0.3963377774 * a + 0.2158037573 * b)
        let medium = cube(lightness - 0.1055613458 * a - 0.0638541728 * b)
        let short = cube(lightness - 0.0894841775 * a - 1.2914855480 * b)
        return (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
        )
    }

    /// The nearest displayable colour of this lightness and hue: chroma gives way, lightness does not, because lightness
    /// is what carries a heat ramp for people who do not see the hue.
    var rgb: RGB {
        var candidate = self
        var chroma = 1.0
        for _ in 0..<24 {
            let (red, green, blue) = candidate.linearChannels
            let range = -0.0005...1.0005
            if range.contains(red) && range.contains(green) && range.contains(blue) { break }
            chroma *= 0.9
            candidate = OKLab(lightness: lightness, a: a * chroma, b: b * chroma)
        }
        let (red, green, blue) = candidate.linearChannels
        return RGB(encoded(red), encoded(green), encoded(blue))
    }
}

// sRGB transfer function, IEC 61966-2-1.
private func linear(_ channel: UInt8) -> Double { linearTable[Int(channel)] }

private let linearTable: [Double] = (0...255).map { step in
    let value = Double(step) / 255
    return value <= 0.04045 ? value / 12.92 : power((value + 0.055) / 1.055, 2.4)
}

private func encoded(_ value: Double) -> UInt8 {
    let bounded = min(1, max(0, value))
    let channel = bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * power(bounded, 1 / 2.4) - 0.055
    return UInt8((channel * 255).rounded())
}

private func cube(_ value: Double) -> Double { value * value * value }
