import Foundation
import Inventory
import Telemetry
import TerminalUI
import Testing

@testable import Dashboard

/// Screens kept as text and style in Golden/. `SELLOUT_RECORD_GOLDEN=1` writes them anew: look at the difference before
/// committing it.
@Suite struct GoldenTests {
    enum Scene: String, CaseIterable {
        case starting, warmed, open, durable, memory, halted, held, stale, filter, detail, help, flash, watchFlash,
            freeze
        case restock, crash, plan, quit, readOnly, notice, zoomHeat, zoomDrift
        case stockScreen, ledgerScreen, nodesScreen, nodesDown, ordersScreen, orderFound, auditScreen, eventsScreen,
            skuHour
        case palette, paletteFreeze, bulkFreeze, bulkRestock, bulkResults, filterError, production, noAnswer

        case themes

        /// More was promised than there is.
        case settling, driftOversold

        /// Somebody else's keys, without SQL.
        case foreign, foreignStock, foreignSKU, foreignLedger, foreignHeat, foreignDrift, foreignNodes, foreignOrders,
            foreignForbidden

        case checking, noGo, noGoForGood, schedule, opensSoon, close, books, booksBad, alertList

        func driver(
            columns: Int, rows: Int, glyphs: Glyphs = .unicode, depth: TerminalCapabilities.ColourDepth? = nil
        ) -> Driver {
            var permissions = Permissions(canOpenWithBuyers: true, canCrash: true)
            var snapshot: WarRoomSnapshot
            switch self {
            case .starting: snapshot = Fixture.starting()
            case .warmed, .flash, .checking, .noGo, .noGoForGood, .schedule: snapshot = Fixture.warmed()
            case .opensSoon:
                snapshot = Fixture.warmed()
                snapshot.opening = ScheduledOpening(atMilliseconds: 1_700_000_060_000, secondsLeft: 59.2)
            case .close:
                snapshot = Fixture.open()
                snapshot.counts.reserved = 312
            case .alertList:
                snapshot = Fixture.crashedDurable()
                snapshot.alerts = Fixture.alerts
            case .watchFlash:
                snapshot = Fixture.warmed()
                permissions = Permissions()
            case .durable, .nodesDown: snapshot = Fixture.crashedDurable()
            case .foreign, .foreignStock, .foreignSKU, .foreignLedger, .foreignHeat, .foreignDrift, .foreignNodes,
                .foreignOrders:
                snapshot = Fixture.foreign()
                permissions = Permissions(isReadOnly: true)
            case .foreignForbidden:
                snapshot = Fixture.foreign(isForbidden: true)
                permissions = Permissions(isReadOnly: true)
            case .memory, .plan, .zoomDrift, .settling, .driftOversold: snapshot = Fixture.crashedMemory()
            case .halted:
                snapshot = Fixture.open()
                snapshot.saleState = .halted
            case .stale:
                snapshot = Fixture.open()
                snapshot.phase = .stale(7)
            case .production:
                snapshot = Fixture.open()
                permissions.isProduction = true
            case .readOnly:
                snapshot = Fixture.open()
                permissions.isReadOnly = true
            default: snapshot = Fixture.open()
            }
            var driver = Driver(
                snapshot, columns: columns, rows: rows, permissions: permissions, glyphs: glyphs, depth: depth)
            switch self {
            case .held:
                driver.type("p")
                driver.send(.tick(seconds: 107))
            case .filter: driver.type("/camp left<2k")
            case .detail:
                driver.press(.down, .enter)
            case .help: driver.type("?")
            case .flash, .watchFlash:
                driver.type("F")
                driver.send(.preflight(Fixture.list()))
            case .checking:
                driver.type("F")
                driver.send(.preflight(Fixture.list(upTo: 4)))
                driver.type("y")
            case .noGo:
                driver.type("F")
                driver.send(
                    .preflight(
                        Fixture.list(bad: [
                            .memory: ("127.0.0.1:7001 has 40 MiB free, and the ledgers may need 120 MiB", true)
                        ])))
                driver.type("flash")
            case .noGoForGood:
                driver.type("F")
                driver.send(
                    .preflight(
                        Fixture.list(bad: [
                            .durability: ("127.0.0.1:7001 keeps no append-only file: set appendonly yes", false),
                            .clock: ("the clock of 127.0.0.1:7002 is 9.0 s ahead of this machine's", true),
                        ])))
            case .schedule:
                driver.type(":open at 12:00")
                driver.press(.enter)
            case .close:
                driver.type("E")
                driver.press(.tab)
            case .books, .booksBad:
                driver.type("Ey")
                driver.send(.closing(Fixture.closed(isClean: self == .books)))
            case .alertList: driver.type("A")
            case .freeze: driver.type("z")
            case .restock: driver.type("+-5")
            case .crash: driver.type("C2")
            case .plan: driver.send(.planReady(Fixture.plan))
            case .quit: driver.type("q")
            case .themes:
                driver.model.themeNames = ThemeLibrary().names
                driver.type("T")
            case .notice:
                driver.send(.actDone(ActReport(sentence: "froze 1003 Camp Stove: 1,260 units stay", succeeded: true)))
            case .zoomHeat: driver.type("33")
            case .zoomDrift:
                driver.type("44")
                driver.send(.planReady(Fixture.plan))
                driver.press(.escape)
            case .settling:
                driver.type("44O")
                driver.send(.settlingReady(Fixture.settling(.newestFirst)))
            case .driftOversold: driver.type("44")
            case .foreignStock: driver.type("1")
            case .foreignSKU: driver.press(.enter)
            case .foreignLedger: driver.type("22")
            case .foreignHeat: driver.type("33")
            case .foreignDrift: driver.type("44")
            case .foreignNodes: driver.type("6")
            case .foreignOrders: driver.type("7")
            case .stockScreen: driver.type("1")
            case .ledgerScreen: driver.type("22")
            case .eventsScreen: driver.type("55")
            case .nodesScreen: driver.type("6")
            case .nodesDown: driver.type("6j")
            case .ordersScreen: driver.type("7")
            case .orderFound:
                driver.type("7s/\(Fixture.flows[2])")
                driver.press(.enter)
            case .auditScreen: driver.type("8jj")
            case .noAnswer: driver.type("8")
            case .skuHour:
                driver.press(.enter)
                driver.type("lll")
            case .palette: driver.type(":he")
            case .paletteFreeze: driver.type(":freeze tra")
            case .bulkFreeze, .bulkResults:
                driver.type("   z")
                if self == .bulkResults {
                    driver.type("y")
                    let id = driver.model.bulk!.id
                    driver.send(.bulkStep(id: id, ActReport(sentence: "SKU 1001 is frozen", succeeded: true)))
                    driver.send(
                        .bulkStep(
                            id: id,
                            ActReport(sentence: "freeze 1003: SQL is locked by another program", succeeded: false)))
                }
            case .bulkRestock: driver.type("   +250")
            case .filterError: driver.type("/camp state=x")
            case .production: driver.type("z10")
            default: break
            }
            if self == .noAnswer {
                driver.answer { _ in .failed("SQL does not answer: the file is locked by another program") }
            } else if self == .driftOversold {
                driver.answer { look in look == .losers ? .losers(Fixture.losers) : Fixture.sight(look) }
            } else {
                driver.answer()
            }
            return driver
        }
    }

