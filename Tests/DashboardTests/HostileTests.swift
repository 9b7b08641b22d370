import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

@Suite struct HostileTests {
    static let names = [
        "\u{1B}[31mred\u{1B}[2J\u{07}", "\u{9B}31m", "キャンプ用ストーブ大型モデル", "Tent 👩‍👩‍👧‍👦 family 🏕️",
        "a\u{0301}\u{0301}\u{0301}\u{0301}\u{0301}b",
        "\u{202E}gnihton\u{202C}", "\u{2028}two\u{2029}lines\nand\ttabs", String(repeating: "x", count: 10_000),
        String(repeating: "漢", count: 10_000), "", " ", "\u{0}", "\u{E0041}\u{E0042}",
    ]

    static func snapshot() -> WarRoomSnapshot {
        var snapshot = Fixture.crashedMemory()
        for (index, name) in names.enumerated() {
            snapshot.skus[index].name = name
            snapshot.skus[index].sku = index % 2 == 0 ? name : "\(index)"
            snapshot.skus[index].tag = String(name.prefix(20))
        }
        let all = names.map { String($0.prefix(400)) }.joined(separator: " ")
        snapshot.saleName = all
        snapshot.redisURL = all
        snapshot.ordersURL = all
        snapshot.topology = names[2]
        snapshot.alerts = [WarRoomSnapshot.Alert(severity: .bad, text: all)]
        snapshot.drift.findings = names
        snapshot.ledger.storeError = all
        snapshot.hottestTags[0].tag = names[0]
        snapshot.hottestTags[0].skus = names
        snapshot.nodes[0].address = all
        for name in names { Fixture.tell(&snapshot, 99, .bad, name) }
        return snapshot
    }

    /// Answers that hold nothing but names from outside.
    static func sight(_ look: Look) -> Sight {
        let acts = names.map {
            AuditSight(atMilliseconds: 1, who: $0, origin: $0, what: $0, subject: $0, before: $0, after: $0)
        }
        let orders = names.map {
            OrderSight(
                flow: $0, atMilliseconds: .max, kind: .partial,
                lines: [.init(sku: SKUNumber(rawValue: 1), name: $0, units: .max)], entry: $0)
        }
        switch look {
        case .sku:
            return .sku(
                SKUSight(
                    entries: names.map {
                        .init(flow: $0, atMilliseconds: .max, units: .min, kind: .void, isInRedis: nil)
                    }, acts: acts))
        case .orders: return .orders(orders)
        case .order: return .order(orders[0])
        case .audit: return .audit(acts)
        case .nodes:
            return .nodes([
                ServerSight(
                    address: snapshot().nodes[0].address, version: names[0], appendOnly: names[1],
                    evictionPolicy: names[7])
            ])
        case .losers: return .losers(LosersSight(losers: names, takenIn: names, policy: names[0], losersCount: 3))
        }
    }

    /// Every row is as wide as the screen, no control character stands anywhere, no wide character is cut in half.
    static func check(_ canvas: Canvas, _ size: String) {
        // One expectation a screen: millions of them would be slow.
        var faults: [String] = []
        for row in 0..<canvas.rows {
            let cells = canvas.cells[row * canvas.columns..<(row + 1) * canvas.columns]
            var width = 0
            for cell in cells {
                for scalar in [cell.scalar, cell.mark1, cell.mark2, cell.mark3] where scalar != 0 {
                    let isControl = scalar < 0x20 || (0x7F..<0xA0).contains(scalar)
                    let isBidi = (0x202A...0x202E).contains(scalar) || (0x2028...0x2029).contains(scalar)
                    if isControl || isBidi { faults.append("U+\(String(scalar, radix: 16)) in row \(row)") }
                }
                width += Int(cell.width)
            }
            if width != canvas.columns { faults.append("row \(row) is \(width) wide") }
            if cells.last?.width == 2 { faults.append("row \(row) ends in half a character") }
        }
        #expect(faults.isEmpty, "\(size): \(faults.prefix(3))")
    }

    @Test(arguments: [(60, 16), (80, 24), (120, 40), (220, 60)])
    func namesFromOutsideDoNoHarm(_ size: (Int, Int)) {
        for keys in [
            "", "z", "+", "C", "q", "?", "1", "11", "22", "33", "44", "55", "6", "7", "8", "/x", " z", " +", ":x",
            ":freeze ",
        ] {
            var driver = Driver(Self.snapshot(), columns: size.0, rows: size.1)
            driver.type(keys)
            driver.answer(Self.sight)
            Self.check(driver.screen, "\(size) \(keys)")
            driver.press(.escape, .down, .enter)
            driver.answer(Self.sight)
            Self.check(driver.screen, "\(size) \(keys) detail")
            let plan = PlanSummary(id: 1, lines: Self.names, repairs: 2, sentence: Self.names.joined())
            driver.send(.planReady(plan))
            Self.check(driver.screen, "\(size) \(keys) plan")
            driver.send(.actDone(ActReport(sentence: Self.names.joined(), succeeded: false)))
            Self.check(driver.screen, "\(size) \(keys) told")
        }
    }

