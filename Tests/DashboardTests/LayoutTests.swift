import Foundation
import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

/// What holds at every size: nothing is cut without a sign of it, and what is asked can be read and answered.
@Suite struct LayoutTests {
    /// What a screen of this size cuts or covers without saying so.
    private func flaws(_ model: Model) -> [String] {
        var canvas = model.blankCanvas
        canvas.flaws = []
        model.draw(on: &canvas)
        return canvas.flaws ?? []
    }

    private static let sizes: [(Int, Int)] = (0..<35).map { step in
        (40 + step * 6, [10, 24, 15, 40, 12, 24, 16, 32, 20, 60][step % 10])
    }

    @Test("no text is cut mid-word without an ellipsis, and none covers another", arguments: GoldenTests.Scene.allCases)
    func nothingIsCut(_ scene: GoldenTests.Scene) {
        var driver = scene.driver(columns: 120, rows: 40)
        for (columns, rows) in Self.sizes {
            driver.send(.resized(columns: columns, rows: rows))
            let found = flaws(driver.model)
            #expect(found.isEmpty, "\(scene) at \(columns)x\(rows): \(found.prefix(3).joined(separator: "; "))")
        }
    }

    @Test("the header's figures are whole at every width, however large they are")
    func headerFigures() {
        var snapshot = Fixture.open()
        snapshot.ledger.backlogEntries = 1_204
        snapshot.ledger.backlogMilliseconds = 1_250
        snapshot.orders.refused = 888_412_008
        snapshot.drift.oversoldUnits = 123_456
        snapshot.drift.lostOrders = 12_345
        snapshot.drift.units = 234_567
        snapshot.orders.p99Milliseconds = 1_250
        snapshot.orders.unknown = 123_456
        for columns in 40...240 {
            let driver = Driver(snapshot, columns: columns, rows: 24)
            let figures = driver.text.split(separator: "\n", omittingEmptySubsequences: false)[
                columns < Layout.roomyColumns ? 0...0 : 1...2
            ].joined()
            #expect(!figures.contains("…"), "\(columns): \(figures)")
            #expect(figures.contains("123k"), "oversold at \(columns): \(figures)")
        }
    }

    @Test("at 40 by 10 each act says whole what it does to what, and is done by y")
    func smallQuestions() {
        let acts: [(keys: String, says: [String], effect: Effect)] = [
            ("z", ["SKU 1001", "Nobody can buy it"], .setFrozen(SKUNumber(rawValue: 1), true)),
            ("+250", ["SKU 1001", "Puts more units", "units"], .restock(SKUNumber(rawValue: 1), units: 250)),
            ("C2", ["kill -9 node 2", "no acknowledged order is lost"], .crash(node: 1)),
            ("E", ["for good", "cannot be opened again", "reservations"], .closeSale(expires: false)),
            ("q", ["Quitting ends it"], .quit),
        ]
        for act in acts {
            var driver = Driver(columns: 40, rows: 10)
            driver.press(.down, .up)
            driver.type(act.keys)
            _ = driver.taken()
            let text = driver.text.replacing("\n", with: " ").split(separator: " ").joined(separator: " ")
            for words in act.says { #expect(text.contains(words), "\(act.keys): \(driver.text)") }
            #expect(!text.contains("…"), "\(act.keys): \(driver.text)")
            #expect(text.contains("yes Esc close"), "\(act.keys): \(driver.text)")
            #expect(flaws(driver.model).isEmpty)
            driver.type("y")
            #expect(driver.taken().contains(act.effect), "\(act.keys)")
        }
    }

    @Test("at 40 by 10 an act at a place marked production is typed and done")
    func smallProduction() {
        for (keys, says, effect) in [
            ("z", "PROD: type 1001", Effect.setFrozen(SKUNumber(rawValue: 1), true)),
            ("+250\t", "PROD: type 1001", .restock(SKUNumber(rawValue: 1), units: 250)),
        ] {
            var driver = Driver(columns: 40, rows: 10, permissions: Permissions(isProduction: true))
            driver.press(.down, .up)
            for key in keys { if key == "\t" { driver.press(.tab) } else { driver.type(String(key)) } }
            #expect(driver.text.contains(says), "\(driver.text)")
            #expect(driver.text.contains("PROD "))
            #expect(!driver.text.contains("…"), "\(driver.text)")
            driver.type("1001")
            #expect(driver.text.contains("Enter does it"), "\(driver.text)")
            _ = driver.taken()
            driver.press(.enter)
            #expect(driver.taken().contains(effect))
        }
    }

    @Test("the sale opens at 40 by 10, through its list")
    func smallOpening() {
        var driver = Driver(Fixture.warmed(), columns: 40, rows: 10)
        driver.type("F")
        driver.send(.preflight(Fixture.list()))
        #expect(driver.text.contains("GO"))
        #expect(driver.text.contains("5000"), "\(driver.text)")
        driver.type("y")
        #expect(driver.taken().contains(.openSale(buyersPerSecond: 5_000, seconds: 60)))
    }

    @Test("a screen that grows and shrinks while a dialog is open keeps the dialog and what it is about")
    func resizedDialog() {
        for keys in ["z", "+250", "C2", "E", "q", "?", "T", "A", ":he"] {
            var driver = Driver()
            driver.model.themeNames = ThemeLibrary().names
            driver.type(keys)
            let before = driver.model.dialogs
            for round in 0..<6 {
                driver.send(
                    round % 2 == 0 ? .resized(columns: 40, rows: 10) : .resized(columns: 400, rows: 120))
                #expect(flaws(driver.model).isEmpty, "\(keys): \(flaws(driver.model).prefix(3))")
            }
            driver.send(.resized(columns: 39, rows: 9))
            #expect(driver.text.contains("needs"))
            driver.send(.resized(columns: 120, rows: 40))
            #expect(driver.model.dialogs == before)
        }
    }

    @Test("the word PROD and the red frame stay bright under a dialog")
    func productionStaysBright() throws {
        for (columns, rows) in [(120, 40), (80, 24), (40, 10)] {
            var driver = Driver(
                columns: columns, rows: rows, permissions: Permissions(canCrash: true, isProduction: true))
            for keys in ["z", "?", ":"] {
                driver.type(keys)
                let canvas = driver.screen
                let lines = canvas.plainText.split(separator: "\n", omittingEmptySubsequences: false)
                let at = try #require(lines[0].range(of: "PROD"))
                let x = lines[0].distance(from: lines[0].startIndex, to: at.lowerBound)
                #expect(canvas[x, 0]?.style == Style(.onFill, on: .bad, .bold))
                if rows > 15 { #expect(canvas[0, 0]?.style.foreground == .role(.bad)) }
                driver.press(.escape)
            }
        }
    }
}
