import Foundation
import GRDB
import Glibc
import Host
import Redis
import Testing

extension CommandTests {
    @Test("for scripts: a snapshot, the screen's acts with their audit, and a place marked production")
    func snapshotAndActs() async throws {
        let kept = try await Kept.make(
            "--masters", "1", "--skus", "3", "--units", "2000", "--rate", "100", in: Scratch())
        defer { kept.end() }
        let (scratch, sources) = (kept.scratch, kept.sources)

        let watcher = try await Program.start(["watch", "--linear"] + sources, in: scratch)
        try await eventually(within: .seconds(10)) { watcher.output.contains("the sale is halted") }

        let frozen = try await kept.run("freeze", "1001", "1003")
        #expect(frozen.status == 0 && frozen.output.contains("SKU 1001 is frozen"), "\(frozen)")
        try await eventually(within: .seconds(10)) { watcher.output.contains("frozen: 1001") }
        #expect(watcher.output.contains("frozen: 1001 Trail Runner"), "\(watcher.output)")
        // The second one may have come after the look that told of the first: who comes later is told both at once.
        let later = try await Program.start(["watch", "--linear"] + sources, in: scratch)
        try await eventually(within: .seconds(10)) { later.output.contains("frozen: 1001 Trail Runner; 1003 ") }
        #expect(later.output.contains("frozen: 1001 Trail Runner; 1003 "), "\(later.output)")
        later.process.kill(SIGINT)
        #expect(await later.result().status == 128 + SIGINT)
        watcher.process.kill(SIGINT)
        #expect(await watcher.result().status == 128 + SIGINT)
        let restocked = try await kept.run("restock", "1002", "50", "--json")
        #expect(restocked.status == 0 && restocked.output.contains("\"succeeded\" : true"), "\(restocked)")
        #expect(try await kept.run("thaw", "1003").status == 0)
        for act in [["freeze", "1003"], ["halt"], ["reconcile", "--repair"]] {
            let refused = try await Program.start(act + ["--read-only"] + sources, in: scratch).result()
            #expect(refused.status == 2 && refused.error.contains("may only be looked at"), "\(refused)")
        }

        let snapshot = try await kept.run("snapshot", "--json")
        #expect(snapshot.status == 0, "\(snapshot)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(snapshot.output.utf8)) as? [String: Any])
        let skus = try #require(json["skus"] as? [[String: Any]])
        let nodes = try #require(json["nodes"] as? [[String: Any]])
        #expect(
            Set(try #require(skus.first).keys)
                == [
                    "sku", "name", "state", "allocatedUnits", "stockUnits", "soldUnits", "deductionsPerSecond", "tag",
                    "slot", "node",
                ])
        #expect(
            Set(try #require(nodes.first).keys)
                == ["node", "state", "epoch", "callsPerSecond", "p99Milliseconds", "errors"])
        #expect(skus.map { $0["state"] as? String } == ["FROZEN", "OK", "OK"])
        for sku in skus {
            let left = try #require(sku["stockUnits"] as? Int)
            #expect(sku["allocatedUnits"] as? Int == left + (sku["soldUnits"] as? Int ?? -1))
            #expect(sku["node"] as? String == nodes[0]["node"] as? String)
        }
        #expect(skus[1]["allocatedUnits"] as? Int == 2_050)
        #expect((nodes[0]["epoch"] as? Int ?? 0) >= 1)
        let text = try await kept.run("snapshot", "--text")
        #expect(text.status == 0 && text.output.contains("FROZEN") && !text.output.contains("\u{1B}"))

        // Halted at the end of the demo: opened, halted, and halted once more, which never hurts.
        #expect(try await kept.run("open").status == 0)
        let again = try await kept.run("open")
        #expect(again.status == 0 && again.output == "the sale is open already\n", "\(again)")
        #expect(try await kept.run("halt").status == 0)
        let back = try await kept.run("restock", "1002", "50", "--reverse")
        #expect(back.status == 0 && back.output.contains("SKU 1002 has 50 units fewer"), "\(back)")
        let tooMany = try await kept.run("restock", "1002", "5000", "--reverse")
        #expect(tooMany.status == 1 && tooMany.output.contains("fewer than the 5000 to take back"), "\(tooMany)")
        let negative = try await kept.run("restock", "1002", "-5")
        negative.expectOneLine("-5 units: use 1 to 1000000; with --reverse", status: 64)
        let unknown = try await kept.run("freeze", "1001", "nowhere")
        unknown.expectOneLine("SKU nowhere is not in", "nothing was changed", status: 2)
        let refused = try await kept.run("restock", "1001", "0")
        refused.expectOneLine("0 units", status: 64)

        let asked = try await kept.run("freeze", "1002", "--production")
        asked.expectOneLine("is marked production: give --confirm '1002'", status: 2)
        #expect(try await kept.run("freeze", "1002", "--production", "--confirm", "1002").status == 0)
        #expect(try await kept.run("halt", "--production").output.contains("halt"))
    }

