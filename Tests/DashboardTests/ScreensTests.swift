import Foundation
import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

@Suite struct ScreenStackTests {
    @Test func aDigitFocusesAgainMakesLargeAndComesBack() {
        var driver = Driver()
        driver.type("2")
        #expect(driver.model.screen == .overview && driver.model.focus == .ledger)
        driver.type("2")
        #expect(driver.model.screen == .ledger)
        driver.type("2")
        #expect(driver.model.screen == .overview && driver.model.focus == .ledger)
    }

    @Test func aDigitOnAScreenGoesToAnotherInItsPlace() {
        var driver = Driver()
        driver.type("33678")
        #expect(driver.model.stack == [.overview, .audit])
        driver.press(.escape)
        #expect(driver.model.screen == .overview)
    }

    @Test func drillingDownComesBackTheSameWay() {
        var driver = Driver()
        driver.type("22")
        driver.answer()
        driver.type("j")
        driver.press(.enter)
        guard case .sku(let number) = driver.model.screen else {
            Issue.record("\(driver.model.screen)")
            return
        }
        #expect(
            driver.model.sku(number)?.ledgerEntries
                == driver.model.shown.skus.compactMap(\.ledgerEntries).sorted(by: >)[1])
        driver.press(.escape)
        #expect(driver.model.screen == .ledger)
        driver.press(.escape)
        #expect(driver.model.screen == .overview)
    }

    @Test func theSKUsOfASlotAreShownAndTheFilterBeforeComesBack() {
        var driver = Driver()
        driver.type("/camp")
        driver.press(.enter)
        driver.type("33")
        let tag = driver.model.bucketUnderCursor!.tag
        driver.press(.enter)
        #expect(driver.model.screen == .stock && driver.model.list.filter.text == "tag=\(tag)")
        let skus = driver.model.shown.skus
        #expect(!driver.model.list.order.isEmpty && driver.model.list.order.allSatisfy { skus[Int($0)].tag == tag })
        driver.press(.escape)
        #expect(driver.model.screen == .heat && driver.model.list.filter.text == "camp")
    }

    @Test func theSKUsOfANodeAreShown() {
        var driver = Driver()
        driver.type("6j")
        driver.press(.enter)
        let skus = driver.model.shown.skus
        #expect(driver.model.list.filter.text == "node=2")
        #expect(driver.model.list.order.allSatisfy { skus[Int($0)].node == 1 })
    }

    @Test func everyScreenIsDrawnAtEverySizeWithoutAnOverlapOrATrap() {
        for keys in ["11", "22", "33", "44", "55", "6", "7", "8", "1\r", ":", "/left<x"] {
            for (columns, rows) in [(60, 16), (61, 17), (80, 24), (100, 24), (120, 40), (200, 55), (400, 120)] {
                var driver = Driver(Fixture.crashedMemory(), columns: columns, rows: rows)
                for key in keys { driver.press(key == "\r" ? .enter : .char(key)) }
                driver.answer()
                HostileTests.check(driver.screen, "\(keys) \(columns)×\(rows)")
                driver.press(.down, .right, .pageDown, .end, .up)
                _ = driver.screen
            }
        }
    }
}

@Suite struct LookTests {
    @Test func aScreenAsksWhenItOpensAndAgainWhileItIsOpen() {
        var driver = Driver()
        driver.type("8")
        #expect(driver.taken() == [.look(.audit)])
        driver.send(.tick(seconds: 101))
        #expect(driver.taken() == [])
        driver.send(.seen(.audit, Fixture.sight(.audit)))
        driver.send(.tick(seconds: 101.5))
        #expect(driver.taken() == [])
        driver.send(.tick(seconds: 103))
        #expect(driver.taken() == [.look(.audit)])
        driver.press(.escape)
        driver.send(.tick(seconds: 200))
        #expect(driver.taken() == [])
    }

    @Test func anAnswerThatNeverComesIsAskedForAgain() {
        var driver = Driver()
        driver.type("8")
        _ = driver.taken()
        driver.send(.tick(seconds: 105))
        #expect(driver.taken() == [])
        driver.send(.tick(seconds: 111))
        #expect(driver.taken() == [.look(.audit)])
    }

    @Test func aHeldScreenAsksNothing() {
        var driver = Driver()
        driver.type("8p")
        _ = driver.taken()
        driver.send(.tick(seconds: 150))
        #expect(driver.taken() == [])
    }

