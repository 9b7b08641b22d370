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

    /// As much trouble at once as there can be, with names as long as people make them.
    private static func trouble() -> WarRoomSnapshot {
        var snapshot = Fixture.crashedDurable()
        snapshot.saleName = "the great winter clearance of everything that is left"
        snapshot.drift.unread = 22
        snapshot.drift.oversoldUnits = 12_345
        snapshot.drift.lostOrders = 4_321
        snapshot.drift.lostUnits = 54_321
        snapshot.drift.byKind = [.inFlight: 312_000, .lostInRedis: 123_456, .missingLedgerEntry: 1_234_567]
        snapshot.ledger.storeError = "SQL does not answer: the file is locked by another program since 12 minutes"
        snapshot.ledger.deadLetters = 1_234
        snapshot.ledger.isUnattended = true
        snapshot.ledger.archivedOrders = 12_345_678
        snapshot.ledger.backlogMilliseconds = 754_000
        snapshot.life.refundsPending = 1_234
        snapshot.life.refundsSettled = 54_321
        snapshot.life.paymentsWaiting = 4_321
        snapshot.life.reservedAgain = 12_345
        snapshot.life.expired = 123_456
        snapshot.life.sweepP99Milliseconds = 12_345
        snapshot.life.deadLetters = ["4-1234: \(String(repeating: "what SQL said ", count: 12))"]
        for index in snapshot.nodes.indices {
            snapshot.nodes[index].address = "redis-master-\(index).production.shop.example.com:16379"
            snapshot.nodes[index].errors = 1_234_567
            snapshot.nodes[index].rateLimit = .init(ordersPerSecond: 12_345, turnedAway: 1_234_567)
        }
        for index in snapshot.skus.indices {
            snapshot.skus[index].sku = "SHOE-\(100_000 + index)-EU-42-BLACK"
            snapshot.skus[index].name = index % 2 == 0 ? "スニーカー 限定版 \(index)" : "A very long name of a thing \(index)"
            snapshot.skus[index].oversold = index % 7 == 0 ? 123_456 : 0
        }
        snapshot.orders.acceptedPerSecond = 1_234_567
        snapshot.orders.unknown = 123_456
        snapshot.opening = ScheduledOpening(atMilliseconds: 1_700_000_060_000, secondsLeft: 5_000)
        return snapshot
    }

    @Test(
        "nor in a sale where everything is wrong and every name is long",
        arguments: ["", "1", "\n", "2", "3", "4", "5", "6", "7", "8", "z", "+", "C", "E", "A"])
    func nothingIsCutInTrouble(_ key: String) {
        var driver = Driver(Self.trouble())
        if key == "\n" { driver.press(.enter) } else { driver.type(key) }
        if ["1", "2", "3", "4", "5"].contains(key), driver.model.screen == .overview { driver.type(key) }
        driver.answer()
        for isProduction in [false, true] {
            var model = driver.model
            if isProduction {
                var production = Driver(Self.trouble(), permissions: Permissions(canCrash: true, isProduction: true))
                if key == "\n" { production.press(.enter) } else { production.type(key) }
                production.answer()
                model = production.model
            }
            for (columns, rows) in Self.sizes {
                _ = model.update(.resized(columns: columns, rows: rows))
                let found = flaws(model)
                #expect(found.isEmpty, "\(key) at \(columns)x\(rows): \(found.prefix(3).joined(separator: "; "))")
            }
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

    @Test("at 40 by 10 a click takes the row it hits, and a list scrolls by rows, not by itself")
    func smallHands() {
        var driver = Driver(columns: 40, rows: 10)
        let lines = driver.text.split(separator: "\n", omittingEmptySubsequences: false)
        driver.send(.mouse(MouseEvent(.press, x: 5, y: 5)))
        let clicked = driver.cursor ?? ""
        #expect(lines[5].contains(clicked))
        driver.type("7")
        driver.answer()
        driver.type("j")
        // The first order is still in sight, above the cursor.
        let orders = driver.text.split(separator: "\n", omittingEmptySubsequences: false)
        let cursor = orders.firstIndex { $0.hasPrefix("▸") }
        #expect(cursor.map { orders[$0 - 1].contains("×") } == true, "\(driver.text)")
        driver.send(.mouse(MouseEvent(.press, x: 5, y: 5)))
        #expect(driver.text.split(separator: "\n", omittingEmptySubsequences: false)[5].hasPrefix("▸"))
    }
}