    @Test(
        "halt stops orders in Redis while another program locks SQL, and ends once SQL has it; close prints its books")
    func haltsBesideALock() async throws {
        let kept = try await Kept.make(
            "--masters", "1", "--skus", "3", "--units", "2000", "--rate", "100", in: Scratch())
        defer { kept.end() }
        let (scratch, sources) = (kept.scratch, kept.sources)
        #expect(try await Program.start(["open"] + sources, in: scratch).result().status == 0)

        func state() async throws -> String? { try await kept.redis("HGET", "sc_{a0}", "state").string }
        #expect(try await state() == "open")
        var configuration = GRDB.Configuration()
        configuration.allowsUnsafeTransactions = true
        let books = try DatabaseQueue(
            path: String(kept.orders.dropFirst("sqlite:".count)), configuration: configuration)
        try await books.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
        let halt = try await Program.start(["halt"] + sources, in: scratch)
        try await eventually(within: .seconds(30)) { try await state() == "halted" }
        try await eventually(within: .seconds(30)) { halt.error.contains("no orders; the halt goes to SQL") }
        try await books.inDatabase { try $0.execute(sql: "ROLLBACK") }
        let halted = await halt.result()
        #expect(halted.status == 0 && halted.output.contains("the sale is halted"), "\(halted)")
        try books.close()

        let closed = try await Program.start(["close", "--confirm", "summer-drop", "--json"] + sources, in: scratch)
            .result()
        #expect(closed.status == 0, "\(closed)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(closed.output.utf8)) as? [String: Any])
        let sums = try #require(json["books"] as? [String: Any])
        let units = ["soldUnits", "reservedUnits", "stockUnits"].compactMap { sums[$0] as? Int }
        #expect(units.count == 3 && units.reduce(0, +) == sums["allocatedUnits"] as? Int, "\(sums)")
        #expect(sums["driftUnits"] as? Int == 0 && sums["lostOrders"] is NSNull)
        let opened = try await Program.start(["open"] + sources, in: scratch).result()
        #expect(opened.status == 1 && opened.output.contains("a closed sale does not open again"), "\(opened)")
    }

    @Test("--linear: a demo told in plain sentences, in a pipe, which ends with its duration")
    func linear() async throws {
        let scratch = try Scratch()
        let result = try await Program.run(
            "demo", "--linear", "--masters", "1", "--skus", "12", "--rate", "200", "--duration", "1s", in: scratch)
        #expect(result.status == 0, "\(result)")
        for words in ["1 node, durable", "the sale is warmed", "the sale is open", "accepted", "the sale is halted"] {
            #expect(result.output.contains(words), "\(words): \(result.output)")
        }
        #expect(!result.output.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
        #expect(result.output.split(separator: "\n").allSatisfy { $0.contains(#/^\d\d:\d\d:\d\d /#) })
        try await scratch.expectNothingLeft()
    }

    @Test("--linear ends by itself when nobody reads, and with a signal")
    func linearEnds() async throws {
        let scratch = try Scratch()
        let script = try scratch.write(
            "sellout demo --linear --masters 1 --skus 12 --rate 50 | head -n 2\n", to: "run.sh")
        let shell = try await ChildProcess.start(
            .init(
                executable: "/bin/sh", arguments: [script], environment: try scratch.environment(),
                directory: scratch.path, output: open("/dev/null", O_WRONLY | O_CLOEXEC)))
        #expect(await shell.waitForEnd() == .exited(code: 0))
        try await scratch.expectNothingLeft()
        let program = try await Program.start("demo", "--linear", "--masters", "1", "--skus", "12", in: scratch)
        try await eventually(within: .seconds(20)) { scratch.servers.count == 1 }
        program.process.kill(SIGTERM)
        #expect(await program.result().status == 128 + SIGTERM)
        try await scratch.expectNothingLeft()
    }
}