    @Test func oneSKUIsAskedForAsTheCursorMoves() {
        var driver = Driver()
        driver.press(.enter)
        let first = driver.model.skuShown!
        #expect(driver.taken() == [.look(.sku(first))])
        driver.press(.down)
        let second = driver.model.skuShown!
        #expect(second != first)
        #expect(driver.taken() == [.look(.sku(second))])
        // What was asked for an earlier one does not show under this one.
        driver.send(.seen(.sku(first), Fixture.sight(.sku(first))))
        #expect(driver.text.contains("looking…"))
    }

    @Test func answersDoNotPileUp() {
        var driver = Driver()
        driver.press(.enter)
        for step in 0..<200 {
            driver.press(.down)
            driver.answer()
            driver.send(.tick(seconds: 100 + Double(step)))
        }
        #expect(driver.model.sights.count <= Model.sightsMax + 1)
        #expect(driver.model.looks.count <= Model.sightsMax + 2)
    }

    @Test func anOrderIsFoundByItsId() {
        var driver = Driver()
        driver.type("7")
        driver.answer()
        driver.type("/not an id")
        driver.press(.enter)
        #expect(driver.text.contains("is no order's id"))
        driver.type("/01a0c450-fcd4-7000-8a1b-22c30d4e7bbc")
        driver.press(.enter)
        #expect(driver.taken().contains(.look(.order("01a0c450-fcd4-7000-8a1b-22c30d4e7bbc"))))
        driver.send(.seen(.order("01a0c450-fcd4-7000-8a1b-22c30d4e7bbc"), .order(nil)))
        #expect(driver.text.contains("SQL has no order 01a0c450"))
    }

    @Test func theCursorStaysOnItsOrderWhileNewerOnesCome() {
        var driver = Driver()
        driver.type("7")
        driver.answer()
        driver.type("jjj")
        let flow = driver.model.orderUnderCursor!.flow
        guard case .orders(let known) = Fixture.sight(.orders(nil)) else { return }
        var newer = known[0]
        newer.flow = "01a0c4ff-0000-7000-8000-000000000000"
        driver.send(.seen(.orders(nil), .orders([newer, newer] + known)))
        #expect(driver.model.orderUnderCursor?.flow == flow)
        driver.type("gggg")
        driver.send(.seen(.orders(nil), .orders([newer] + known)))
        #expect(driver.model.orderUnderCursor?.flow == newer.flow)
    }

    @Test func theCursorStaysOnItsLedgerWhileOthersGrow() {
        var driver = Driver()
        driver.type("22jj")
        let number = driver.model.subject!.number
        var grown = Fixture.open()
        for index in grown.skus.indices.prefix(4) where grown.skus[index].number != number {
            grown.skus[index].ledgerEntries = 900_000
        }
        driver.send(.tick(seconds: 102))
        driver.send(.snapshot(grown))
        #expect(driver.model.subject?.number == number)
    }

    @Test func actsOfASKUScreenAreAboutThatSKU() {
        var driver = Driver()
        driver.press(.down, .down, .enter)
        let number = driver.model.skuShown!
        driver.type("z")
        var moved = Fixture.open()
        for index in moved.skus.indices { moved.skus[index].unitsPerSecond = Double(index) }
        driver.send(.tick(seconds: 105))
        driver.send(.snapshot(moved))
        driver.type("y")
        #expect(driver.taken().contains(.setFrozen(number, true)))
        #expect(driver.model.skuShown == number)
    }
}

