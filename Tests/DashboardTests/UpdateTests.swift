import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

@Suite struct ActTests {
    @Test func freezingActsOnTheSKUThatStoodUnderTheCursorWhenTheKeyWentDown() {
        var driver = Driver()
        driver.press(.down, .down)
        let chosen = driver.model.cursorSKU!
        let sku = driver.cursor!
        driver.type("z")
        #expect(driver.text.contains("SKU \(sku) "))
        // Everything sorts anew while the question stands: the slowest become the fastest.
        var moved = Fixture.open()
        for index in moved.skus.indices { moved.skus[index].unitsPerSecond = Double(index) }
        driver.send(.tick(seconds: 102))
        driver.send(.snapshot(moved))
        driver.type("y")
        #expect(driver.taken() == [.setFrozen(chosen, true)])
    }

    @Test func aRowThatTheHandNeverChoseIsStillActedOnAsItStoodAtTheKey() {
        var driver = Driver()
        let top = driver.model.cursorSKU!
        driver.type("+")
        var moved = Fixture.open()
        moved.skus[500].unitsPerSecond = 1e6
        driver.send(.tick(seconds: 102))
        driver.send(.snapshot(moved))
        #expect(driver.model.cursorSKU != top)
        driver.type("25y")
        #expect(driver.taken() == [.restock(top, units: 25)])
    }

    @Test func theCursorStaysOnItsSKUWhileRowsMove() {
        var driver = Driver()
        driver.press(.down, .down, .down)
        let bound = driver.model.cursorSKU
        var moved = Fixture.open()
        for index in moved.skus.indices { moved.skus[index].unitsPerSecond = Double(index) }
        driver.send(.tick(seconds: 105))
        driver.send(.snapshot(moved))
        #expect(driver.model.cursorSKU == bound)
        #expect(driver.text.contains("▸ \(driver.cursor!)"))
    }

    @Test func thawingIsOfferedForWhatIsFrozen() {
        var driver = Driver()
        driver.type("/1005")
        driver.press(.enter)
        driver.type("z")
        #expect(driver.text.contains("thaw"))
        driver.type("y")
        #expect(driver.taken() == [.setFrozen(SKUNumber(rawValue: 5), false)])
    }

    @Test(arguments: ["z", "C", "F"])
    func onlyYConfirms(_ key: Character) {
        var driver = Driver(key == "F" ? Fixture.warmed() : Fixture.open())
        driver.press(.char(key))
        #expect(driver.model.dialogs.count == 1)
        driver.press(.enter, .char(" "), .char("Y"), .tab, .char("j"))
        #expect(driver.taken().filter { $0 != .bell && $0 != .preflight } == [])
        #expect(driver.model.dialogs.count == 1)
        driver.press(.escape)
        #expect(driver.model.dialogs.isEmpty)
        driver.type("y")
        #expect(driver.taken() == [])
    }

    @Test(arguments: [
        ("", "type a number"), ("0", "cannot be zero"), ("-5", "cannot be negative"), ("1000001", "at most 1,000,000"),
        ("99999999999999999999", "at most 1,000,000"), ("-", "not a whole number"),
    ])
    func restockRefusesWhatIsNoAmount(_ typed: String, _ words: String) {
        var driver = Driver()
        driver.type("+" + typed)
        #expect(driver.text.contains(words))
        driver.type("y")
        #expect(driver.taken() == [.bell])
        #expect(driver.model.dialogs.count == 1)
    }

    @Test(arguments: [("1", Int64(1)), ("1000000", 1_000_000)])
    func restockTakesAmounts(_ typed: String, _ units: Int64) {
        var driver = Driver()
        let sku = driver.model.cursorSKU!
        driver.type("+")
        driver.send(.paste(typed))
        driver.type("y")
        #expect(driver.taken() == [.restock(sku, units: units)])
    }

    @Test func openingADemoSendsTheBuyersAsTyped() {
        var driver = Driver(Fixture.warmed())
        #expect(driver.text.contains("press F to open the sale"))
        driver.type("F")
        #expect(driver.taken() == [.preflight])
        driver.send(.preflight(Fixture.list()))
        driver.press(.control("u"))
        driver.type("800")
        driver.press(.enter, .control("u"))
        driver.type("15y")
        #expect(driver.taken() == [.openSale(buyersPerSecond: 800, seconds: 15)])
        // The next dialog proposes what was typed.
        driver.type("F")
        #expect(driver.text.contains("800"))
    }

    @Test func openingAWatchedSaleMakesNoBuyers() {
        var driver = Driver(Fixture.warmed(), permissions: Permissions())
        driver.type("F")
        #expect(driver.text.contains("makes no buyers"))
        #expect(driver.taken() == [.preflight])
        driver.send(.preflight(Fixture.list()))
        driver.type("y")
        #expect(driver.taken() == [.openSale(buyersPerSecond: nil, seconds: nil)])
    }

