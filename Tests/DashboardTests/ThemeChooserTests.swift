import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

@Suite struct ThemeChooserTests {
    private static let light = (try? ThemeLibrary().load("sellout-light"))!
    private static let nord = (try? ThemeLibrary().load("nord"))!

    private func driver(_ names: [String] = ThemeLibrary().names) -> Driver {
        var driver = Driver()
        driver.model.themeNames = names
        driver.model.themeName = "sellout-dark"
        return driver
    }

    @Test func whatTheCursorStandsOnIsTriedOnAndEnterKeepsIt() {
        var driver = driver()
        driver.type("T")
        #expect(driver.text.contains("theme") && driver.text.contains("sellout-light"))
        #expect(driver.taken() == [])
        driver.press(.down)
        #expect(driver.taken() == [.previewTheme("sellout-light")])
        driver.send(.themePreview("sellout-light", .theme(Self.light)))
        #expect(driver.model.theme == Self.light)
        driver.press(.enter)
        #expect(driver.taken() == [.chooseTheme("sellout-light")])
        driver.send(.themeChosen("sellout-light", Self.light))
        #expect(driver.model.theme == Self.light && driver.model.themeName == "sellout-light")
        #expect(driver.model.dialogs.isEmpty)
    }

    /// Esc, the brake, and a chooser opened and left again: the theme from before is back.
    @Test(arguments: [KeyPress.escape, .char("X")]) func whateverClosesItBringsBackTheThemeFromBefore(key: KeyPress) {
        var driver = driver()
        let before = driver.model.theme
        driver.type("Tj")
        driver.send(.themePreview("sellout-light", .theme(Self.light)))
        #expect(driver.model.theme == Self.light)
        driver.press(key)
        #expect(driver.model.dialogs.isEmpty && driver.model.theme == before)
        // What was asked for before and comes now is not shown.
        driver.send(.themePreview("sellout-light", .theme(Self.light)))
        #expect(driver.model.theme == before)
    }

    @Test func aBrokenThemeIsToldInTheChooserAndCannotBeKept() {
        var driver = driver(["broken", "sellout-dark"])
        let before = driver.model.theme
        driver.type("Tk")
        #expect(driver.taken() == [.previewTheme("broken")])
        driver.send(.themePreview("broken", .problem("broken.yaml:7:base02: is “x”, not a colour")))
        #expect(driver.text.contains("broken.yaml:7:base02"))
        #expect(driver.model.theme == before)
        driver.press(.enter)
        #expect(driver.taken() == [.bell])
        #expect(!driver.model.dialogs.isEmpty)
    }

    @Test func aThemeThatIsReadAnewMeanwhileIsWhatEscBringsBack() {
        var driver = driver()
        driver.type("Tj")
        driver.send(.themePreview("sellout-light", .theme(Self.light)))
        driver.send(.themeChanged(Self.nord))
        #expect(driver.model.theme == Self.light)
        driver.press(.escape)
        #expect(driver.model.theme == Self.nord)
        driver.send(.themeChanged(Self.light))
        #expect(driver.model.theme == Self.light)
    }

    @Test func theCursorGoesRoundAndNeverPastTheEnds() {
        var driver = driver()
        let names = driver.model.themeNames
        driver.type("T")
        driver.press(.pageDown, .pageDown, .pageDown, .pageDown)
        #expect(driver.taken().last == .previewTheme(names.last!))
        driver.press(.down)
        #expect(driver.taken() == [.previewTheme(names[0])])
        driver.press(.up)
        #expect(driver.taken() == [.previewTheme(names.last!)])
        driver.type("g")
        #expect(driver.taken() == [.previewTheme(names[0])])
    }

    /// A name is text from a folder.
    @Test func hostileNamesAreHarmless() {
        var driver = driver(["\u{1B}[2J\u{202E}evil", "sellout-dark", String(repeating: "長", count: 300)])
        driver.type("Tj")
        driver.send(.themePreview(driver.model.themeNames[2], .problem("\u{1B}]0;x\u{7}: \u{9B}1m")))
        #expect(!driver.text.unicodeScalars.contains { $0.value < 0x20 && $0.value != 0x0A || $0.value == 0x202E })
        for (columns, rows) in [(60, 16), (80, 24), (220, 60)] {
            driver.send(.resized(columns: columns, rows: rows))
            #expect(driver.screen.columns == columns)
        }
    }

    @Test func withoutThemesItSaysSo() {
        var driver = driver([])
        driver.type("T")
        #expect(driver.model.dialogs.isEmpty && driver.text.contains("no themes"))
    }
}
