import Foundation
import Glibc
import Host
import Inventory
import Lab
import Operations
import OrderStore
import Redis
import Testing

extension CommandTests {
    @Test("books that somebody tampered with: reconcile says so in words, repairs on demand, and agrees again")
    func reconcile() async throws {
        let kept = try await Kept.make(
            "--masters", "1", "--skus", "3", "--units", "200", "--rate", "100", in: Scratch())
        defer { kept.end() }
        let clean = try await kept.reconcile()
        #expect(clean.status == 0, "\(clean)")
        #expect(clean.output.contains("1 bucket compared") && clean.output.contains("agree to the unit"))

        try await kept.redis("INCRBY", "ss_{a0}1002", "5")
        try await damagedThenRepaired(kept, kind: "unbalanced", words: "5 units of drift")
        try await kept.redis("DEL", "sx_{a0}1001")
        try await damagedThenRepaired(kept, kind: "lostBucket", words: "must be rebuilt from SQL")
        var forget = RedisCommand("HDEL", "sx_{a0}1003")
        forget.append(try await kept.anyFlow(of: "sx_{a0}1003"))
        _ = try await kept.connection.call(forget, deadline: .now + .seconds(30))
        try await damagedThenRepaired(kept, kind: "missingLedgerEntry", words: "repair")
        try await kept.redis("FLUSHALL")
        try await damagedThenRepaired(kept, kind: "lostBucket", words: "must be rebuilt from SQL")
    }

    @Test("a sellout that was killed: reconcile says that nobody works on what it left, and --repair finishes it")
    func killedSale() async throws {
        let scratch = try Scratch()
        let program = try await Program.start(
            "demo", "--no-ui", "--masters", "1", "--durability", "memory", "--outbox-delay", "500ms", "--rate", "1000",
            "--skus", "20", "--units", "5000", "--duration", "60s", "--keep", "\(scratch.path)/kept", in: scratch)
        try await eventually(within: .seconds(20)) { program.error.contains("the sale is open") }
        let match = try #require(
            program.error.firstMatch(of: #/watch --redis (\S+) --orders (\S+)/#), "\(program.error)")
        let kept = Kept(
            scratch: scratch, redis: String(match.1), orders: String(match.2),
            connection: try RedisConnection(address: try RedisURL(String(match.1)).address))
        defer { kept.end() }
        let sold = RedisCommand("XLEN", "so_{a0}")
        try await eventually(within: .seconds(20)) {
            (try await kept.connection.call(sold, deadline: .now + .seconds(30)).int ?? 0) > 100
        }
        program.process.kill(SIGKILL)
        _ = await program.result()

        let left = try await kept.reconcile()
        #expect(left.status == 1, "\(left)")
        #expect(
            left.output.contains("nobody works on this sale") && left.output.contains("--repair does it"), "\(left)")
        #expect(!left.output.contains("on their way") && !left.output.contains("agree to the unit"), "\(left)")
        let json = try await kept.reconcile("--json")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let work = try #require(object["unattended"] as? [String: Any])
        #expect((work["orders"] as? Int ?? 0) > 0 && json.status == 1, "\(json)")

        let repaired = try await kept.reconcile("--repair")
        #expect(repaired.status == 0, "\(repaired)")
        let orders = try #require(work["orders"] as? Int)
        #expect(
            repaired.output.replacing(",", with: "").contains("of \(orders) order")
                && repaired.output.contains("that nobody worked on"),
            "\(repaired)")
        let after = try await kept.reconcile()
        #expect(after.status == 0 && after.output.contains("agree to the unit"), "\(after)")
    }

    private func damagedThenRepaired(
        _ kept: Kept, kind: String, words: String, _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let found = try await kept.reconcile()
        #expect(found.status == 1, "\(found)", sourceLocation: location)
        #expect(found.output.contains(kind) && found.output.contains(words), "\(found)", sourceLocation: location)
        let again = try await kept.reconcile("--json")
        #expect(again.status == 1, "looking must not repair", sourceLocation: location)
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(again.output.utf8)) as? [String: Any], sourceLocation: location)
        #expect(Set(json.keys) == ["driftUnits", "drift", "cuts", "repairs"], sourceLocation: location)
        let repair = try #require((json["repairs"] as? [[String: Any]])?.first, sourceLocation: location)
        #expect(Set(repair.keys) == ["id", "kind", "sku", "units", "flows", "state"], sourceLocation: location)
        let repaired = try await kept.reconcile("--repair")
        #expect(repaired.status == 0, "\(repaired)", sourceLocation: location)
        let after = try await kept.reconcile()
        #expect(after.status == 0, "\(after)", sourceLocation: location)
    }
}

