import Testing

@testable import TerminalUI

@Suite struct SafeTextTests {
    @Test(arguments: [
        ("plain", "plain", 5), ("\u{1B}[31m", "␛[31m", 5), ("a\tb\nc", "a␉b␊c", 5), ("\u{7F}", "␡", 1),
        ("\u{9B}31m", "\u{FFFD}31m", 4), ("a\u{202E}b", "a·b", 3), ("\u{2028}\u{2029}", "··", 2), ("\u{E0041}", "·", 1),
        ("日本", "日本", 4), ("🎒", "🎒", 2), ("🏕", "🏕", 1), ("e\u{301}", "e\u{301}", 1), ("\u{301}", "◌\u{301}", 1),
        ("👩\u{200D}👧", "👩👧", 4), ("☁\u{FE0F}", "☁", 1), ("🇩🇪", "DE", 2), ("\u{E000}", "\u{FFFD}", 1),
        ("한국", "한국", 4), ("\u{200B}", "·", 1), ("\u{FEFF}", "·", 1), ("\0", "␀", 1),
    ]) func showsWhatIsHarmful(text: String, shown: String, width: Int) {
        #expect(SafeText.visible(text) == shown)
        #expect(SafeText.width(text) == width)
    }

    @Test("whatever scalars come, what reaches a cell is visible, directs nothing, and is as wide as it says")
    func everyScalarIsHarmless() {
        var faults: [String] = []
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for shown in SafeText.visible(String(scalar)).unicodeScalars {
                switch shown.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate:
                    faults.append("U+\(String(value, radix: 16)) as U+\(String(shown.value, radix: 16))")
                default: break
                }
            }
        }
        #expect(faults.isEmpty, "\(faults.count): \(faults.prefix(20))")
    }

    @Test func capsCombiningMarks() {
        let zalgo = "a" + String(repeating: "\u{301}", count: 500) + "b"
        #expect(SafeText.visible(zalgo).unicodeScalars.count == 5)
        #expect(SafeText.width(zalgo) == 2)
    }

    @Test(arguments: [
        ("hello", 10, "hello"), ("hello", 5, "hello"), ("hello", 4, "hel…"), ("hello", 1, "…"), ("hello", 0, ""),
        ("日本語", 6, "日本語"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("日本語", 3, "日…"), ("日本語", 2, "…"),
    ]) func cutsByCells(text: String, width: Int, expected: String) {
        #expect(SafeText.fitted(text, width: width) == expected)
    }

    @Test func wrapsAtSpacesAndBreaksLongWords() {
        #expect(SafeText.wrapped("one two three", width: 7) == ["one two", "three"])
        #expect(SafeText.wrapped("abcdefgh ij", width: 3) == ["abc", "def", "gh", "ij"])
        #expect(SafeText.wrapped("a\nb", width: 9) == ["a", "b"])
    }

    @Test func wrapsEverythingWithinTheWidth() {
        var random = SplitMix(seed: 7)
        for _ in 0..<200 {
            let text = String(decoding: (0..<60).map { _ in UInt8.random(in: 0...255, using: &random) }, as: UTF8.self)
            let width = Int.random(in: 2...20, using: &random)
            for line in SafeText.wrapped(text, width: width) { #expect(SafeText.width(line) <= width) }
            #expect(SafeText.width(SafeText.fitted(text, width: width)) <= width)
        }
    }
}

/// A small generator with a seed, so that a failure can be seen again (Steele, Lea, Flood: SplitMix64).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