    @Test func openingWaitsForTheStart() {
        var driver = Driver(Fixture.starting())
        driver.type("F")
        #expect(driver.model.dialogs.isEmpty)
        #expect(driver.text.contains("still starting"))
    }

    @Test func theBrakeActsAtOnceAlsoUnderADialogAndWhileHeld() {
        var driver = Driver()
        driver.type("X")
        #expect(driver.taken() == [.haltSale])
        driver.type("pzX")
        #expect(driver.taken() == [.haltSale])
        #expect(driver.model.dialogs.isEmpty)
        driver.type("?X")
        #expect(driver.taken() == [.haltSale])
    }

    @Test func crashingNamesTheNodeAndTakesADigit() {
        var driver = Driver()
        driver.type("C3")
        #expect(driver.text.contains("kill -9 node 3 (127.0.0.1:41003); it comes back empty"))
        driver.type("y")
        #expect(driver.taken() == [.crash(node: 2)])
        driver.type("C")
        driver.press(.down)
        driver.type("9y")
        #expect(driver.taken() == [.crash(node: 1)])
    }

    @Test func crashingProposesTheNodeOfTheSKUUnderTheCursor() {
        var driver = Driver()
        driver.type("/1003")
        driver.press(.enter)
        driver.type("Cy")
        #expect(driver.taken() == [.crash(node: 2)])
    }

    @Test func aPlanIsAppliedByYAndLeftByAnythingElse() {
        var driver = Driver()
        driver.type("R")
        #expect(driver.taken() == [.compare])
        driver.send(.planReady(Fixture.plan))
        #expect(driver.text.contains("rebuild bucket a7 from SQL under a new epoch"))
        driver.type("y")
        #expect(driver.taken() == [.applyPlan(id: 3)])
        for key in [KeyPress.enter, .char(" "), .char("n"), .escape, .char("Y")] {
            driver.send(.planReady(Fixture.plan))
            driver.press(key)
            #expect(driver.taken() == [])
            #expect(driver.model.dialogs.isEmpty)
        }
    }

    @Test func aPlanThatComesWhileAnotherQuestionStandsIsNotHitByItsAnswer() {
        var driver = Driver()
        let sku = driver.model.cursorSKU!
        driver.type("R+7")
        driver.send(.planReady(Fixture.plan))
        driver.type("yy")
        #expect(driver.taken() == [.compare, .restock(sku, units: 7)])
        driver.type("R")
        #expect(driver.text.contains("3 repairs"))
        driver.type("y")
        #expect(driver.taken() == [.applyPlan(id: 3)])
    }

    @Test func aComparisonWithoutRepairsHasNothingToConfirm() {
        var driver = Driver()
        driver.send(.planReady(PlanSummary(id: 4, lines: [], repairs: 0, sentence: "The books agree.")))
        #expect(driver.text.contains("The books agree."))
        driver.type("y")
        #expect(driver.taken() == [])
    }

    @Test func readOnlyBindsNoActAndSaysSo() {
        var driver = Driver(
            Fixture.open(), permissions: Permissions(canOpenWithBuyers: true, canCrash: true, isReadOnly: true))
        #expect(driver.text.contains("READ-ONLY"))
        for key in "FXCz+" {
            driver.press(.char(key))
            #expect(driver.taken() == [.bell])
            #expect(driver.model.dialogs.isEmpty)
            #expect(driver.text.contains("READ-ONLY: keys that change anything are not bound here"))
        }
        driver.type("R")
        #expect(driver.taken() == [.compare])
        driver.send(.planReady(Fixture.plan))
        driver.type("y")
        #expect(driver.taken() == [])
        driver.type("?")
        #expect(!driver.text.contains("kill -9"))
    }

    @Test func aForeignFleetIsNotCrashed() {
        var driver = Driver(permissions: Permissions())
        driver.type("C")
        #expect(driver.taken() == [.bell])
        #expect(driver.text.contains("only a demo's own fleet"))
    }

    @Test func resultsAreToldInTheFooterBesideTheBrakeAndGoAway() {
        var driver = Driver()
        driver.send(.actDone(ActReport(sentence: "froze 1003 Camp Stove", succeeded: true)))
        #expect(driver.text.split(separator: "\n").last!.contains("froze 1003 Camp Stove"))
        #expect(driver.text.split(separator: "\n").last!.contains("X halt"))
        driver.send(.tick(seconds: 107))
        #expect(!driver.text.contains("froze 1003 Camp Stove"))
        driver.send(.actDone(ActReport(sentence: "SQL refused", succeeded: false)))
        #expect(driver.taken() == [.bell])
    }

