import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

/// Keys that are not ours, on the screen: what nobody knows is said, never shown as zero.
@Suite("The screen without SQL")
struct ForeignViewTests {
    private func snapshot(ledger: Bool = false) -> WarRoomSnapshot {
        var snapshot = WarRoomSnapshot(
            phase: .live, saleName: "stock:sku", saleState: .open, durability: .memory, topology: "single",
            redisURL: "redis://127.0.0.1:6379")
        snapshot.foreign = .init(
            stockKeys: "stock:sku", ledgerKeys: ledger ? "ledger:sku" : nil, scan: "12 SKUs found", sweepSeconds: 7,
            readsPerSecond: 12, readsPerSecondMax: 10_000)
        snapshot.foreign?.isScanned = true
        snapshot.skus = (0..<12).map { index in
            var sku = WarRoomSnapshot.SKU(
                number: SKUNumber(rawValue: Int32(index)), sku: "\(100 + index)", name: "stock:\(100 + index)",
                tag: "\(100 + index)",
                node: 0, allocated: 500, stock: index == 0 ? nil : index == 1 ? -3 : 400, taken: 0, unitsPerSecond: 0,
                history: [], frozen: false, fenced: false, oversold: 0)
            sku.isForeign = true
            return sku
        }
        snapshot.drift.oversoldUnits = 3
        snapshot.nodes = [
            .init(
                address: "127.0.0.1:6379", isUp: true, sinceSeconds: 3, ordersPerSecond: 0, callsPerSecond: 0,
                p99Milliseconds: 0, errors: 0, buckets: 12, fencedBuckets: 0, memoryBytes: nil)
        ]
        return snapshot
    }

    private func driver(_ snapshot: WarRoomSnapshot, _ columns: Int = 120, _ rows: Int = 40) -> Driver {
        Driver(snapshot, columns: columns, rows: rows, permissions: Permissions(isReadOnly: true))
    }

    private func text(_ driver: Driver) -> String {
        driver.text
    }

    @Test("the overview says what it watches and what it cannot know", arguments: [(120, 40), (80, 24), (60, 16)])
    func overview(columns: Int, rows: Int) {
        let screen = text(driver(snapshot(), columns, rows))
        #expect(screen.contains("WATCHED") && !screen.contains(" OPEN"))
        for wrong in ["not compared yet", "the books agree", "lost 0", "outbox", "refused"] {
            #expect(!screen.contains(wrong), "\(wrong)\n\(screen)")
        }
        if columns == 120 {
            for right in [
                "no SQL: sales are not compared", "7 s", "none: by stock", "BELOW ZERO", "UNREAD", "OVERSOLD 3",
            ] {
                #expect(screen.contains(right), "\(right)\n\(screen)")
            }
        }
    }

    @Test("screens about books say that there is no SQL", arguments: [ScreenID.drift, .orders, .audit])
    func books(screen: ScreenID) {
        var driver = driver(snapshot())
        driver.model.stack = [.overview, screen]
        #expect(text(driver).contains("no SQL"))
        #expect(!text(driver).contains("agree"))
    }

    @Test("one SKU: no allocation by SQL, no books that agree")
    func detail() {
        var driver = driver(snapshot())
        driver.model.stack = [.overview, .sku(SKUNumber(rawValue: 4))]
        let screen = text(driver)
        #expect(screen.contains("most seen in stock") && screen.contains("seen to go"), "\(screen)")
        #expect(!screen.contains("allocated in SQL") && !screen.contains("its books agree"))
    }

    @Test("what the server forbids greys its panel and names the rule")
    func forbidden() {
        var snapshot = snapshot(ledger: true)
        snapshot.denied = [.init(part: .memory, rule: "+info"), .init(part: .ledger, rule: "+hlen")]
        var driver = driver(snapshot)
        #expect(text(driver).contains("needs +hlen +info"))
        driver.model.stack = [.overview, .nodes]
        #expect(text(driver).contains("needs +info"))
        // A sale of ours, too.
        var own = Fixture.open()
        own.ledger.redisBytes = nil
        own.denied = [.init(part: .memory, rule: "+info")]
        #expect(text(Driver(own)).contains("needs +info"))
    }

    @Test("which rows are in sight is told best first, and follows the cursor")
    func sight() {
        var driver = Driver(Fixture.open())
        let first = driver.model.rowsInSight
        #expect(first.count >= 10 && first.count < 60)
        driver.press(.end)
        #expect(Set(driver.model.rowsInSight).isDisjoint(with: first))
        driver.model.stack = [.overview, .sku(SKUNumber(rawValue: 5))]
        #expect(driver.model.rowsInSight == [4])
    }
}
