import Foundation
import Glibc
import Host
import Testing

/// The program without a terminal, for scripts and pipes.
@Suite("The program without a screen", .serialized, .timeLimit(.minutes(5)))
struct CommandTests {
    private static let names: Set<String> = [
        "seed", "topology", "masters", "durability", "durationSeconds", "attempts", "acknowledgedOrders",
        "refusedOrders",
        "unknownOrders", "releasedOrders", "crashes", "fencedBuckets", "recoveries", "allocatedUnits", "stockUnits",
        "soldUnits", "reservedUnits", "oversoldUnits", "lostOrders", "driftUnits", "driftUnitsPeak", "drift",
        "outboxBacklog", "drainMilliseconds", "deductionsPerSecond", "p50Milliseconds", "p99Milliseconds",
        "recoveryMilliseconds", "expiredOrders", "refundedOrders", "latePayments",
    ]

    @Test("--json prints one object with the documented names, and nothing for a terminal")
    func json() async throws {
        let scratch = try Scratch()
        let result = try await Program.run(
            "demo", "--no-ui", "--json", "--masters", "1", "--skus", "24", "--rate", "300", "--duration", "1s",
            in: scratch)
        #expect(result.status == 0, "\(result)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        #expect(Set(json.keys) == Self.names)
        func number(_ name: String) -> Int { json[name] as? Int ?? -1 }
        #expect(number("acknowledgedOrders") > 0)
        #expect(number("attempts") == number("acknowledgedOrders") + number("refusedOrders") + number("unknownOrders"))
        #expect(number("allocatedUnits") == number("stockUnits") + number("soldUnits") + number("reservedUnits"))
        for zero in ["oversoldUnits", "lostOrders", "driftUnits"] { #expect(number(zero) == 0) }
        for text in [result.output, result.error] {
            #expect(!text.unicodeScalars.contains { $0.value < 32 && $0 != "\n" }, "a control character: \(text)")
        }
        try await scratch.expectNothingLeft()
    }

    @Test(
        "a signal ends a run without a screen: its status, and nothing left behind",
        arguments: [SIGINT, SIGTERM, SIGHUP])
    func signalled(signal: Int32) async throws {
        let scratch = try Scratch()
        let program = try await Program.start(
            "demo", "--no-ui", "--masters", "1", "--skus", "24", "--rate", "100", "--duration", "60s", in: scratch)
        try await eventually(within: .seconds(10)) { program.error.contains("the sale is open") }
        #expect(scratch.servers.count == 1)
        let asked = ContinuousClock.now
        program.process.kill(signal)
        let result = await program.result()
        #expect(result.status == 128 + signal, "\(result)")
        #expect(ContinuousClock.now - asked < .seconds(30), "somebody waits for it")
        try await scratch.expectNothingLeft()
    }

    @Test("a server that is stopped is told of at once, and what it holds is unknown at the end")
    func stoppedServer() async throws {
        let scratch = try Scratch()
        let program = try await Program.start(
            "demo", "--no-ui", "--masters", "1", "--durability", "memory", "--skus", "24", "--rate", "100",
            "--duration", "60s", in: scratch)
        try await eventually(within: .seconds(10)) { program.error.contains("the sale is open") }
        let server = try #require(scratch.servers.first)
        kill(server, SIGSTOP)
        try await eventually(within: .seconds(10)) { program.error.contains("does not answer: its") }
        #expect(program.error.contains("node 1 ("), "\(program.error)")
        kill(server, SIGCONT)
        try await eventually(within: .seconds(10)) { program.error.contains("answers again") }
        #expect(program.error.contains("answers again"), "\(program.error)")
        kill(server, SIGSTOP)
        program.process.kill(SIGINT)
        let result = await program.result()
        #expect(result.output.contains("allocated; ? stock"), "\(result)")
        #expect(result.output.contains("did not answer; the books of its 3 buckets"), "\(result)")
        #expect(result.output.contains("whether the promise of `memory` was kept is unknown"), "\(result)")
        #expect(!result.output.contains("was kept\n") && !result.output.contains("BROKEN"), "\(result)")
        try await scratch.expectNothingLeft()
    }

    @Test("a server that somebody kills comes back by itself, and the events say so")
    func killedServer() async throws {
        let scratch = try Scratch()
        let program = try await Program.start(
            "demo", "--no-ui", "--masters", "1", "--skus", "24", "--rate", "100", "--duration", "60s", in: scratch)
        try await eventually(within: .seconds(10)) { program.error.contains("the sale is open") }
        kill(try #require(scratch.servers.first), SIGKILL)
        try await eventually(within: .seconds(20)) { program.error.contains("is back, empty") }
        #expect(program.error.contains("ended and the demo did not end it"), "\(program.error)")
        #expect(program.error.contains("is back, empty") && scratch.servers.count == 1, "\(program.error)")
        program.process.kill(SIGINT)
        let result = await program.result()
        #expect(result.status == 130, "\(result)")
        try await scratch.expectNothingLeft()
    }

    @Test("a signal while the fleet starts leaves nothing either")
    func signalledWhileStarting() async throws {
        let scratch = try Scratch()
        let program = try await Program.start("demo", "--no-ui", "--duration", "60s", in: scratch)
        try await eventually(within: .seconds(10)) { scratch.servers.count == 3 }
        program.process.kill(SIGINT)
        let result = await program.result()
        #expect(result.status == 130, "\(result)")
        try await scratch.expectNothingLeft()
    }

    // MARK: Arguments

    @Test(
        "arguments that cannot be are answered in one line, with status 64",
        arguments: [
            (["demo", "--masters", "0"], "--masters 0: use 1 to 100"),
            (["demo", "--masters", "101"], "--masters 101"),
            (["demo", "--rate", "-5"], "--rate"), (["demo", "--rate=-5"], "--rate"),
            (["demo", "--rate", "0"], "--rate"),
            (["demo", "--rate", "nan"], "--rate"), (["demo", "--skus", "0"], "--skus 0"),
            (["demo", "--units=-1"], "--units -1"), (["demo", "--units", "99999999999999999999"], "--units"),
            (["demo", "--duration", "soon"], "--duration"), (["demo", "--duration", "inf"], "--duration"),
            (["demo", "--json"], "--json needs --no-ui"), (["demo", "--durability", "maybe"], "--durability"),
            (["demo", "--no-ui", "--duration", "2s", "--crash-at", "9s"], "--crash-at 9s"),
            (["demo", "--nonsense\u{1B}[31m"], "Unknown option"), (["nonsense"], "nonsense"),
            (["watch"], "--redis"), (["reconcile", "--redis", "redis://127.0.0.1:1"], "--orders"),
        ])
    func usage(arguments: [String], words: String) async throws {
        let scratch = try Scratch()
        let result = try await Program.start(arguments, in: scratch).result()
        result.expectOneLine(words, "--help", status: 64)
        try await scratch.expectNothingLeft()
    }

    @Test("--help is a page on standard output", arguments: ["demo", "watch", "reconcile"])
    func help(command: String) async throws {
        let result = try await Program.run(command, "--help", in: Scratch())
        #expect(result.status == 0 && result.error == "" && result.output.contains("sellout \(command)"))
    }
}