    @Test func quittingAsksWhileTheSaleIsOpen() {
        var driver = Driver()
        driver.type("q")
        #expect(driver.taken() == [])
        driver.press(.enter, .char("q"))
        #expect(driver.taken() == [])
        driver.type("y")
        #expect(driver.taken() == [.quit])
        driver.press(.control("c"))
        #expect(driver.taken() == [.quit])
        var calm = Driver(Fixture.warmed())
        calm.type("q")
        #expect(calm.taken() == [.quit])
    }

    @Test func controlKeysWorkEverywhere() {
        for start in ["", "/", "+", "?", "R"] {
            var driver = Driver()
            driver.type(start)
            _ = driver.taken()
            driver.press(.control("z"), .control("l"), .control("c"))
            #expect(driver.taken() == [.suspend, .redraw, .quit])
        }
    }
}

@Suite struct ScreenTests {
    @Test func holdingKeepsTheSnapshotWhileCollectionGoesOn() {
        var driver = Driver()
        driver.type("p")
        driver.send(.tick(seconds: 107.4))
        driver.send(.snapshot(Fixture.crashedMemory()))
        #expect(driver.text.contains("SCREEN HELD 7s"))
        #expect(!driver.text.contains("LOST 41 orders"))
        #expect(driver.model.snapshot.drift.lostOrders == 41)
        driver.type("p")
        #expect(driver.text.contains("LOST 41 orders (52 units)"))
        #expect(driver.text.contains("LIVE"))
    }

    @Test func aSilentSourceIsSaid() {
        var snapshot = Fixture.open()
        snapshot.phase = .stale(7.3)
        #expect(Driver(snapshot).text.contains("STALE 7s"))
        #expect(Driver(snapshot).text.contains("no answer for 7.3 s"))
    }

    @Test func sortingCyclesReversesAndFollowsAClick() {
        var driver = Driver()
        #expect(driver.text.contains("by rate ↓"))
        driver.type("s")
        #expect(driver.text.contains("by left ↑"))
        driver.type("S")
        #expect(driver.text.contains("by left ↓"))
        let lefts = driver.model.list.order.map { driver.model.shown.skus[Int($0)].stock! }
        #expect(lefts == lefts.sorted(by: >))
        for _ in 0..<SortColumn.allCases.count - 1 { driver.type("s") }
        #expect(driver.text.contains("by rate ↓"))
        let heads = driver.text.split(separator: "\n")[6]
        let x = heads.distance(from: heads.startIndex, to: heads.firstRange(of: "name")!.lowerBound)
        driver.send(.mouse(MouseEvent(.press, x: x, y: 6)))
        #expect(driver.text.contains("by name ↑"))
        driver.send(.mouse(MouseEvent(.press, x: x, y: 6)))
        #expect(driver.text.contains("by name ↓"))
        let names = driver.model.list.order.map { driver.model.shown.skus[Int($0)].name }
        #expect(names == names.sorted(by: >))
    }

    @Test func aClickBindsTheRowAndADoubleClickOpensIt() {
        var driver = Driver()
        driver.send(.mouse(MouseEvent(.press, x: 10, y: 9)))
        #expect(driver.text.split(separator: "\n")[9].contains("▸ \(driver.cursor!)"))
        driver.send(.mouse(MouseEvent(.doubleClick, x: 10, y: 9)))
        #expect(driver.text.contains("SKU \(driver.cursor!) "))
        driver.press(.escape)
        #expect(driver.text.contains("heat"))
    }

    @Test(arguments: [
        ("camp", 50), ("!camp", 950), ("CAMP stove", 50), ("left<=0", 0), ("rate>1k", 22), ("!rate>1k", 978),
        ("frozen", 1), ("", 1_000), ("nothing at all", 0), ("/^trail/", 50), ("!/^trail/", 950), ("camp|nothing", 0),
        ("tag=a0 sku!=1001", 15),
        ("state=frozen", 1), ("node=1 camp", 15), ("/(camp|trail) ?s?/", 100),
    ])
    func filtering(_ text: String, _ rows: Int) {
        var driver = Driver()
        driver.type("/" + text)
        let matching = driver.model.list.order.count
        if text == "left<=0" || text == "rate>1k" || text == "!rate>1k" {
            let skus = driver.model.shown.skus
            let expected = skus.count {
                switch text {
                case "left<=0": $0.stock! <= 0
                case "rate>1k": $0.unitsPerSecond > 1_000
                default: !($0.unitsPerSecond > 1_000)
                }
            }
            #expect(matching == expected)
        } else {
            #expect(matching == rows)
        }
    }