@Suite struct BulkTests {
    @Test func whatIsMarkedIsFrozenAfterASummaryThatNamesIt() {
        var driver = Driver()
        let rows = driver.model.list.order.prefix(3).map { driver.model.shown.skus[Int($0)] }
        driver.type("   ")
        #expect(driver.text.contains("3 marked"))
        // The rows sort anew: the marks stay on their SKUs.
        var moved = Fixture.open()
        for index in moved.skus.indices { moved.skus[index].unitsPerSecond = Double(index) }
        driver.send(.tick(seconds: 105))
        driver.send(.snapshot(moved))
        driver.type("z")
        for sku in rows { #expect(driver.text.contains("\(sku.sku)  ")) }
        driver.press(.enter, .char(" "))
        #expect(driver.taken() == [])
        driver.type("y")
        guard case .bulk(let id, let parts)? = driver.taken().last else {
            Issue.record("no bulk act")
            return
        }
        #expect(Set(parts) == Set(rows.map { .setFrozen($0.number, true) }))
        for (index, sku) in rows.enumerated() {
            driver.send(.bulkStep(id: id, ActReport(sentence: "SKU \(sku.sku) is frozen", succeeded: index != 1)))
        }
        for sku in rows { #expect(driver.text.contains("SKU \(sku.sku) is frozen")) }
        #expect(driver.text.contains("2 done, 1 not"))
        #expect(driver.model.list.marks.isEmpty)
        #expect(driver.taken() == [.bell])
    }

    @Test func whatIsFrozenAlreadyIsLeftAlone() {
        var driver = Driver()
        driver.type("/100")
        driver.press(.enter)
        driver.type("*z")
        #expect(driver.text.contains("1 other marked is frozen already"))
        driver.type("y")
        guard case .bulk(_, let parts)? = driver.taken().last else {
            Issue.record("no bulk act")
            return
        }
        #expect(!parts.contains(.setFrozen(SKUNumber(rawValue: 5), true)))
        #expect(parts.count == driver.model.list.order.count - 1)
    }

    @Test func aBulkRestockSaysHowManyUnitsInAllAndTakesOnlyAnAmount() {
        var driver = Driver()
        driver.type("  +y")
        #expect(driver.taken() == [.bell])
        driver.type("250")
        #expect(driver.text.contains("500 units in all"))
        driver.type("y")
        guard case .bulk(_, let parts)? = driver.taken().last else {
            Issue.record("no bulk act")
            return
        }
        #expect(parts.count == 2)
        #expect(parts.allSatisfy { if case .restock(_, 250) = $0 { true } else { false } })
    }

    @Test func undoTakesTheLastFreezeBackAndAsks() {
        var driver = Driver()
        driver.type("u")
        #expect(driver.text.contains("nothing to undo"))
        let number = driver.model.cursorSKU!
        driver.type("zy")
        driver.type("u")
        #expect(driver.text.contains("thaw"))
        driver.type("y")
        #expect(driver.taken() == [.setFrozen(number, true), .setFrozen(number, false)])
    }

    @Test func undoTakesARestockBackOnceItWasDone() {
        var driver = Driver()
        let number = driver.model.cursorSKU!
        driver.type("+250")
        driver.type("y")
        // Not done yet, so there is nothing to take back.
        driver.type("u")
        #expect(driver.text.contains("nothing to undo"))
        driver.send(.actDone(ActReport(sentence: "refused", succeeded: false)))
        driver.type("u")
        #expect(driver.model.dialogs.isEmpty)
        driver.send(.actDone(ActReport(sentence: "done", succeeded: true, done: .restock(number, units: 250))))
        driver.type("u")
        #expect(driver.text.contains("Takes 250 units of it off sale again"))
        driver.type("y")
        #expect(
            driver.taken().filter { $0 != .bell } == [
                .restock(number, units: 250), .restock(number, units: -250),
            ])
        // Refused it stays on offer, done it does not.
        driver.send(.actDone(ActReport(sentence: "fewer are left", succeeded: false)))
        driver.type("u")
        #expect(driver.text.contains("undo restock"))
        driver.press(.escape)
        driver.send(.actDone(ActReport(sentence: "gone", succeeded: true, done: .restock(number, units: -250))))
        driver.type("u")
        #expect(driver.text.contains("nothing to undo"))
    }

    @Test func undoOfABulkRestockConcernsThoseThatSucceeded() {
        var driver = Driver()
        driver.type("  +40")
        driver.type("y")
        guard case .bulk(let id, let parts)? = driver.taken().last else {
            Issue.record("no bulk act")
            return
        }
        driver.send(.bulkStep(id: id, ActReport(sentence: "done", succeeded: true, done: parts[0])))
        driver.send(.bulkStep(id: id, ActReport(sentence: "no", succeeded: false)))
        driver.press(.escape)
        driver.type("u")
        #expect(driver.text.contains("Takes 40 units of it off sale again"))
    }

    @Test func readOnlyMarksButDoesNotAct() {
        var driver = Driver(permissions: Permissions(isReadOnly: true))
        driver.type("  z")
        #expect(driver.taken() == [.bell])
        #expect(driver.model.dialogs.isEmpty)
        driver.type(":")
        #expect(!driver.text.contains("freeze"))
        driver.type("halt")
        driver.press(.enter)
        #expect(driver.taken().allSatisfy { $0 == .bell })
    }
}

@Suite struct ProductionTests {
    private func driver() -> Driver { Driver(permissions: Permissions(isProduction: true)) }

