import Foundation
import Glibc
import Host
import Redis
import Testing

extension CommandTests {
    @Test(
        "an act from another shell is told to who watches, sees itself through, and is refused once the sale is closed")
    func actsOfOthers() async throws {
        let kept = try await Kept.make(
            "--masters", "1", "--skus", "3", "--units", "2000", "--rate", "100", in: Scratch())
        defer { kept.end() }
        let (scratch, sources) = (kept.scratch, kept.sources)
        let watcher = try await Program.start(["watch", "--linear"] + sources, in: scratch)
        #expect(try await eventually(within: .seconds(10)) { watcher.output.contains("the sale is halted") })
        #expect(try await kept.run("open").status == 0)
        #expect(try await eventually(within: .seconds(10)) { watcher.output.contains(") opened the sale") })
        let frozen = try await kept.run("freeze", "1001")
        #expect(frozen.status == 0 && frozen.error == "", "\(frozen)")
        #expect(try await eventually(within: .seconds(10)) { watcher.output.contains(") froze SKU 1001") })
        #expect(watcher.output.contains("process \(frozen.pid)"), "\(watcher.output)")

        // Nobody runs the sale: what the acts left in the outbox is in SQL all the same.
        let compared = try await kept.reconcile()
        #expect(compared.status == 0 && compared.output.contains("agree to the unit"), "\(compared)")

        // Redis cannot be reached from here: engines hear it from SQL.
        let alone = try await Program.run(
            "halt", "--redis", "redis://127.0.0.1:1", "--orders", kept.orders, in: scratch)
        alone.expectOneLine("halted in SQL alone", "Connection refused", "halt once more", status: 2)
        #expect(try await eventually(within: .seconds(10)) { watcher.output.contains(") halted the sale") })
        let again = try await kept.run("halt")
        #expect(again.status == 0 && again.output.contains("the sale is halted"), "\(again)")
        #expect(try await kept.redis("HGET", "sc_{a0}", "state").string == "halted")

        watcher.process.kill(SIGINT)
        #expect(await watcher.result().status == 128 + SIGINT)
        #expect(try await kept.run("close", "--expire", "--confirm", "summer-drop").status == 0)
        for act in [["freeze", "1001"], ["thaw", "1001"], ["restock", "1001", "5"], ["halt"]] {
            let refused = try await Program.start(act + sources, in: scratch).result()
            #expect(refused.status == 1 && refused.output.contains("the sale is closed"), "\(act) \(refused)")
            #expect(refused.output.split(separator: "\n").count == 1)
        }
    }

    @Test("a place that its profile marks as production stays so, whatever is typed")
    func productionMark() async throws {
        let scratch = try Scratch()
        let file = try scratch.write("profiles:\n  live:\n    production: yes\n", to: "c.yaml")
        let config = try await Program.run(
            "config", "--config", file, "--profile", "live", "--no-production", in: scratch)
        let line = config.output.split(separator: "\n").first { $0.hasPrefix("production") }
        #expect(line?.contains("true") == true, "\(config)")
        #expect(line?.contains("--no-production does not lift it") == true, "\(config)")
        let frozen = try await Program.run(
            "freeze", "1", "--config", file, "--profile", "live", "--no-production", "--redis", "redis://127.0.0.1:1",
            "--orders", "sqlite:none.sqlite", in: scratch)
        #expect(frozen.error.contains("--no-production is ignored: the profile marks this place"), "\(frozen)")
    }

    @Test(
        "no error repeats a password, whatever the address looks like",
        arguments: [
            ["snapshot", "--redis", "tcp://:geheim@127.0.0.1:1"], ["snapshot", "redis://u:geheim@127.0.0.1:1"],
            ["watch", "--redis=rediss://u:geheim@h:1"],
            ["reconcile", "--redis", "redis://127.0.0.1:1", "--orders", "postgres://u:geheim@h/db"],
        ])
    func noPassword(arguments: [String]) async throws {
        let result = try await Program.start(arguments, in: try Scratch()).result()
        #expect(result.status == 64 && result.errorLines.count == 1, "\(result)")
        #expect(!result.error.contains("geheim") && !result.error.contains("password@"), "\(result)")
        let set = try await Program.start(
            ["snapshot", "--redis", "redis://127.0.0.1:1"], in: try Scratch(),
            environment: ["SELLOUT_ORDERS": "postgres://u:geheim@h/db"]
        ).result()
        #expect(set.status == 64 && !set.error.contains("geheim"), "\(set)")
    }
}