    @Test func theFilterIsKeptByEnterAndDroppedByEscape() {
        var driver = Driver()
        driver.type("/camp")
        driver.press(.enter)
        #expect(driver.text.contains("50 of 1,000 SKUs"))
        #expect(driver.text.contains("/camp"))
        driver.type("X")
        #expect(driver.taken() == [.haltSale])
        driver.press(.escape)
        #expect(driver.text.contains("1,000 SKUs"))
        #expect(driver.model.list.order.count == 1_000)
        driver.type("/Xq")
        #expect(driver.taken() == [])
        #expect(driver.model.list.filter.text == "Xq")
    }

    @Test func theCursorMovesAndPages() {
        var driver = Driver()
        driver.type("jjk")
        #expect(driver.model.list.cursorRow == 1)
        driver.type("G")
        #expect(driver.model.list.cursorRow == 999)
        #expect(driver.text.contains("row 1,000"))
        driver.press(.pageUp)
        #expect(driver.model.list.cursorRow < 999)
        driver.type("g")
        #expect(driver.model.list.cursorRow == 0)
        driver.press(.up)
        #expect(driver.model.list.cursorRow == 0)
    }

    @Test func digitsFocusAndZoom() {
        var driver = Driver()
        driver.type("3")
        #expect(driver.model.focus == .heat && !driver.model.isZoomed)
        driver.type("3")
        #expect(driver.model.isZoomed)
        #expect(driver.text.contains("¹stock 1,000 SKUs"))
        driver.press(.escape)
        #expect(!driver.model.isZoomed)
        driver.press(.tab, .tab, .tab)
        #expect(driver.model.focus == .stock)
        driver.press(.backTab)
        #expect(driver.model.focus == .events)
    }

    @Test func escapeClosesTheTopmostOnly() {
        var driver = Driver()
        driver.type("/camp")
        driver.press(.enter, .enter)
        driver.type("z")
        #expect(driver.model.dialogs.count == 1 && driver.model.showsDetail)
        driver.press(.escape)
        #expect(driver.model.dialogs.isEmpty && driver.model.showsDetail)
        driver.press(.escape)
        #expect(!driver.model.showsDetail && !driver.model.list.filter.isEmpty)
        driver.press(.escape)
        #expect(driver.model.list.filter.isEmpty)
    }

    @Test func dispatchFootersAndHelpComeFromOneTable() {
        #expect(Keys.all.conflicts.isEmpty)
        var driver = Driver(rows: 220)
        driver.type("?")
        let help = driver.text
        for binding in Keys.all.bindings where !binding.help.isEmpty {
            let first = SafeText.wrapped(binding.help, width: 20).first!
            #expect(help.contains(first), "help does not tell: \(binding.help)")
        }
    }

    @Test func theLayoutFillsTheScreenAndNothingOverlaps() {
        var faults: [String] = []
        for columns in 60...240 {
            for rows in stride(from: 16, through: 70, by: 3) {
                for focus in PanelID.allCases {
                    for isZoomed in [false, true] {
                        let layout = Layout(columns: columns, rows: rows, focus: focus, isZoomed: isZoomed)
                        var rects = Array(layout.panels.values) + [layout.header, layout.footer]
                        if let bar = layout.foldBar { rects.append(bar) }
                        if isZoomed { rects.append(layout.body) }
                        let area = rects.reduce(0) { $0 + $1.width * $1.height }
                        let overlaps = rects.indices.contains { index in
                            rects[..<index].contains { !$0.intersection(rects[index]).isEmpty }
                        }
                        if area != columns * rows || overlaps || !isZoomed && layout.panels[focus] == nil {
                            faults.append("\(columns)×\(rows) \(focus)")
                        }
                    }
                }
            }
        }
        #expect(faults.isEmpty, "\(faults.prefix(5))")
    }
}

@Suite struct CostTests {
    @Test func rowsAreSortedAtMostTwiceASecondHoweverManySnapshotsCome() {
        let snapshot = Fixture.open(skus: 100_000, seconds: 2)
        var driver = Driver(snapshot)
        let before = driver.model.list.passes
        for tick in 1...20 {
            driver.send(.tick(seconds: 100 + Double(tick) / 10))
            driver.send(.snapshot(snapshot))
            _ = driver.screen
        }
        #expect(driver.model.list.passes - before <= 5)
        // Moving through the rows sorts nothing.
        let moved = driver.model.list.passes
        driver.type("jjjjGg")
        _ = driver.screen
        #expect(driver.model.list.passes == moved)
    }

    @Test func onlyTheRowsInSightAreAskedFor() {
        var driver = Driver(Fixture.open(skus: 100_000, seconds: 2))
        driver.type("G")
        #expect(driver.model.stockRowsVisible < 40)
        #expect(driver.model.list.offset == 100_000 - driver.model.stockRowsVisible)
        #expect(driver.text.contains("100,000 SKUs"))
    }
}
