/// What the terminal can show, as far as the environment tells.
public struct TerminalCapabilities: Hashable, Sendable {
    public enum ColourDepth: Int, Comparable, Sendable, CaseIterable {
        /// Attributes only.
        case mono = 0
        case sixteen = 16
        case palette256 = 256
        /// 24 bits.
        case direct = 16_777_216
        public static func < (left: ColourDepth, right: ColourDepth) -> Bool { left.rawValue < right.rawValue }
    }

    public var depth: ColourDepth
    public var glyphs: Glyphs
    /// The terminal's name, as TERM has it.
    public var term: String

    public init(depth: ColourDepth, glyphs: Glyphs, term: String) {
        self.depth = depth
        self.glyphs = glyphs
        self.term = term
    }

    /// Reads TERM, COLORTERM, NO_COLOR (set and not empty), and the character set of LC_ALL, LC_CTYPE, LANG (first that is
    /// not empty). With none of the three set, as in many containers, UTF-8 is taken; `C` and `POSIX` mean ASCII.
    public init(environment: [String: String]) {
        let term = environment["TERM"] ?? ""
        let colours = environment["COLORTERM"]?.lowercased() ?? ""
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        let charset = locale?.split(separator: "@").first?.split(separator: ".").dropFirst().last?.lowercased() ?? ""
        let isUTF8 = locale == nil || charset == "utf-8" || charset == "utf8"
        let isDumb = term.isEmpty || term == "dumb" || term == "unknown"
        let isConsole = term == "linux"
        let glyphs: Glyphs =
            !isUTF8 || isDumb || term.hasPrefix("vt") ? .ascii : isConsole ? Glyphs(ladder: .shades) : .unicode
        let depth: ColourDepth
        if isDumb || environment["NO_COLOR"].map({ !$0.isEmpty }) == true || term.hasPrefix("vt") {
            depth = .mono
        } else if colours == "truecolor" || colours == "24bit" || term.hasSuffix("-direct") {
            depth = .direct
        } else if term.contains("256")
            || ["alacritty", "xterm-kitty", "foot", "xterm-ghostty", "wezterm"].contains(term)
        {
            depth = .palette256
        } else {
            depth = .sixteen
        }
        self.init(depth: depth, glyphs: glyphs, term: term.isEmpty ? "dumb" : term)
    }
}