    @Test func thePlaceIsNamedInTheHeader() { #expect(driver().text.contains(" PROD ")) }

    @Test func aFreezeWantsTheSKUTyped() {
        var driver = driver()
        let sku = driver.cursor!
        let number = driver.model.cursorSKU!
        driver.type("zy")
        driver.press(.enter)
        #expect(driver.taken() == [.bell])
        driver.press(.control("u"))
        driver.type(sku)
        #expect(driver.taken() == [])
        driver.press(.enter)
        #expect(driver.taken() == [.setFrozen(number, true)])
    }

    @Test func aRestockWantsUnitsAndTheSKU() {
        var driver = driver()
        let sku = driver.cursor!
        let number = driver.model.cursorSKU!
        driver.type("+25")
        driver.press(.enter)
        driver.type(sku)
        driver.press(.enter)
        #expect(driver.taken() == [.bell, .restock(number, units: 25)])
    }

    @Test func aPlanWantsTheSaleTypedAndTheBrakeWantsNothing() {
        var driver = driver()
        driver.send(.planReady(Fixture.plan))
        driver.type("summer-dro")
        driver.press(.enter)
        #expect(driver.taken() == [.bell])
        driver.type("p")
        driver.press(.enter)
        #expect(driver.taken() == [.applyPlan(id: 3)])
        driver.type("X")
        #expect(driver.taken() == [.haltSale])
    }

    @Test func aNameIsNeverTakenForTheBrake() {
        var snapshot = Fixture.open()
        snapshot.saleName = "XXL Qy"
        var driver = Driver(snapshot, permissions: Permissions(isProduction: true))
        driver.send(.planReady(Fixture.plan))
        driver.type("XXL Qy")
        driver.press(.enter)
        #expect(driver.taken() == [.applyPlan(id: 3)])
    }
}

@Suite struct PaletteTests {
    @Test func screensAreFoundByTheirNames() {
        var driver = Driver()
        driver.type(":nod")
        driver.press(.enter)
        #expect(driver.model.screen == .nodes && driver.model.palette == nil)
        driver.type(":over")
        driver.press(.enter)
        #expect(driver.model.screen == .overview)
    }

    @Test func everyScreenCanBeReached() {
        for screen in ScreenID.numbered {
            var driver = Driver()
            driver.type(":" + screen.title)
            driver.press(.enter)
            #expect(driver.model.screen == screen)
        }
    }

    @Test func anActIsCompletedAndStillAsks() {
        var driver = Driver()
        driver.type(":fre")
        driver.press(.tab)
        driver.type("1007")
        #expect(driver.text.contains("freeze 1007"))
        driver.press(.enter)
        #expect(driver.taken() == [])
        driver.type("y")
        #expect(driver.taken() == [.setFrozen(SKUNumber(rawValue: 7), true)])
    }

    @Test func whatCannotBeReadStaysToBeMended() {
        var driver = Driver()
        driver.type(":open at 99:00")
        driver.press(.enter)
        #expect(driver.model.palette?.field.text == "open at 99:00")
        #expect(driver.text.contains("HH:MM"))
    }

    @Test func theSKUIsTheOneOfferedWhenEnterWentDown() {
        var driver = Driver()
        driver.type(":restock ")
        let first = driver.model.offers[0]
        driver.press(.enter)
        guard case .restock(let number) = first.deed, case .restock(let dialog)? = driver.model.dialogs.last else {
            Issue.record("no dialog")
            return
        }
        #expect(dialog.subject.number == number)
    }

    @Test func aSKUIsFoundByNumberAndByName() {
        var driver = Driver()
        driver.type(":1042")
        driver.press(.enter)
        #expect(driver.model.skuShown == SKUNumber(rawValue: 42))
        driver.type(":sku headlamp /3")
        #expect(driver.model.offers.first?.note.contains("Headlamp /3") == true)
    }

    @Test func themesFiltersAndSortsAreOffered() {
        var driver = Driver()
        driver.model.themeNames = ["okabe-ito-dark", "sellout-dark"]
        driver.type(":theme oka")
        driver.press(.enter)
        #expect(driver.taken() == [.chooseTheme("okabe-ito-dark")])
        driver.type(":filter left<100 !camp")
        driver.press(.enter)
        #expect(driver.model.list.filter.text == "left<100 !camp")
        driver.type(":sort name")
        driver.press(.enter)
        #expect(driver.model.list.sort == .name)
    }