    @Test(arguments: Scene.allCases, [(80, 24), (120, 40)])
    func screen(_ scene: Scene, _ size: (Int, Int)) throws {
        let driver = scene.driver(columns: size.0, rows: size.1)
        try expectGolden(driver.screen, "\(scene.rawValue)-\(size.0)x\(size.1)")
    }

    @Test(arguments: [Scene.warmed, .open, .durable, .memory, .help, .crash, .themes])
    func asciiScreen(_ scene: Scene) throws {
        let canvas = scene.driver(columns: 80, rows: 24, glyphs: .ascii).screen
        try expectGolden(canvas, "\(scene.rawValue)-80x24-ascii")
    }

    @Test(arguments: [Scene.open, .memory, .stockScreen, .zoomHeat, .zoomDrift, .foreign])
    func otherSizes(_ scene: Scene) throws {
        for (columns, rows) in [(60, 16), (160, 48), (220, 60)] {
            let driver = scene.driver(columns: columns, rows: rows)
            try expectGolden(driver.screen, "\(scene.rawValue)-\(columns)x\(rows)")
        }
    }

    @Test("every scene where no box has room", arguments: Scene.allCases)
    func smallScreen(_ scene: Scene) throws {
        for (columns, rows) in [(40, 10), (59, 15)] {
            let driver = scene.driver(columns: columns, rows: rows)
            try expectGolden(driver.screen, "\(scene.rawValue)-\(columns)x\(rows)")
        }
    }

