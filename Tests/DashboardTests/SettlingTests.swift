import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

/// Settling what is oversold, from the drift screen: what is confirmed is what was read.
@Suite struct SettlingTests {
    private func driver(_ permissions: Permissions = Permissions()) -> Driver {
        var driver = Driver(Fixture.crashedMemory(), permissions: permissions)
        driver.type("44")
        _ = driver.taken()
        return driver
    }

    @Test func theListIsShownBeforeAnythingIsDone() {
        var driver = driver()
        driver.type("O")
        #expect(driver.taken() == [.planSettling(.newestFirst)])
        driver.send(.settlingReady(Fixture.settling(.newestFirst)))
        #expect(driver.text.contains("19 orders would be rolled back") && driver.text.contains("refund"))
        #expect(driver.text.contains(Fixture.flows[0].description))
        driver.press(.enter, .char(" "))
        #expect(driver.taken() == [])
        driver.type("y")
        #expect(driver.taken() == [.applySettling(id: 9)])
        #expect(driver.model.dialogs.isEmpty)
    }

    @Test func anotherRuleIsAskedForAndItsListIsTheOneConfirmed() {
        var driver = driver()
        driver.type("O")
        driver.send(.settlingReady(Fixture.settling(.newestFirst)))
        _ = driver.taken()
        driver.press(.tab)
        #expect(driver.taken() == [.planSettling(.oldestFirst)])
        driver.send(.settlingReady(Fixture.settling(.oldestFirst, id: 10)))
        #expect(driver.text.contains("the oldest first"))
        driver.type("y")
        #expect(driver.taken() == [.applySettling(id: 10)])
    }

    @Test func productionWantsTheSaleTyped() {
        var driver = driver(Permissions(isProduction: true))
        driver.type("O")
        driver.send(.settlingReady(Fixture.settling(.newestFirst)))
        _ = driver.taken()
        driver.type("y")
        driver.press(.enter)
        #expect(driver.taken() == [.bell])
        driver.press(.control("u"))
        driver.type("summer-drop")
        driver.press(.enter)
        #expect(driver.taken() == [.applySettling(id: 9)])
    }

    @Test func nobodyToLoseOpensNoDialogAndReadOnlyIsNotBound() {
        var driver = driver()
        driver.type("O")
        driver.send(.settlingReady(SettlingPlan(id: 1, policy: .newestFirst, lines: [], losers: 0, takenIn: 0)))
        #expect(driver.model.dialogs.isEmpty && driver.text.contains("nobody would lose"))
        var watcher = self.driver(Permissions(isReadOnly: true))
        watcher.type("O")
        #expect(watcher.taken() == [.bell] && watcher.text.contains("READ-ONLY"))
    }

    /// A list that comes late never opens under a hand that is about to confirm something else.
    @Test func aLateListOpensNothingOverAnotherDialog() {
        var driver = driver()
        driver.type("OX")
        driver.press(.escape)
        driver.type("1z")
        driver.send(.settlingReady(Fixture.settling(.newestFirst)))
        #expect(driver.model.dialogs.count == 1)
        if case .freeze = driver.model.dialogs[0] {} else { Issue.record("\(driver.model.dialogs)") }
    }
}

/// What a mouse can do beyond the stock list.
@Suite struct PointingTests {
    /// Where a text stands on the screen.
    private func place(_ text: String, _ driver: Driver) -> (x: Int, y: Int)? {
        for (y, line) in driver.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if let range = line.firstRange(of: text) {
                return (line.distance(from: line.startIndex, to: range.lowerBound), y)
            }
        }
        return nil
    }

    private func click(_ text: String, _ action: MouseEvent.Action = .press, _ driver: inout Driver) throws {
        let spot = try #require(place(text, driver), "\(driver.text)")
        driver.send(.mouse(MouseEvent(action, x: spot.x, y: spot.y)))
    }

    @Test func aClickOnAThemeTriesItOnAndASecondKeepsIt() throws {
        var driver = Driver()
        driver.model.themeNames = ThemeLibrary().names
        driver.type("T")
        try click("nord", .press, &driver)
        #expect(driver.taken() == [.previewTheme("nord")])
        try click("nord", .doubleClick, &driver)
        #expect(driver.taken() == [.chooseTheme("nord")])
    }

    @Test func aClickOnAScreensNameBelowGoesThere() throws {
        var driver = Driver()
        driver.type("1")
        try click("nodes 3 up", .press, &driver)
        #expect(driver.model.screen == .nodes)
        try click("audit", .press, &driver)
        #expect(driver.model.screen == .audit)
        driver.press(.escape)
        #expect(driver.model.screen == .overview)
    }

    @Test func theWheelAndAClickChooseInThePalette() throws {
        var driver = Driver()
        driver.type(":")
        driver.send(.mouse(MouseEvent(.wheelDown, x: 50, y: 10)))
        #expect(driver.model.palette?.chosen == 1)
        try click("load over the 16,384", .press, &driver)
        #expect(driver.model.palette?.chosen == 3)
        try click("load over the 16,384", .press, &driver)
        #expect(driver.model.palette == nil && driver.model.screen == .heat)
    }
}

/// What the large tables do with what does not fit.
@Suite struct FittingTests {
    @Test func theWidestSKUOfTheWholeCatalogueFits() {
        var snapshot = Fixture.open()
        snapshot.skus[900].sku = "SHOE-100200"
        var driver = Driver(snapshot)
        driver.type("/SHOE-1")
        driver.press(.enter)
        #expect(driver.text.contains("SHOE-100200 "), "\(driver.text)")
    }

    @Test func rowsSortedByRateAreSortedByTheRateTheyShow() {
        var snapshot = Fixture.open()
        var driver = Driver(snapshot)
        driver.send(.tick(seconds: 200))
        driver.send(.snapshot(snapshot))
        for index in 0..<40 { snapshot.skus[index].unitsPerSecond = Double((index * 37) % 41) * 100 }
        driver.send(.tick(seconds: 200.25))
        driver.send(.snapshot(snapshot))
        let rates = driver.model.list.order.prefix(20).map { driver.model.shown.skus[Int($0)].unitsPerSecond }
        #expect(rates == rates.sorted(by: >))
    }

    @Test func anEventOfWhichOnlyAPartFitsBeginsAtItsBeginning() {
        var snapshot = Fixture.open()
        snapshot.events = [
            .init(
                number: 1, atMilliseconds: 1, severity: .info,
                text: "first " + String(repeating: "of many words ", count: 12) + "last"),
            .init(number: 2, atMilliseconds: 2, severity: .info, text: "the newest"),
        ]
        let text = Driver(snapshot, columns: 80, rows: 24).text
        #expect(text.contains("first of many") && text.contains("the newest") && !text.contains("words last"))
    }

    @Test func theShareAtWhichASKUIsLowIsTheConfiguredOne() {
        var snapshot = Fixture.open()
        var driver = Driver(snapshot, columns: 200, rows: 100)
        driver.type("?")
        #expect(driver.text.contains("a tenth or less is left"))
        for index in snapshot.skus.indices { snapshot.skus[index].lowShare = 0.25 }
        driver = Driver(snapshot, columns: 200, rows: 100)
        driver.type("?")
        #expect(driver.text.contains("25 % or less is left"))
    }
}
