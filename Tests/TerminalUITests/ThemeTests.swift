import Foundation
import Testing

@testable import TerminalUI

@Suite struct ThemeTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Themes").path

    private static let digits = (0..<16).map { "base0" + String($0, radix: 16).uppercased() }
    private static func file(_ change: (inout [String]) -> Void = { _ in }) -> String {
        var lines = ["system: \"base16\"", "name: \"T\"", "author: \"A\"", "variant: \"dark\"", "palette:"]
        lines += digits.map { "  \($0): \"#0a0b0c\"" }
        change(&lines)
        return lines.joined(separator: "\n") + "\n"
    }

    @Test func theBuiltInThemesAreTheFiles() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder).sorted()
        #expect(files == EmbeddedThemes.all.keys.sorted().map { $0 + ".yaml" })
        for (name, text) in EmbeddedThemes.all {
            #expect(try String(contentsOfFile: Self.folder + "/\(name).yaml", encoding: .utf8) == text)
        }
    }

    @Test(arguments: ThemeLibrary().names) func everyThemeIsReadable(name: String) throws {
        let theme = try ThemeLibrary().load(name)
        let isLight = EmbeddedThemes.all[name]?.contains("variant: \"light\"") == true
        #expect(theme.isDark == !isLight)
        let least: Double = name.hasPrefix("high-contrast") ? 7 : name.hasPrefix("solarized") ? 4 : 4.5
        #expect(theme[.text].contrast(with: theme[.background]) >= least)
        #expect(theme[.selectionText].contrast(with: theme[.selection]) >= 3)
        #expect(theme[.dim].contrast(with: theme[.background]) >= 2.4)
        for role in [Role.good, .warn, .bad, .accent, .focusBorder] {
            #expect(theme[role].contrast(with: theme[.background]) >= 2.2, "\(role)")
        }
        #expect(theme[.track].contrast(with: theme[.background]) < 1.6)
        #expect(theme.heat.count == Theme.heatSteps)
        let steps = theme.heat.map { OKLab($0).lightness }
        for (before, after) in zip(steps, steps.dropFirst()) {
            #expect(theme.isDark ? after > before - 0.004 : after < before + 0.004)
        }
    }

    /// What an eye without one kind of cone makes of a colour: Machado, Oliveira and Fernandes (2009), severity 1, on linear light.
    private static let cones: [(name: String, matrix: [[Double]])] = [
        (
            "protanopia",
            [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
        ),
        (
            "deuteranopia",
            [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
        ),
        (
            "tritanopia",
            [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
        ),
    ]

    private static func seen(_ colour: RGB, _ matrix: [[Double]]) -> RGB {
        let linear = [colour.red, colour.green, colour.blue].map { value -> Double in
            let share = Double(value) / 255
            return share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
        }
        let bytes = matrix.map { row -> UInt8 in
            let sum = min(1, max(0, zip(row, linear).reduce(0) { $0 + $1.0 * $1.1 }))
            let share = sum <= 0.0031308 ? sum * 12.92 : 1.055 * pow(sum, 1 / 2.4) - 0.055
            return UInt8((share * 255).rounded())
        }
        return RGB(bytes[0], bytes[1], bytes[2])
    }

    /// In the pair for colour-blind people no two meanings that stand side by side look alike.
    @Test(arguments: ["okabe-ito-dark", "okabe-ito-light"]) func theColourBlindSafePairIsSafe(name: String) throws {
        let theme = try ThemeLibrary().load(name)
        let roles: [Role] = [.good, .warn, .bad, .frozen]
        for (kind, matrix) in Self.cones {
            for (index, first) in roles.enumerated() {
                for second in roles[(index + 1)...] {
                    let (one, other) = (Self.seen(theme[first], matrix), Self.seen(theme[second], matrix))
                    #expect(OKLab(one).distance(to: OKLab(other)) > 0.06 * 0.06, "\(kind): \(first) and \(second)")
                }
            }
        }
    }

    @Test func readsWhatOthersWrite() throws {
        let plain = try BaseScheme(yaml: Self.file(), file: "x.yaml")
        #expect(plain.name == "T" && plain.palette.count == 16 && plain.palette[3] == RGB(hex: 0x0A0B0C))
        // No quotes and no hash, digits that YAML could take for a number, and a comment behind.
        let bare = try BaseScheme(yaml: Self.file { $0[5] = "  base00: 000123 # black" }, file: "x.yaml")
        #expect(bare.palette[0] == RGB(hex: 0x000123))
        let old = "scheme: Old\nauthor: A\n" + Self.digits.map { "\($0): \"aabbcc\"\n" }.joined()
        #expect(try BaseScheme(yaml: old, file: "x.yaml").name == "Old")
        let nameless = Self.digits.map { "\($0): \"aabbcc\"\n" }.joined()
        #expect(try BaseScheme(yaml: nameless, file: "a/mine.yaml").name == "mine")
        let more = (16..<24).map { "  base" + String($0, radix: 16).uppercased() + ": \"#ffffff\"\n" }.joined()
        #expect(try BaseScheme(yaml: Self.file() + more, file: "x").palette.count == 24)
        let roles = "roles:\n  bad: base03\n  good: \"#00ff00\"\n  heat: [\"#000000\", base02]\n"
        let refined = Theme(try BaseScheme(yaml: Self.file() + roles, file: "x"))
        #expect(refined[.good] == RGB(hex: 0xFF00) && refined[.bad] == RGB(hex: 0x0A0B0C))
    }

    @Test(arguments: [
        (file { $0[7] = "  base02: \"#12345\"" }, "t.yaml:8:base02: is “#12345”, not a colour"),
        (file { $0[7] = "  base02: #123456" }, "t.yaml:8:base02: is empty"),
        (file { $0[7] = "  base02: [1]" }, "t.yaml:8:base02: is not a colour"),
        (file { $0.remove(at: 7) }, "base02: is missing"),
        (file { $0[0] = "system: base99" }, "t.yaml:1:system: is “base99”"),
        (file { $0[2] = "author: [" }, "t.yaml:"),
        (file { $0.append("roles:\n  evil: base01") }, ":23:roles.evil: is not a role"),
        (file { $0.append("roles:\n  bad: base1F") }, ":23:roles.bad: names base1F"),
        (file { $0.append("roles:\n  heat: base01") }, ":23:roles.heat: needs a list"),
        (file { $0.append("roles: 3") }, ":22:roles: is not a map"),
        ("", "t.yaml:1:palette: is missing: the file is empty"),
        ("- 1", "t.yaml:1: is not a map"),
        (file { $0.append("name: again") }, "name: stands there twice"), ("\u{0}\u{1}", "t.yaml"),
        (String(repeating: "#", count: 70_000), "t.yaml: is larger"),
        (String(repeating: "- *a\n", count: 25), "t.yaml: has more than 24 aliases"),
    ]) func saysWhereItIsWrong(text: String, expected: String) throws {
        let error = try #require(throws: ThemeError.self) { try BaseScheme(yaml: text, file: "t.yaml") }
        #expect(error.description.contains(expected), "\(error)")
        #expect(!error.description.contains("\n") && error.description.hasPrefix("t.yaml"))
    }

    /// The forms in which published schemes differ: the text, and how many colours it gives.
    private static let published: [(String, Int)] = {
        var all: [(String, Int)] = []
        all.append(("\u{FEFF}" + file(), 16))
        all.append((file().replacingOccurrences(of: "\n", with: "\r\n"), 16))
        all.append((file { $0[5] = "  base00: \"090300\" #  ----" }, 16))
        all.append((file { $0[5] = "  base00: '0903AF'\t#\tx" }, 16))
        all.append((file { $0.remove(at: 3) }, 16))
        all.append((file { $0[1] = "name: \"Rosé Pine 長\"\nslug: rose-pine\ndescription: x" }, 16))
        all.append((file { $0[1] = "name: 3024" }, 16))
        all.append((file { $0[0] = "system: base24" }, 24))
        all.append(
            (file { $0[0] = "system: base24\n# c" } + "  base12: \"FF0000\" # before\n  base10: \"000000\"\n", 24))
        all.append((file { $0.remove(at: 0) } + "  base17: \"000000\"\n", 24))
        all.append(("scheme: Old\nauthor: A\n" + digits.map { $0.lowercased() + ": AABBCC\n" }.joined(), 16))
        all.append(("---\n" + file() + "\n# Reference\n#\n", 16))
        all.append((file { $0.append("extra: [1, 2]") }, 16))
        let eight = "palette:\n" + Tinted8.names.map { "  \($0): \"#1020f0\"\n" }.joined()
        let head = "scheme:\n  system: \"tinted8\"\n  supports:\n    styling-spec: \"0.2.0\"\n  name: E\n  author: A\n"
        all.append((head + "variant: \"dark\"\n" + eight, 16))
        all.append(
            (
                head + eight
                    + "  white-dim: \"#d8dee9\"\nui:\n  global.background.normal: \"#000000\"\n  border: \"#000000\"\n",
                16
            ))
        return all
    }()

    @Test(arguments: published) func readsEveryPublishedForm(text: String, colours: Int) throws {
        let scheme = try BaseScheme(yaml: text, file: "t.yaml")
        #expect(scheme.palette.count == colours && !scheme.name.isEmpty)
        #expect(Theme(scheme).heat.count == Theme.heatSteps)
    }

    @Test func aTinted8SchemeIsReadAsTheSixteenThatItAmountsTo() throws {
        let eight = Tinted8.names.enumerated().map { "  \($1): \"#00000\($0)\"\n" }.joined()
        let text = "scheme: {system: tinted8, name: E}\nvariant: light\npalette:\n\(eight)"
        let plain = try BaseScheme(yaml: text, file: "t.yaml")
        #expect(plain.name == "E" && plain.palette[0] == RGB(hex: 7) && plain.palette[5] == RGB(hex: 0))
        #expect(plain.palette[8] == RGB(hex: 1) && plain.palette[13] == RGB(hex: 4))
        for grounds in [
            "  global.background.normal: \"#ffffff\"", "  global:\n    background: \"#ffffff\"",
            "  global:\n    background:\n      normal: \"#ffffff\"",
        ] {
            let scheme = try BaseScheme(yaml: text + "ui:\n" + grounds + "\n", file: "t.yaml")
            #expect(scheme.palette[0] == RGB(hex: 0xFFFFFF), "\(grounds)")
        }
        let error = try #require(throws: ThemeError.self) {
            try BaseScheme(yaml: text.replacingOccurrences(of: "  cyan: \"#000006\"\n", with: ""), file: "t.yaml")
        }
        #expect(error.description.contains("t.yaml:4:cyan: is missing"))
    }

    /// What a base24 scheme leaves out is the nearest of its sixteen.
    @Test func aBase24SchemeFallsBackOnItsSixteen() throws {
        let scheme = try BaseScheme(
            yaml: Self.file { lines in
                lines[0] = "system: base24"
                lines[13] = "  base08: \"ff0000\""
                lines.append("  base13: \"00ff00\"")
            }, file: "t.yaml")
        #expect(scheme.palette[18] == RGB(hex: 0xFF0000) && scheme.palette[19] == RGB(hex: 0x00FF00))
        #expect(scheme.palette[16] == scheme.palette[0])
    }

    @Test func aMissingColourIsToldWithTheLineOfThePalette() throws {
        let error = try #require(throws: ThemeError.self) {
            try BaseScheme(yaml: Self.file { $0.remove(at: 7) }, file: "t.yaml")
        }
        #expect(error.description == "t.yaml:6:base02: is missing; a scheme has base00 to base0F")
        let old = Self.digits.dropLast().map { "\($0): AABBCC\n" }.joined()
        #expect(throws: ThemeError.self) { try BaseScheme(yaml: old, file: "t.yaml") }
        let none = try #require(throws: ThemeError.self) { try BaseScheme(yaml: "name: x", file: "t.yaml") }
        #expect(none.description == "t.yaml:1:base00: is missing; a scheme has base00 to base0F")
    }

    /// Printed on a terminal: letters, SGR and line ends, whatever a scheme calls itself.
    @Test(arguments: [TerminalCapabilities.ColourDepth.direct, .palette256, .sixteen, .mono])
    func aSampleIsLettersAndColoursOnly(depth: TerminalCapabilities.ColourDepth) throws {
        let scheme = try BaseScheme(
            yaml: Self.file { $0[1] = "name: \"a\\u001b[2Jb\\u202e\"" }, file: "x.yaml")
        for glyphs in [Glyphs.unicode, .ascii] {
            let text = Canvas.sample(of: scheme, name: "\u{9B}2J", glyphs: glyphs)
                .terminalText(Theme(scheme), depth: depth)
            let rest = text.replacing(/\u{1B}\[[0-9;]*m/, with: "")
            #expect(
                rest.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) || $0 == "\n" })
            if !glyphs.isUnicode { #expect(rest.utf8.allSatisfy { $0 < 0x80 }) }
            if depth != .direct { #expect(!text.contains("8;2;")) }
        }
    }

    @Test func foldersComeBeforeTheBuiltIn() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("themes-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.file().write(to: folder.appendingPathComponent("nord.yaml"), atomically: true, encoding: .utf8)
        let library = ThemeLibrary(folders: ["/dev/null/none", folder.path])
        #expect(try library.load("nord").name == "T")
        #expect(try library.load(folder.path + "/nord.yaml").name == "T")
        #expect(try ThemeLibrary().load("nord").name == "Nord")
        #expect(ThemeLibrary.standard.name == "Sellout Dark")
        #expect(throws: ThemeError.self) { try library.load("no-such") }
        #expect(throws: ThemeError.self) { try library.load("/dev/zero") }
        #expect(throws: ThemeError.self) { try library.load(folder.path + "/none.yaml") }
        #expect(library.names.contains("nord") && library.names.count == EmbeddedThemes.all.count)
    }
}

