import Testing

@testable import TerminalUI

@Suite struct FormatTests {
    @Test(
        arguments: [
            (0, "0"), (7, "7"), (812, "812"), (999, "999"), (999.5, "1.00k"), (1000, "1.00k"), (4120, "4.12k"),
            (48_200, "48.2k"),
            (482_000, "482k"), (999_499, "999k"), (999_950, "1.00M"), (1_200_000, "1.20M"), (9_996, "10.0k"),
            (99_960, "100k"),
            (1e15, "1.00P"), (-48_200, "-48.2k"), (.nan, "-"), (.infinity, "-"),
        ] as [(Double, String)]) func counts(value: Double, text: String)
    {
        #expect(Formats.count(value) == text)
    }

    @Test func countsNeverJitter() {
        var value = 1.0
        while value < 1e15 {
            #expect(Formats.count(value, width: 5).count == 5)
            value *= 1.013
        }
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (1_200_345, "1,200,345"), (-1234, "-1,234")])
    func groups(value: Int, text: String) {
        #expect(Formats.grouped(value) == text)
    }

    @Test(
        arguments: [
            (0, "0 ms"), (0.0004, "400 µs"), (0.0018, "1.8 ms"), (0.018, "18 ms"), (0.9996, "1.0 s"), (1.2, "1.2 s"),
            (42, "42 s"),
            (180, "3 min"), (10_800, "3.0 h"), (345_600, "4 d"), (-1.2, "-1.2 s"),
        ] as [(Double, String)]) func durations(seconds: Double, text: String)
    {
        #expect(Formats.duration(seconds: seconds) == text)
    }

    @Test func clocksBytesPercentagesRates() {
        #expect(Formats.clock(seconds: 42.9) == "00:42" && Formats.clock(seconds: 3723) == "1:02:03")
        #expect(Formats.bytes(114_000_000) == "114 MB" && Formats.bytes(812) == "812 B")
        #expect(Formats.percent(0) == "0 %" && Formats.percent(0.003) == "0.3 %" && Formats.percent(0.61) == "61 %")
        #expect(
            Formats.percent(0.9999) == "99 %" && Formats.percent(1) == "100 %" && Formats.percent(0.00001) == "0.1 %")
        #expect(Formats.rate(3.4) == "3.4/s" && Formats.rate(48_200) == "48.2k/s" && Formats.rate(0) == "0/s")
        #expect(Formats.bytes(Int.min).hasPrefix("-9.22 EB"))
    }
}

@Suite struct KeyTableTests {
    enum Place: Hashable, Sendable { case stock, drift }
    enum Act: Hashable, Sendable, CaseIterable { case freeze, compare, quit, up, close }

    private let table = KeyTable<Place, Act>([
        KeyBinding([.char("z")], in: [.stock], label: "freeze", help: "Freezes or thaws.", group: "Sale", .freeze),
        KeyBinding([.char("R")], in: [.drift], label: "compare", help: "Compares.", group: "Sale", .compare),
        KeyBinding([.up, .char("k")], help: "Moves up.", group: "Moving", .up),
        KeyBinding([.char("q")], label: "quit", help: "Quits.", group: "Program", .quit),
        KeyBinding([.char("q")], in: [.drift], help: "Closes the plan.", group: "Program", .close),
    ])

    @Test func theInnermostContextWins() {
        #expect(table.intent(for: .char("q"), in: [.drift, .stock]) == .close)
        #expect(table.intent(for: .char("q"), in: [.stock]) == .quit)
        #expect(table.intent(for: .char("z"), in: [.drift]) == nil)
        #expect(table.intent(for: .char("k"), in: []) == .up)
    }

    @Test func helpHoldsEveryBinding() {
        let lines = table.help().flatMap(\.lines)
        #expect(lines.count == table.bindings.count)
        for binding in table.bindings {
            #expect(lines.contains { $0.help == binding.help && $0.keys.hasPrefix(binding.keys[0].name()) })
        }
        var canvas = Canvas(columns: 100, rows: 40)
        canvas.help(table.help(), title: "keys")
        for binding in table.bindings { #expect(canvas.plainText.contains(binding.help)) }
    }

    @Test func footersFollowTheContext() {
        #expect(table.hints(in: .stock) == [Hint("z", "freeze")])
        #expect(table.hints(in: nil).map(\.label) == ["quit"])
        let readOnly = table.without { $0 == .freeze }
        #expect(readOnly.intent(for: .char("z"), in: [.stock]) == nil && readOnly.hints(in: .stock).isEmpty)
    }

    @Test func doubleBindingsAreFound() {
        #expect(table.conflicts.isEmpty)
        let twice = KeyTable<Place, Act>(table.bindings + [KeyBinding([.char("q")], help: "", group: "", .up)])
        #expect(twice.conflicts == [.char("q")])
    }

    @Test func hintsHighlightTheirLetter() {
        #expect(Hint("s", "sort").spans.map(\.text) == ["s", "ort"])
        #expect(Hint("F", "open Flash").spans.map(\.text) == ["open ", "F", "lash"])
        #expect(Hint("X", "halt").spans.map(\.text) == ["X", " halt"])
    }
}

@Suite struct CapabilityTests {
    @Test(
        arguments: [
            (["TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "de_DE.UTF-8"], .direct, .braille),
            (["TERM": "xterm-256color", "COLORTERM": "24bit"], .direct, .braille),
            (["TERM": "xterm-256color", "LANG": "C.utf8"], .palette256, .braille),
            (["TERM": "xterm", "LC_ALL": "", "LANG": "en_US.UTF-8"], .sixteen, .braille),
            (["TERM": "xterm", "LC_ALL": "C", "LANG": "en_US.UTF-8"], .sixteen, .ascii),
            (["TERM": "xterm", "LANG": "de_DE@euro"], .sixteen, .ascii),
            (["TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"], .mono, .braille),
            (["TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": ""], .direct, .braille),
            (["TERM": "dumb", "COLORTERM": "truecolor"], .mono, .ascii), ([:], .mono, .ascii),
            (["TERM": "linux", "LANG": "C.UTF-8"], .sixteen, .shades),
        ] as [([String: String], TerminalCapabilities.ColourDepth, Glyphs.Ladder)])
    func readsTheEnvironment(
        environment: [String: String], depth: TerminalCapabilities.ColourDepth, ladder: Glyphs.Ladder
    ) {
        let capabilities = TerminalCapabilities(environment: environment)
        #expect(capabilities.depth == depth && capabilities.glyphs.ladder == ladder)
    }
}