    @Test func pastedTextIsNeverTakenForKeys() {
        var driver = Driver()
        driver.send(.paste("qyX\u{1B}"))
        #expect(driver.taken() == [])
        driver.type("z")
        driver.send(.paste("y"))
        #expect(driver.taken() == [])
        driver.press(.escape)
        driver.type("/")
        driver.send(.paste("camp\nq"))
        #expect(driver.model.list.filter.text == "camp")
    }

    /// Numbers that no healthy source gives.
    static func odd() -> WarRoomSnapshot {
        var odd = Fixture.open(skus: 3)
        odd.skus[0].history = [.nan, .infinity, -1]
        odd.skus[0].unitsPerSecond = .infinity
        odd.skus[1].allocated = 0
        odd.skus[1].stock = .min
        odd.skus[1].taken = .max
        odd.skus[2].node = 99
        odd.orders.acceptedPerSecond = .nan
        odd.orders.buyersPerSecond = .infinity
        odd.orders.history = [.nan, -.infinity, 3]
        odd.ledger.entries = .max
        odd.ledger.backlogMilliseconds = .max
        odd.drift.units = .min
        odd.drift.byKind = [.conflict: .min, .negative: .max]
        odd.drift.cutAgeSeconds = .nan
        odd.openSeconds = .infinity
        odd.phase = .stale(.infinity)
        odd.nodes[0].ordersPerSecond = .infinity
        odd.nodes[1].p99Milliseconds = .nan
        odd.nodes[2].isUp = false
        odd.nodes[2].sinceSeconds = .nan
        odd.hottestTags[0].ordersPerSecond = .nan
        odd.hottestTags[1].node = 77
        odd.orders.history = [.infinity, .nan]
        odd.ledger.history = [.nan, .infinity, -5]
        return odd
    }

    @Test(arguments: PanelID.allCases, [(60, 16), (80, 24), (150, 50)])
    func impossibleNumbersDraw(_ panel: PanelID, _ size: (Int, Int)) {
        for phase in [WarRoomSnapshot.Phase.stale(.nan), .stale(.infinity), .live] {
            var odd = Self.odd()
            odd.phase = phase
            var driver = Driver(odd, columns: size.0, rows: size.1)
            driver.send(.tick(seconds: .nan))
            driver.type("\(panel.rawValue)")
            Self.check(driver.screen, "\(panel) \(size)")
            driver.type("\(panel.rawValue)ssssSGz")
            Self.check(driver.screen, "\(panel) \(size)")
            driver.press(.escape, .enter, .char("p"))
            driver.send(.tick(seconds: .infinity))
            Self.check(driver.screen, "\(panel) \(size)")
        }
    }

    @Test(arguments: 0..<24)
    func anySizeAndAnyKeysDraw(_ seed: Int) {
        var dice = Fixture.Dice(UInt64(seed + 1))
        let scenes = [Self.snapshot(), Fixture.open(), Fixture.starting(), Fixture.crashedDurable(), Fixture.warmed()]
        let odd = Self.odd()
        let keys =
            Array("jkhlgGsSpzFXCR+?/12345yq 0x-").map(KeyPress.char)
            + [.enter, .escape, .tab, .backTab, .up, .down, .pageUp, .pageDown, .backspace, .home, .end]
        var driver = Driver(
            scenes[0], permissions: Permissions(canOpenWithBuyers: seed % 2 == 0, canCrash: seed % 3 == 0),
            glyphs: seed % 4 == 3 ? .ascii : .unicode)
        for step in 0..<120 {
            switch dice.below(10) {
            case 0: driver.send(.resized(columns: 1 + dice.below(300), rows: 1 + dice.below(100)))
            case 1: driver.send(.snapshot((scenes + [odd])[dice.below(scenes.count + 1)]))
            case 2: driver.send(.tick(seconds: 100 + Double(step)))
            case 3:
                let actions: [MouseEvent.Action] = [.press, .doubleClick, .wheelUp, .wheelDown, .release]
                driver.send(.mouse(MouseEvent(actions[dice.below(5)], x: dice.below(300), y: dice.below(100))))
            case 4: driver.send(.planReady(Fixture.plan))
            default: driver.press(keys[dice.below(keys.count)])
            }
            if step % 3 == 0 {
                let canvas = driver.screen
                #expect(canvas.columns == driver.model.columns && canvas.rows == driver.model.rows)
                Self.check(canvas, "seed \(seed) step \(step) \(canvas.columns)×\(canvas.rows)")
            }
        }
    }

    @Test func asciiTerminalsGetOnlyASCII() {
        for scene in GoldenTests.Scene.allCases {
            // What others said may hold anything; our own words may not.
            var driver = scene.driver(columns: 120, rows: 40, glyphs: .ascii)
            if scene == .durable { continue }
            driver.send(.tick(seconds: 108))
            for line in driver.text.split(separator: "\n") {
                #expect(line.unicodeScalars.allSatisfy { $0.value < 0x80 }, "\(scene): \(line)")
            }
        }
    }
}
