import Foundation
import Glibc
import Host
import Inventory
import Lab
import Operations
import OrderStore
import Redis
import Testing

/// What really goes over the line.
@Suite("The bytes that reach a terminal", .serialized, .timeLimit(.minutes(5)))
struct ByteStreamTests {
    @Test(
        "the grammar itself refuses what could do harm",
        arguments: [
            "\u{1B}]0;owned\u{7}", "\u{1B}P1$r\u{1B}\\", "\u{1B}[6n", "\u{1B}[?69h", "\u{1B}c", "\u{7}", "\u{9B}31m",
            "\u{202E}", "\u{2028}", "\u{E0041}", "\u{1B}[31;999m", "\u{1B}_x\u{1B}\\", "\u{1B}[5i", "\u{1B}[8;1;1t",
        ])
    func grammarRefuses(text: String) {
        #expect(TerminalGrammar.violation(in: Array("abc\(text)def".utf8)) != nil)
        #expect(TerminalGrammar.violation(in: [0x61, 0xC3, 0x28]) != nil)
        #expect(TerminalGrammar.violation(in: Array("\u{1B}[".utf8)) != nil)
        #expect(TerminalGrammar.violation(in: Array("\u{1B}[1;31m日本\u{1B}[38;2;1;2;3m\r\n\u{1B}(B".utf8)) == nil)
    }

    /// The terminals that people have, from the richest to the poorest.
    static let profiles: [(name: String, environment: [String: String?])] = [
        ("direct", ["TERM": "xterm-256color", "COLORTERM": "truecolor"]),
        ("256", ["TERM": "xterm-256color", "COLORTERM": nil]), ("16", ["TERM": "xterm", "COLORTERM": nil]),
        ("none", ["TERM": "screen-256color", "COLORTERM": nil, "NO_COLOR": "1"]),
        ("ASCII", ["TERM": "vt100", "COLORTERM": nil, "LANG": "C"]),
    ]

    /// The same texts in every run: random scalars of every dangerous kind, between ordinary ones.
    struct Texts {
        private var state: UInt64
        init(seed: UInt64) { state = seed &* 2 &+ 1 }

        private mutating func below(_ limit: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state >> 33) % limit
        }

        private static let ranges: [ClosedRange<UInt32>] = [
            0x01...0x1F, 0x7F...0x9F, 0x20...0x7E, 0x20...0x7E, 0x300...0x36F, 0x4E00...0x9FFF, 0x200B...0x200F,
            0x2028...0x202E, 0x2060...0x206F, 0xE000...0xE0FF, 0xFE00...0xFE0F, 0xFFF0...0xFFFF, 0x1F300...0x1F9FF,
            0x1F1E6...0x1F1FF, 0xE0001...0xE007F, 0x590...0x6FF, 0x900...0xDFF, 0x2500...0x28FF, 0x10FFF0...0x10FFFF,
        ]
        static let attacks = [
            "\u{1B}]0;owned\u{7}", "\u{1B}[2J", "\u{1B}P+q544e\u{1B}\\", "\u{9B}5i", "\u{1B}[6n", "\u{1B}c",
            "\u{1B}[?1049l",
            "\u{90}q\u{9C}", "\r\n\u{8}", "\u{202E}gnp.exe",
        ]