@Suite struct ColourTests {
    @Test func roundTripsThroughOKLab() {
        var random = SplitMix(seed: 11)
        for _ in 0..<500 {
            let colour = RGB(hex: .random(in: 0...0xFFFFFF, using: &random))
            #expect(OKLab(colour).rgb == colour)
        }
        #expect(RGB(hex: 0).mixed(with: RGB(hex: 0xFFFFFF), 0) == RGB(hex: 0))
        #expect(RGB(hex: 0).mixed(with: RGB(hex: 0xFFFFFF), 1) == RGB(hex: 0xFFFFFF))
        #expect(RGB(text: "#1E66f5")?.hex == 0x1E66F5)
        for bad in ["", "#", "12345", "1234567", "+12345", "zzzzzz", "##12345"] { #expect(RGB(text: bad) == nil) }
    }

    @Test func quantisesToWhatTheTerminalHas() {
        #expect(Palette.nearest256(RGB(hex: 0xFF0000)) == 196)
        #expect(Palette.nearest256(RGB(hex: 0x000000)) == 16)
        #expect(Palette.nearest256(RGB(hex: 0x808080)) == 244)
        #expect(Palette.nearest16(RGB(hex: 0xF01010)) == 1)
        for (index, colour) in Palette.xterm.enumerated() {
            #expect(Palette.xterm[Int(Palette.nearest256(colour)) - 16] == colour, "\(index)")
        }
        let theme = ThemeLibrary.standard
        #expect(theme.terminalColour(.bad, isBackground: false, depth: .mono) == .standard)
        #expect(theme.terminalColour(.bad, isBackground: false, depth: .sixteen) == .indexed(1))
        #expect(theme.terminalColour(.bad, isBackground: false, depth: .direct) == .direct(theme[.bad]))
        #expect(theme.terminalColour(.standard, isBackground: true, depth: .direct) == .direct(theme[.background]))
        #expect(theme.terminalAttributes(Style(.text, on: .selection), depth: .mono).contains(.reverse))
    }

    @Test func inksKeepWhatTheyAre() {
        #expect(Ink.heat(0).kind == .heat(0) && Ink.heat(1).kind == .heat(Theme.heatSteps - 1))
        #expect(Ink.heat(.nan).kind == .heat(0) && Ink.heat(9).kind == .heat(Theme.heatSteps - 1))
        #expect(Ink.blend(.good, .bad, 0.5).kind == .blend(.good, .bad, 32))
        for role in Role.allCases { #expect(Ink.role(role).kind == .role(role)) }
        #expect(Ink.rgb(RGB(hex: 0xABCDEF)).kind == .rgb(RGB(hex: 0xABCDEF)))
    }
}
