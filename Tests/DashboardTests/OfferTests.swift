import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

/// Footers and borders offer what is possible, and nothing else.
@Suite struct OfferTests {
    /// The keys that the screen offers: of its footer and of its panels' borders.
    private func offered(_ driver: Driver) -> Set<String> {
        let glyphs = driver.model.capabilities.glyphs
        return Set((driver.model.screenHints(glyphs) + driver.model.panelHints(glyphs)).map(\.key))
    }

    @Test("a closed sale offers no act on it, on no screen, and says why when one is pressed")
    func closed() {
        var snapshot = Fixture.open()
        snapshot.saleState = .closed
        for keys in ["", "11", "22", "33", "44", "6", "7", "8"] {
            var driver = Driver(snapshot)
            driver.type(keys)
            driver.answer()
            let keys = offered(driver)
            for key in ["F", "X", "z", "+", "a", "O", "Space"] {
                #expect(!keys.contains(key), "\(key) on \(driver.model.screen)")
            }
            #expect(keys.contains("q"))
        }
        var driver = Driver(snapshot)
        for key in ["z", "+", "F"] {
            driver.type(key)
            #expect(driver.model.dialogs.isEmpty)
            #expect(driver.text.contains("the sale is closed"))
        }
        driver.type(":freeze 1001")
        driver.press(.enter)
        #expect(driver.model.dialogs.isEmpty)
        #expect(!driver.taken().contains { if case .setFrozen = $0 { true } else { false } })
    }

    @Test("F stands in the footer where the sale can be opened, or buyers can be sent")
    func flashSale() {
        var snapshot = Fixture.open()
        #expect(!offered(Driver(snapshot)).contains("F"))
        snapshot.orders.buyersPerSecond = 0
        #expect(offered(Driver(snapshot)).contains("F"))
        #expect(!offered(Driver(snapshot, permissions: Permissions())).contains("F"))
        snapshot.saleState = .halted
        #expect(offered(Driver(snapshot, permissions: Permissions())).contains("F"))
        #expect(offered(Driver(Fixture.warmed())).contains("F"))
        #expect(!offered(Driver(Fixture.starting())).contains("F"))
    }

    @Test("the plan is offered once there is one, and who would lose where somebody would")
    func drift() {
        var driver = Driver(Fixture.open())
        driver.type("44")
        driver.answer()
        #expect(!offered(driver).contains("a"))
        driver.send(.planReady(Fixture.plan))
        driver.press(.escape)
        #expect(offered(driver).contains("a"))
        driver = Driver(Fixture.crashedMemory())
        driver.type("44")
        #expect(offered(driver).contains("O"))
    }

    @Test("somebody else's keys offer no comparison")
    func foreign() {
        var driver = Driver(Fixture.foreign(), permissions: Permissions(isReadOnly: true))
        for screen in ["", "44", "7"] {
            driver.type(screen)
            for key in ["R", "F", "X", "a", "O", "s"] where !(key == "s" && screen.isEmpty) {
                #expect(!offered(driver).contains(key), "\(key) on \(driver.model.screen)")
            }
            driver.press(.escape)
        }
    }

    @Test("a foreign sale without ledgers says why its ledger screen is empty, and what would fill it")
    func foreignWithoutLedgers() {
        var snapshot = Fixture.foreign()
        snapshot.foreign?.ledgerKeys = nil
        for (columns, rows) in [(120, 40), (80, 24), (60, 20)] {
            var driver = Driver(snapshot, columns: columns, rows: rows, permissions: Permissions(isReadOnly: true))
            driver.type("22")
            #expect(driver.text.contains("No ledger is watched"), "\(driver.text)")
            #expect(driver.text.contains("--ledger-key"))
        }
    }

    @Test("undoing a restock tells what is left now, not what was left before")
    func undoTellsThePresent() {
        var snapshot = Fixture.open()
        let index = 6
        snapshot.skus[index].stock = 100
        var driver = Driver(snapshot)
        driver.send(
            .actDone(
                ActReport(
                    sentence: "restocked", succeeded: true,
                    done: .restock(snapshot.skus[index].number, units: 250))))
        driver.type("u")
        #expect(driver.text.contains("100 left"))
        snapshot.skus[index].stock = 350
        driver.send(.snapshot(snapshot))
        #expect(driver.text.contains("350 left"), "\(driver.text)")
        driver.type("y")
        #expect(driver.taken().contains(.restock(snapshot.skus[index].number, units: -250)))
    }

    @Test("the number that a restock starts from is the present one, also while the screen is held")
    func restockTellsThePresent() {
        var snapshot = Fixture.open()
        var driver = Driver(snapshot)
        driver.press(.down, .up)
        driver.type("p+50")
        snapshot.skus[0].stock = 77
        driver.send(.snapshot(snapshot))
        #expect(driver.text.contains("77 are left now, then 127"), "\(driver.text)")
    }
}
