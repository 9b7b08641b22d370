/// One drawn unit of text: a scalar, what combines with it, and the cells it takes.
public struct Cluster: Hashable, Sendable {
    public var scalar: UInt32
    /// Up to three combining scalars; 0 means none.
    public var mark1: UInt32 = 0
    public var mark2: UInt32 = 0
    public var mark3: UInt32 = 0
    /// Cells: 1 or 2.
    public var width: UInt8

    /// Appends the scalars to text.
    func write(to text: inout String) {
        for value in [scalar, mark1, mark2, mark3] where value != 0 {
            text.unicodeScalars.append(Unicode.Scalar(value) ?? "\u{FFFD}")
        }
    }
}

/// Makes text from outside harmless and measurable. Every string that reaches a cell passes here, and so should every
/// string that reaches a log or an export.
///
/// - C0 controls and DEL become their control pictures (`␛`), C1 controls, private-use scalars and non-characters `�`.
/// - Bidi controls, U+2028/9, tag characters and invisible format characters become `·`.
/// - Joiners and variation selectors vanish: terminals disagree on the width of what they join.
/// - Regional indicators become their letters, for the same reason.
/// - At most three combining marks stay on a base; a mark without a base sits on `◌`.
///
/// Swift repairs invalid UTF-8 to U+FFFD when it makes a `String`, so that case is closed before this one.
public struct SafeText: Sequence, IteratorProtocol, Sendable {
    private var scalars: String.UnicodeScalarView.Iterator
    private var pending: UInt32?

    /// Reads the text's clusters in order.
    public init(_ text: String) {
        scalars = text.unicodeScalars.makeIterator()
        pending = nil
    }

    /// The next cluster, or nil at the end.
    public mutating func next() -> Cluster? {
        guard let first = pending ?? nextShown() else { return nil }
        pending = nil
        var cluster: Cluster
        let width = WidthTable.width(of: first)
        cluster =
            width == 0
            ? Cluster(scalar: 0x25CC, mark1: first, width: 1) : Cluster(scalar: first, width: UInt8(width))
        while let follower = nextShown() {
            guard WidthTable.width(of: follower) == 0 else {
                pending = follower
                break
            }
            if cluster.mark1 == 0 {
                cluster.mark1 = follower
            } else if cluster.mark2 == 0 {
                cluster.mark2 = follower
            } else if cluster.mark3 == 0 {
                cluster.mark3 = follower
            }
        }
        return cluster
    }

    /// The next scalar after replacement; nothing that vanishes.
    private mutating func nextShown() -> UInt32? {
        while let scalar = scalars.next() {
            if let shown = Self.shown(scalar.value) { return shown }
        }
        return nil
    }

    /// What stands for a scalar on the screen; nil when it vanishes.
    static func shown(_ value: UInt32) -> UInt32? {
        if value >= 0x20 && value < 0x7F { return value }
        switch value {
        case 0..<0x20: return 0x2400 + value
        case 0x7F: return 0x2421
        case 0x80..<0xA0: return 0xFFFD
        case 0xA0: return 0x20
        case 0xAD, 0x0600...0x0605, 0x061C, 0x06DD, 0x070F, 0x0890...0x0891, 0x08E2, 0x110BD, 0x110CD,
            0x13430...0x1343F,
            0x1BCA0...0x1BCA3, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
            0xFFF9...0xFFFB,
            0x1D173...0x1D17A, 0xE0000...0xE00FF, 0xE01F0...0xE0FFF:
            return 0xB7
        case 0x200C, 0x200D, 0x180B...0x180D, 0x180F, 0xFE00...0xFE0F, 0xE0100...0xE01EF: return nil
        case 0xE000...0xF8FF, 0xF0000...0x10FFFF, 0xFDD0...0xFDEF: return 0xFFFD
        case 0x1F1E6...0x1F1FF: return value - 0x1F1E6 + 0x41
        default: return value & 0xFFFE == 0xFFFE ? 0xFFFD : value
        }
    }

    /// The text with everything harmful made visible: for logs, standard error and exports.
    public static func visible(_ text: String) -> String {
        var result = ""
        for cluster in SafeText(text) { cluster.write(to: &result) }
        return result
    }

    /// How many cells the text takes.
    public static func width(_ text: String) -> Int {
        var total = 0
        for cluster in SafeText(text) { total += Int(cluster.width) }
        return total
    }

    /// The text cut to at most `width` cells; a cut is shown by the `ellipsis` (which must be one cell wide).
    public static func fitted(_ text: String, width: Int, ellipsis: Character = "…") -> String {
        guard width > 0 else { return "" }
        var result = ""
        var used = 0
        // Where the text was one cell short of the width: the place for the ellipsis.
        var short = result
        for cluster in SafeText(text) {
            if used + Int(cluster.width) > width { return short + String(ellipsis) }
            cluster.write(to: &result)
            used += Int(cluster.width)
            if used < width { short = result }
        }
        return result
    }

    /// Breaks text into lines of at most `width` cells, at spaces where there are any; a newline breaks too.
    public static func wrapped(_ text: String, width: Int) -> [String] {
        guard width > 0 else { return [] }
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            var used = 0
            for word in paragraph.split(separator: " ", omittingEmptySubsequences: true) {
                let shown = visible(String(word))
                let size = self.width(shown)
                if used > 0 && used + 1 + size > width {
                    lines.append(line)
                    (line, used) = ("", 0)
                }
                if size <= width {
                    line += (used > 0 ? " " : "") + shown
                    used += (used > 0 ? 1 : 0) + size
                    continue
                }
                // Too long for any line: cut in one pass, since a name of 10 kB is one word.
                for cluster in SafeText(shown) {
                    if used > 0 && used + Int(cluster.width) > width {
                        lines.append(line)
                        (line, used) = ("", 0)
                    }
                    cluster.write(to: &line)
                    used += Int(cluster.width)
                }
            }
            lines.append(line)
        }
        return lines
    }
}