    @Test("the largest terminal, and shapes that are only long or only tall", arguments: [Scene.durable])
    func farSizes(_ scene: Scene) throws {
        for (columns, rows) in [(400, 120), (400, 10), (40, 120)] {
            let driver = scene.driver(columns: columns, rows: rows)
            try expectGolden(driver.screen, "\(scene.rawValue)-\(columns)x\(rows)")
        }
    }

    /// What terminals can do, from the richest to the poorest.
    enum Profile: String, CaseIterable {
        case direct, palette256, sixteen, none, ascii

        var depth: TerminalCapabilities.ColourDepth {
            switch self {
            case .direct: .direct
            case .palette256: .palette256
            case .sixteen: .sixteen
            case .none, .ascii: .mono
            }
        }
    }

    @Test("the same screen on five kinds of terminal, in four sizes: text, styles, and what becomes of each style")
    func profiles() throws {
        for profile in Profile.allCases {
            for (columns, rows) in [(40, 10), (80, 24), (120, 40), (200, 60)] {
                let driver = Scene.durable.driver(
                    columns: columns, rows: rows, glyphs: profile == .ascii ? .ascii : .unicode, depth: profile.depth)
                let canvas = driver.screen
                var styles: [Style] = []
                for cell in canvas.cells where !styles.contains(cell.style) { styles.append(cell.style) }
                let theme = driver.model.theme
                let sent = styles.map { style in
                    let attributes = theme.terminalAttributes(style, depth: profile.depth)
                    let (front, back) = (
                        theme.terminalColour(style.foreground, isBackground: false, depth: profile.depth),
                        theme.terminalColour(style.background, isBackground: true, depth: profile.depth)
                    )
                    return "\(style): \(Self.text(front)) on \(Self.text(back)), attributes \(attributes.rawValue)"
                }
                let text = canvas.styledText + "\n\n" + sent.joined(separator: "\n") + "\n"
                try expectGolden(text, "profile-\(profile.rawValue)-\(columns)x\(rows)")
            }
        }
    }

    private static func text(_ colour: TerminalColour) -> String {
        switch colour {
        case .standard: "the terminal's own"
        case .indexed(let number): "\(number)"
        case .direct(let rgb): "#" + String(rgb.hex, radix: 16)
        }
    }

    @Test func tooSmall() throws {
        var driver = Driver(columns: 39, rows: 12)
        #expect(driver.text.split(separator: "\n").joined(separator: " ").contains("39×12"))
        try expectGolden(driver.screen, "tooSmall-39x12")
        driver.type("X")
        #expect(driver.taken() == [])
        driver.send(.resized(columns: 80, rows: 24))
        #expect(driver.text.contains("stock"))
    }

    /// Compares with the file, or writes it when asked to.
    private func expectGolden(_ canvas: Canvas, _ name: String, _ location: SourceLocation = #_sourceLocation) throws {
        try expectGolden(canvas.styledText + "\n", name, location)
    }

    private func expectGolden(_ drawn: String, _ name: String, _ location: SourceLocation = #_sourceLocation) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
        let file = folder.appendingPathComponent(name + ".txt")
        if ProcessInfo.processInfo.environment["SELLOUT_RECORD_GOLDEN"] == "1" {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(drawn.utf8).write(to: file)
            return
        }
        guard let data = try? Data(contentsOf: file) else {
            Issue.record("Golden/\(name).txt is not there; run with SELLOUT_RECORD_GOLDEN=1", sourceLocation: location)
            return
        }
        let kept = String(decoding: data, as: UTF8.self)
        if kept != drawn {
            let pairs = zip(kept.split(separator: "\n"), drawn.split(separator: "\n"))
            let first = pairs.first { $0 != $1 }.map { "kept:  \($0.0)\ndrawn: \($0.1)" } ?? "one is longer"
            Issue.record("Golden/\(name).txt differs:\n\(first)", sourceLocation: location)
        }
    }
}