        mutating func text(_ count: Int) -> String {
            var text = ""
            for _ in 0..<count {
                if below(12) == 0 { text += Self.attacks[below(Self.attacks.count)] }
                let range = Self.ranges[below(Self.ranges.count)]
                let value = range.lowerBound + UInt32(below(range.count))
                if let scalar = Unicode.Scalar(value), value != 0 { text.unicodeScalars.append(scalar) }
            }
            return text
        }
    }

    @Test(
        "every byte of a screen full of hostile text belongs to the renderer's own grammar, on every kind of terminal")
    func hostileBytes() async throws {
        let scratch = try Scratch()
        var texts = Texts(seed: 5)
        let fleet = try await EmbeddedFleet.start(.init(masters: 1))
        let store = try SQLiteOrderStore.open(path: "\(scratch.path)/books.sqlite")
        let skus = (0..<60).map { index in
            SaleDraft.SKU(
                sku: texts.text(6) + "\(index)", name: index == 3 ? texts.text(10_000) : texts.text(4 + index),
                tag: "a\(index % 4)", allocated: Int64(10 + index))
        }
        _ = try await store.createSale(SaleDraft(name: texts.text(30), durability: .durable, skus: skus))
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        let service = try await SaleService(cluster: cluster, store: store, events: EventLog())
        _ = try await service.warm()
        let palette = (0..<16).map { "  base0" + String($0, radix: 16).uppercased() + ": \"10203\($0 % 10)\"\n" }
        let evil = "\u{1B}]0;x\u{7}\u{9B}6n"
        _ = try scratch.write(
            "name: \"\\e]0;x\\a\"\npalette:\n" + palette.joined(), to: ".config/sellout/themes/a\(evil).yaml")
        _ = try scratch.write("name: [\(evil)\n", to: ".config/sellout/themes/b\(evil).yaml")
        for profile in Self.profiles {
            let bytes = try await walk(
                ["watch", "--redis", fleet.url, "--orders", "sqlite:books.sqlite"], profile.environment, &texts, scratch
            )
            #expect(bytes.count > 10_000, "\(profile.name): only \(bytes.count) bytes")
            let violation = TerminalGrammar.violation(in: bytes)
            #expect(violation == nil, "\(profile.name): \(violation ?? "")")
            if profile.name == "ASCII" { #expect(bytes.allSatisfy { $0 < 0x80 }) }
            let colour = "\u{1B}[38;2;"
            #expect(bytes.contains(colour) == (profile.name == "direct"), "\(profile.name)")
        }
        cluster.close()
        await store.close()
        await fleet.stop()
    }

    /// Looks at everything, types and pastes what is hostile too, and leaves.
    private func walk(
        _ arguments: [String], _ environment: [String: String?], _ texts: inout Texts, _ scratch: Scratch
    ) async throws -> [UInt8] {
        // What is typed once the program has ended is echoed by the terminal itself; that is no byte of the renderer.
        let terminal = try await RawTerminal.start(
            arguments, 120, 40, in: scratch, environment: environment, echoes: false)
        try #require(terminal.shows("LIVE"))
        func press(_ text: String) {
            terminal.type(text)
            terminal.readUntilQuiet()
        }
        for name in ["stock", "ledger", "heat", "drift", "events", "nodes", "orders", "audit"] {
            press(":")
            press(name)
            press("\r")
            terminal.resize(200, 60)
            terminal.readUntilQuiet()
            press("jj\r")
            press("\u{1B}")
            terminal.resize(120, 40)
            press("\u{1B}")
            press("\u{1B}")
        }
        press("z")
        press("\u{1B}")
        press("T")
        press("jjGg")
        press("\u{1B}")
        press("?")
        press("\u{1B}")
        press("/")
        // What is typed is as hostile as what is read, apart from keys that the kernel or the filter take: a signal, a stop.
        func typed(_ count: Int) -> String {
            String(
                texts.text(count).unicodeScalars.filter {
                    $0.value >= 0x20 || [7, 8, 9, 0x0E, 0x1F].contains($0.value)
                })
        }
        press(typed(40))
        press("\u{1B}")
        press("\u{1B}[200~\(typed(400))\u{1B}[201~")
        terminal.resize(60, 16)
        terminal.readUntilQuiet()
        terminal.process.kill(SIGTERM)
        terminal.readToTheEnd()
        // On a machine that is busy an escape and the letter after it may be read at once, as Alt and that letter; a `q` of
        // what is typed then is a `q`.
        let ending = await terminal.process.waitForEnd()
        #expect(ending == .exited(code: 128 + SIGTERM) || ending == .exited(code: 0))
        return terminal.bytes
    }

    @Test("keys that the kernel throws away because Ctrl-Z follows them never leave the screen waiting for another")
    func flushedKeys() async throws {
        let scratch = try Scratch()
        let terminal = try await RawTerminal.start(
            ["demo", "--masters", "1", "--skus", "8"], 80, 24, in: scratch, environment: ["TERM": "xterm"])
        defer { terminal.process.kill(SIGKILL) }
        try #require(terminal.shows("WARMED"))
        // Nobody could wake a stopped leader of a session, so the kernel drops the stop: only the flush stays.
        for _ in 0..<300 {
            terminal.type("jk\u{1A}")
            terminal.readUntilQuiet(.microseconds(1))
        }
        terminal.process.kill(SIGTERM)
        terminal.readToTheEnd()
        #expect(try await eventually(within: .seconds(5)) { terminal.process.ending == .exited(code: 128 + SIGTERM) })
        try await scratch.expectNothingLeft()
    }

    @Test("a terminal that nobody reads: keys still act, memory stays flat, and a signal still ends it")
    func blockedOutput() async throws {
        let scratch = try Scratch()
        let terminal = try await RawTerminal.start(
            ["demo", "--masters", "1", "--skus", "50", "--rate", "300", "--units", "900000"], 220, 60, in: scratch,
            environment: ["TERM": "xterm-256color"])
        defer { terminal.process.kill(SIGKILL) }
        try #require(terminal.read { $0.contains("WARMED") && $0.contains(".sqlite") })
        let screen = String(decoding: terminal.bytes, as: UTF8.self)
        let redis = String(try #require(screen.matches(of: #/redis://[\d.]+:\d+/#).last).output)
        let books = String(try #require(screen.matches(of: #/sqlite:\/[^\s\x{1B}]+\.sqlite/#).last).output)
        func stands(_ state: String) async throws -> Bool {
            let told = try await Program.run(
                "snapshot", "--json", "--redis", redis, "--orders", books, in: scratch)
            return told.output.contains("\"\(state)\"")
        }
        // From here on nothing is read. Frames drawn anew are more than any terminal takes ahead.
        for _ in 0..<30 { terminal.type("\u{C}") }
        terminal.type("F")
        terminal.type("y")
        #expect(try await eventually(within: .seconds(20)) { try await stands("open") })
        let before = terminal.residentBytes
        for _ in 0..<300 { terminal.type("\u{C}") }
        terminal.type("X")
        #expect(try await eventually(within: .seconds(20)) { try await stands("halted") })
        #expect(terminal.residentBytes - before < 40 << 20)
        terminal.process.kill(SIGTERM)
        let ended = try await eventually(within: .seconds(8)) { terminal.process.ending != nil }
        #expect(ended)
        if ended { #expect(terminal.process.ending == .exited(code: 128 + SIGTERM)) }
        try await scratch.expectNothingLeft()
    }
}
