import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

/// Opening by a list, at a moment, and closing for good, as keys make them.
@Suite("Sale control on screen")
struct SaleControlTests {
    @Test("y before GO waits for it, and a list that then says NO-GO opens nothing")
    func armed() {
        var driver = Driver(Fixture.warmed(), permissions: Permissions())
        driver.type("F")
        driver.send(.preflight(Fixture.list(upTo: 3)))
        driver.type("y")
        #expect(driver.taken() == [.preflight])
        #expect(driver.text.contains("opens as soon as all of it is well"))
        driver.send(.preflight(Fixture.list()))
        #expect(driver.taken() == [.openSale(buyersPerSecond: nil, seconds: nil)])
        #expect(driver.model.dialogs.isEmpty)

        driver.type("Fy")
        driver.send(.preflight(Fixture.list(bad: [.drift: ("Redis and SQL differ by 7 units", true)])))
        #expect(driver.taken() == [.preflight, .bell])
        #expect(driver.text.contains("NO-GO"))
        // A list that comes once the dialog is gone opens nothing.
        driver.press(.escape)
        driver.send(.preflight(Fixture.list()))
        #expect(driver.taken() == [])
    }

    @Test("a NO-GO is overridden by the sale's name only, and never where a yes would be a lie")
    func noGo() {
        var driver = Driver(Fixture.warmed(), permissions: Permissions())
        driver.type("F")
        driver.send(.preflight(Fixture.list(bad: [.memory: ("not enough", true)])))
        _ = driver.taken()
        driver.type("y")
        driver.press(.enter)
        #expect(driver.taken() == [.bell])
        driver.press(.control("u"))
        driver.type(driver.model.snapshot.saleName)
        driver.press(.enter)
        #expect(
            driver.taken() == [
                .overrideAndOpen(name: driver.model.snapshot.saleName, buyersPerSecond: nil, seconds: nil)
            ])

        driver.type("F")
        driver.send(.preflight(Fixture.list(bad: [.durability: ("no file", false), .clock: ("off", true)])))
        _ = driver.taken()
        driver.type("y")
        driver.type(driver.model.snapshot.saleName.filter { $0 != "r" })
        driver.press(.enter)
        #expect(driver.taken().allSatisfy { $0 == .bell })
        #expect(driver.text.contains("nobody may override it"))
        driver.type("r")
        #expect(driver.taken() == [.preflight])
        driver.send(.preflight(Fixture.list()))
        driver.type("y")
        #expect(driver.taken() == [.openSale(buyersPerSecond: nil, seconds: nil)])
    }

    @Test("an opening at a moment is asked for, shown, and taken back")
    func schedule() {
        var driver = Driver(Fixture.warmed(), permissions: Permissions())
        driver.type(":open at 25:00")
        driver.press(.enter)
        #expect(driver.model.dialogs.isEmpty && driver.taken() == [.bell])
        driver.press(.escape)
        driver.type(":open at +5m")
        driver.press(.enter)
        #expect(driver.text.contains("It lives in this process"))
        driver.type("y")
        #expect(
            driver.taken() == [
                .scheduleOpening(OpeningTime("+5m")!, buyersPerSecond: nil, seconds: nil)
            ])
        var snapshot = Fixture.warmed()
        snapshot.opening = ScheduledOpening(atMilliseconds: 0, secondsLeft: 299.4)
        driver.send(.snapshot(snapshot))
        #expect(driver.text.contains("OPENS IN 05:00"))
        // Leaving would take it back: it is asked.
        driver.type("q")
        #expect(driver.taken() == [] && driver.text.contains("nothing opens by itself"))
        driver.press(.escape)
        driver.type(":cancel op")
        driver.press(.enter)
        #expect(driver.taken() == [.cancelOpening])
    }

    @Test("closing names its effect, asks what becomes of reservations, and only y does it")
    func closing() {
        var snapshot = Fixture.open()
        snapshot.counts.reserved = 312
        var driver = Driver(snapshot, permissions: Permissions())
        driver.type("E")
        #expect(driver.text.contains("for good: no order is taken any more"))
        #expect(driver.text.contains("each waits for its"))
        driver.press(.enter, .char(" "))
        driver.press(.tab)
        #expect(driver.text.contains("END NOW"))
        #expect(driver.taken().filter { $0 != .bell } == [])
        driver.type("y")
        #expect(driver.taken() == [.closeSale(expires: true)])
        driver.send(.closing(Fixture.closed(isClean: true)))
        #expect(driver.text.contains("every unit is accounted for"))
        // It is a report: any key leaves it, and nothing else happens.
        driver.type("y")
        #expect(driver.model.dialogs.isEmpty && driver.taken() == [])
    }

    @Test("at a place marked production closing wants the sale's name; read-only has neither key")
    func guarded() {
        var driver = Driver(permissions: Permissions(isProduction: true))
        driver.type("E")
        driver.type("y")
        driver.press(.enter)
        #expect(driver.taken() == [.bell])
        driver.press(.control("u"))
        driver.type(driver.model.snapshot.saleName)
        driver.press(.enter)
        #expect(driver.taken() == [.closeSale(expires: false)])

        var reader = Driver(permissions: Permissions(isReadOnly: true))
        reader.type("E")
        #expect(reader.model.dialogs.isEmpty && reader.taken() == [.bell])
        reader.type("A")
        #expect(reader.text.contains("alerts"))
    }

    @Test("news that is no alarm stands beside how things go, and does not colour the frame")
    func quietNews() {
        var snapshot = Fixture.open()
        snapshot.alerts = [Fixture.alerts[2]]
        let driver = Driver(snapshot, columns: 160)
        #expect(driver.text.contains("healthy: orders come in"))
        #expect(driver.text.contains("LOW: 3 SKUs nearly gone"))
    }

    @Test(arguments: ["12:00", "00:00:01", "+90s", "+5m", "+1h", "+24h"])
    func moments(_ text: String) { #expect(OpeningTime(text) != nil) }

    @Test(arguments: [
        "", "12", "24:00", "12:60", "+", "+5", "+0m", "+25h", "-5m", "12:00:60", "+5x", "1:2:3:4", "１２:00",
    ])
    func noMoments(_ text: String) { #expect(OpeningTime(text) == nil) }
}