    @Test func whatIsNotThereIsSaid() {
        var driver = Driver()
        driver.type(":zzzz")
        #expect(driver.text.contains("nothing is called that"))
        driver.press(.enter)
        #expect(driver.taken() == [.bell])
        driver.type(":he")
        driver.press(.escape)
        #expect(driver.model.palette == nil && driver.model.screen == .overview)
    }

    @Test func lettersInThePaletteAreNeverKeys() {
        var driver = Driver()
        driver.type(":Xqzy")
        driver.send(.paste("Xy"))
        #expect(driver.taken() == [])
    }
}

@Suite struct FilterTests {
    @Test(arguments: [
        ("left<abc", 5, "a number"), ("camp state=x", 11, "no such state"), ("rate>", 5, "a number"),
        ("/a(b/", 2, "( without its )"), ("camp /[a/", 6, "[ without its ]"), ("foo=1", 0, "no column foo"),
        ("name<5", 4, "use = or !="), ("camp !", 5, "nothing does"), ("/*/", 1, "repeated"),
        ("node=0", 5, "number of a node"),
    ])
    func whatCannotBeReadIsToldWithItsPlaceAndTheLastGoodFilterStays(_ text: String, _ offset: Int, _ words: String) {
        #expect(throws: StockFilter.Problem.self) { try StockFilter(parsing: text) }
        do { _ = try StockFilter(parsing: text) } catch {
            #expect(error.offset == offset, "\(text): \(error)")
            #expect(error.message.contains(words), "\(text): \(error)")
        }
        var driver = Driver()
        driver.type("/camp ")
        driver.press(.enter)
        #expect(driver.model.list.order.count == 50)
        driver.type("/")
        driver.send(.paste(" " + text))
        #expect(driver.model.filterProblem != nil)
        #expect(driver.model.list.order.count == 50)
        driver.press(.enter)
        #expect(driver.model.isEditingFilter)
        #expect(driver.taken() == [.bell])
    }

    @Test func aColumnsNameEmptiesNothingWhileItIsTyped() {
        var driver = Driver()
        driver.type("/left<")
        #expect(!driver.model.list.order.isEmpty)
        driver.type("100")
        let skus = driver.model.shown.skus
        #expect(driver.model.list.order.count == skus.count { $0.stock! < 100 })
    }

    @Test(arguments: [
        ("a.c", "xxabcxx", true), ("^a.c$", "xxabc", false), ("^ab*c$", "ac", true), ("^ab+c$", "ac", false),
        ("a|b", "zzb", true), ("^(ab|cd)+$", "abcdab", true), ("^(ab|cd)+$", "abc", false), ("[^a-c]", "abc", false),
        ("[a-c]d", "xCd", true), ("\\d\\d", "a12", true), ("\\d\\d", "a1b2", false), ("^\\w+$", "a_b9", true),
        ("", "anything", true), ("$", "x", true), ("^$", "", true), ("^$", "x", false), ("a?b", "b", true),
        ("\\.", "a.b", true), ("\\.", "ab", false), ("[]x]", "]", true), ("(a*)*$", "aaaa", true), ("é", "café", true),
        ("\\S", " \t", false), ("a(|b)c", "ac", true),
    ])
    func patternsMatch(_ pattern: String, _ text: String, _ expected: Bool) throws {
        var matcher = PatternMatcher(try Pattern(pattern))
        let (first, second) = (matcher.matches(text), matcher.matches(text))
        #expect(first == expected && second == expected)
    }

    /// What makes a backtracking matcher take for ever.
    @Test func noPatternHangs() throws {
        var matcher = PatternMatcher(try Pattern("(a*)*(a|aa)*(a|b|ab)*c$"))
        let text = String(repeating: "a", count: 20_000)
        let found = matcher.matches(text)
        #expect(!found)
    }