extension CommandTests {
    @Test("one sale's books on another's Redis: refused in one line by every command, and nothing is written")
    func anotherSale() async throws {
        let (mine, theirs) = (
            try await Kept.make("--masters", "1", "--skus", "3", "--units", "200", "--rate", "100", in: Scratch()),
            try await Kept.make("--masters", "1", "--skus", "3", "--units", "300", "--rate", "100", in: Scratch())
        )
        defer {
            mine.end()
            theirs.end()
        }
        let sources = ["--redis", theirs.redis, "--orders", mine.orders]
        for command in [["reconcile"], ["reconcile", "--repair"], ["reconcile", "--repair", "--json"]] {
            let result = try await Program.start(command + sources, in: mine.scratch).result()
            result.expectOneLine("holds another sale", "name the order store", status: 2)
        }
        for kept in [mine, theirs] { #expect(try await kept.reconcile().status == 0) }
    }

    @Test("three repairs at once after a FLUSHALL: one wins, the others wait, and all agree")
    func threeRepairs() async throws {
        let kept = try await Kept.make(
            "--masters", "1", "--skus", "12", "--units", "400", "--rate", "200", in: Scratch())
        defer { kept.end() }
        for _ in 0..<3 {
            try await kept.redis("FLUSHALL")
            let results = try await withThrowingTaskGroup(of: Program.Result.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        let result = try await kept.reconcile("--repair")
                        return result
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for result in results {
                #expect(result.status == 0 && result.output.contains("agree to the unit"), "\(result)")
                #expect(!result.output.contains("failed"), "\(result)")
            }
            #expect(results.contains { $0.output.contains("rebuild bucket a0 from SQL") }, "\(results)")
        }
    }
}

extension ScreenTests {
    @Test("watch shows a sale that goes on elsewhere, and its keys reach it; --read-only binds none")
    func watch() async throws {
        try await Terminal.open(120, 40) { terminal in
            let kept = try await Kept.make(
                "--masters", "3", "--skus", "24", "--units", "900", "--rate", "100", in: terminal.scratch)
            defer { kept.end() }
            let arguments = kept.sources.joined(separator: " ")
            try await terminal.open("sellout watch \(arguments) --read-only")
            try await terminal.expect("READ-ONLY")
            try await terminal.expect("HALTED")
            try await terminal.expect("cluster 3")
            try await terminal.press("F")
            try await terminal.expect("keys that change anything are not bound")
            try await terminal.press("q")
            try await terminal.expectEnd(status: 0)

            try await terminal.open("sellout watch \(arguments)")
            try await terminal.expect("watching 24 SKUs")
            try await terminal.press("C")
            try await terminal.expect("only a demo's own fleet can be crashed")
            try await terminal.press("F")
            try await terminal.expect("It lets orders in; it makes no buyers")
            try await terminal.press("y")
            try await terminal.expect(" OPEN ")
            try await terminal.press("q")
            try await terminal.expect("It goes on without this screen")
            // One after the other: Escape and a letter in one breath are Alt and that letter.
            try await terminal.press("Escape")
            try await terminal.expectGone("It goes on without this screen")
            try await terminal.press("X")
            try await terminal.expect(" HALTED ", within: .seconds(2))

            // A stranger's hand in Redis shows by itself, and R plans what y applies.
            try await kept.redis("INCRBY", "ss_{a0}1001", "7")
            try await terminal.expect("DRIFT: Redis and SQL differ by 7 units", within: .seconds(15))
            try await terminal.press("R")
            try await terminal.expect("y applies it", within: .seconds(15))
            try await terminal.press("y")
            try await terminal.expect("1 repair applied", within: .seconds(15))
            try await terminal.expectGone("DRIFT: Redis", within: .seconds(15))

            // Its Redis dies under it: told, not crashed.
            for pid in terminal.scratch.servers { kill(pid, SIGKILL) }
            try await terminal.expect("a node that is down", within: .seconds(15)) { $0.contains("down") }
            try await terminal.press("q")
            try await terminal.expectEnd(status: 0)
        }
    }

    @Test("hostile names do nothing but stand there", .timeLimit(.minutes(5)))
    func hostileNames() async throws {
        let names = [
            "\u{1B}[31mRED\u{1B}]0;owned\u{07}\u{1B}[2J", "東京スニーカー限定版", "👟🔥👨‍👩‍👧‍👦 drop", "\u{202E}desrever\u{2066}",
            "two\nlines\r\tand a tab", String(repeating: "long ", count: 2_000), "\u{9B}31m\u{90}q\u{7F}",
            "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}",
        ]
        try await Terminal.open(120, 40) { terminal in
            let fleet = try await EmbeddedFleet.start(.init(masters: 1))
            let store = try SQLiteOrderStore.open(path: "\(terminal.scratch.path)/books.sqlite")
            _ = try await store.createSale(
                SaleDraft(
                    name: names[0], durability: .durable,
                    skus: names.enumerated().map { index, name in
                        // The SKU itself is as hostile as its name; the 10 kB are a SKU, too.
                        SaleDraft.SKU(sku: name + "\(index)", name: name, tag: "a0", allocated: 10)
                    }))
            let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
            let service = try await SaleService(cluster: cluster, store: store, events: EventLog())
            _ = try await service.warm()
            let title = try await terminal.ask("#{pane_title}")
            try await terminal.open("sellout watch --redis \(fleet.url) --orders sqlite:books.sqlite")
            try await terminal.expect("8 SKUs")
            try await terminal.expect("東京")
            for size in [(120, 40), (80, 24), (220, 60), (60, 16)] {
                try await terminal.resize(size.0, size.1)
                try await terminal.expect("a whole screen at \(size)") { Self.isWhole($0, rows: size.1) }
            }
            try await terminal.resize(120, 40)
            // The cursor over every one, its detail, its dialogs.
            for _ in names {
                try await terminal.press("Enter", "z")
                try await terminal.expect("Nobody can buy it")
                try await terminal.press("Escape")
                try await terminal.expectGone("Nobody can buy it")
                try await terminal.press("Enter", "j")
            }
            try await terminal.expect("a whole screen") { Self.isWhole($0, rows: 40) }
            #expect(try await terminal.ask("#{pane_title}") == title)
            try await terminal.press("q")
            try await terminal.expectEnd(status: 0)
            let result = try await Program.run(
                "reconcile", "--redis", fleet.url, "--orders", "sqlite:books.sqlite", in: terminal.scratch)
            #expect(result.status == 0 && !result.output.contains("\u{1B}"))
            cluster.close()
            await store.close()
            await fleet.stop()
        }
    }

    /// Every line of the frame ends in the frame: nothing shifted it, nothing overflowed.
    static func isWhole(_ screen: String, rows: Int) -> Bool {
        let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= rows, lines[0].hasPrefix("╭─ sellout"), lines[rows - 1].contains("quit") else {
            return false
        }
        return lines[..<(rows - 1)].allSatisfy { line in
            guard let first = line.first, "│╭╰".contains(first) else { return true }
            return line.last.map { "│┃╮╯".contains($0) } ?? false
        }
    }
}