    @Test func patternsAgreeWithFoundationsOnRandomTexts() throws {
        var dice = Fixture.Dice(5)
        let parts = ["a", "b", "c", ".", "[ab]", "[^a]", "a*", "b+", "c?", "(a|b)", "(ab)*", "^", "$", "\\w"]
        var faults: [String] = []
        for _ in 0..<400 {
            let source = (0..<1 + dice.below(4)).map { _ in parts[dice.below(parts.count)] }.joined()
            guard let theirs = try? NSRegularExpression(pattern: source),
                var ours = (try? Pattern(source)).map(PatternMatcher.init)
            else { continue }
            for _ in 0..<8 {
                let text = (0..<dice.below(7)).map { _ in ["a", "b", "c", "d"][dice.below(4)] }.joined()
                let range = NSRange(text.startIndex..., in: text)
                let expected = theirs.firstMatch(in: text, range: range) != nil
                if ours.matches(text) != expected { faults.append("/\(source)/ on “\(text)”: \(!expected)") }
            }
        }
        #expect(faults.isEmpty, "\(faults.prefix(5))")
    }
}

@Suite struct SortTests {
    @Test func rowsAreSortedAsByComparing() {
        var dice = Fixture.Dice(3)
        for count in [0, 1, 2, 511, 513, 5_000] {
            let keys = (0..<count).map { _ in dice.below(3) == 0 ? dice.next() : dice.next() & 0xFF }
            let rows = (0..<Int32(count)).map { $0 }
            let expected = rows.sorted { (keys[Int($0)], $0) < (keys[Int($1)], $1) }
            #expect(RowSort.sorted(rows, keys: keys) == expected)
        }
    }

    @Test func theLargestAreFoundAsBySorting() {
        var dice = Fixture.Dice(4)
        for count in [0, 1, 7, 100, 3_000] {
            let values = (0..<count).map { _ in Double(dice.below(50)) }
            for limit in [1, 10, 200] {
                let expected = values.indices.sorted { (values[$1], $0) < (values[$0], $1) }.prefix(limit)
                let found = RowSort.largest(count, limit: limit) { values[$0] }
                #expect(found.map { values[$0] } == expected.map { values[$0] })
                #expect(Set(found).count == found.count)
            }
        }
    }

    @Test func textsAreRankedByTheirBytes() {
        var dice = Fixture.Dice(9)
        let texts = (0..<2_000).map { _ in
            ["Trail Runner", "Trail Runners", "Trail", "", "é", "Rain Shell M"][dice.below(6)] + "\(dice.below(300))"
        }
        let ranks = RowSort.ranks(texts)
        let order = texts.indices.sorted { ranks[$0] < ranks[$1] }.map { Array(texts[$0].utf8) }
        #expect(zip(order, order.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) })
        #expect(Set(ranks).count == texts.count)
    }
}

@Suite struct HeatGridTests {
    @Test func everySlotHasOnePlaceAndComesBackFromIt() {
        for (columns, rows, halves) in [
            (40, 5, false), (61, 28, true), (128, 70, true), (300, 90, false), (1, 1, true),
        ] {
            let grid = HeatGrid(columns: columns, rows: rows, halves: halves)
            #expect(grid.rows <= max(1, rows))
            var faults = 0
            for slot in 0..<HeatGrid.slotsCount {
                let place = grid.place(ofSlot: slot)
                let value = grid.value(column: place.column, row: place.row, layer: place.layer)
                if value.map({ grid.slots(ofValue: $0).contains(slot) }) != true { faults += 1 }
            }
            #expect(faults == 0, "\(columns)×\(rows)")
        }
    }

    @Test func theCursorStaysWithinTheSlots() {
        var dice = Fixture.Dice(1)
        let grid = HeatGrid(columns: 61, rows: 28, halves: true)
        let motions: [Intent.Motion] = [.up, .down, .left, .right, .pageUp, .pageDown, .first, .last]
        var slot = 0
        for _ in 0..<2_000 {
            slot = grid.moved(slot, motions[dice.below(motions.count)])
            #expect((0..<HeatGrid.slotsCount).contains(slot))
        }
    }

    @Test func theNextTagIsFoundRoundTheEnds() {
        var driver = Driver()
        driver.type("33")
        var seen = Set<String>()
        for _ in 0..<70 {
            driver.type("n")
            if let tag = driver.model.bucketUnderCursor?.tag { seen.insert(tag) }
        }
        #expect(seen.count >= 60)
        driver.type("N")
        #expect(driver.model.bucketUnderCursor != nil)
    }
}

@Suite struct KeyListTests {
    /// The README's table of keys is what `sellout keys --markdown` prints.
    @Test func theReadmeListsTheKeysOfTheTable() throws {
        var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        let readme = try String(contentsOf: folder.appendingPathComponent("README.md"), encoding: .utf8)
        #expect(
            readme.contains(KeyList.markdown),
            "put what `sellout keys --markdown` prints into the README's section on keys")
    }

    @Test func everyBindingIsListed() {
        for binding in Keys.all.bindings where !binding.help.isEmpty {
            #expect(KeyList.text.contains(binding.help))
        }
    }
}
