import Glibc
import Testing

/// Scenarios in a terminal. One after another: each runs a fleet of its own.
@Suite("The program in a terminal", .serialized, .timeLimit(.minutes(5)))
struct ScreenTests {}

extension ScreenTests {
    @Test("a flash sale from the first frame to the last: open, halt, freeze, restock, crash, compare, quit")
    func wholeSale() async throws {
        try await Terminal.open(120, 40) { terminal in
            try await terminal.open("sellout demo --skus 24 --units 900000 --rate 150")
            // The first frame does not wait for the fleet.
            try await terminal.expect("STARTING", within: .seconds(2))
            try await terminal.expect("WARMED", within: .seconds(20))
            try await terminal.expect(" WARMED ")
            #expect(terminal.scratch.servers.count == 3)

            try await terminal.press("F")
            try await terminal.expect("a second")
            try await terminal.expect("seconds")
            // Neither Enter nor Space confirms.
            try await terminal.press("Enter", "Space")
            try await terminal.press("y")
            try await terminal.expect(" OPEN ")
            try await terminal.expect("orders") { (Terminal.figure("accepted", in: $0) ?? "0") != "0" }

            try await halt(terminal)
            try await terminal.press("F")
            try await terminal.expect("a second")
            try await terminal.press("y")
            try await terminal.expect(" OPEN ")

            try await freezeAndThaw(terminal)
            try await restock(terminal)
            try await crashAtDurable(terminal)

            try await terminal.press("q")
            try await terminal.expect("The sale is open. Quitting ends it")
            try await terminal.press("Escape")
            try await terminal.expectGone("Quitting ends it")
            try await terminal.press("q")
            try await terminal.expect("Quitting ends it")
            try await terminal.press("y")
            try await terminal.expectClosed(status: 0)
        }
    }

    private func halt(_ terminal: Terminal) async throws {
        try await terminal.press("X")
        // Within a second everywhere; the rest is for this machine's other work.
        try await terminal.expect(" HALTED ", within: .seconds(2))
        try await terminal.expect("nothing is sold") {
            ($0.split(separator: "\n").dropFirst(2).first ?? "").contains("│ 0/s")
        }
        let sold = try await terminal.figure("accepted")
        try await terminal.press("?")
        try await terminal.expect("kill -9")
        try await terminal.press("Escape")
        try await terminal.expectGone("kill -9")
        #expect(try await terminal.figure("accepted") == sold)
    }

    private func freezeAndThaw(_ terminal: Terminal) async throws {
        try await terminal.press("s", "j", "j")
        try await terminal.press("z")
        try await terminal.expect("Nobody can buy it")
        let sku = try #require(try await named(terminal))
        try await terminal.press("y")
        try await terminal.expect("FROZEN beside \(sku)") { Terminal.row(sku, in: $0)?.contains("FROZEN") ?? false }
        try await terminal.press("z")
        try await terminal.expect("It can be bought again")
        #expect(try await named(terminal) == sku)
        try await terminal.press("y")
        try await terminal.expect("no FROZEN beside \(sku)") { Terminal.row(sku, in: $0)?.contains("FROZEN") == false }
    }

    private func restock(_ terminal: Terminal) async throws {
        try await terminal.press("+")
        try await terminal.expect("on sale, in SQL first")
        let sku = try #require(try await named(terminal))
        for (typed, answer) in [
            ("-5", "cannot be negative"), ("0", "cannot be zero"), ("99999999999", "at most 1,000,000"),
        ] {
            try await terminal.type(typed)
            try await terminal.expect(answer)
            // A wrong number is not confirmed.
            try await terminal.press("y")
            try await terminal.expect(answer)
            for _ in typed { try await terminal.press("BSpace") }
            try await terminal.expectGone(answer)
        }
        try await terminal.type("1000000")
        try await terminal.press("y")
        try await terminal.expect("SKU \(sku) has 1,000,000 units more")
    }

    private func crashAtDurable(_ terminal: Terminal) async throws {
        try await terminal.press("C")
        try await terminal.expect("kill -9 node")
        try await terminal.expect("no acknowledged order is lost")
        try await terminal.press("2")
        try await terminal.expect("kill -9 node 2")
        try await terminal.press("y")
        // Down for half a second only: whoever looks too late sees what is told of it.
        try await terminal.expect("node 2 down, or what is fenced") {
            $0.contains("down") || $0.contains("fenced") || $0.contains("was killed")
        }
        try await terminal.expect("was killed and came back empty", within: .seconds(15))
        try await terminal.expect("no node down, no bucket fenced", within: .seconds(20)) {
            !$0.contains(" down ") && !$0.contains("fenced:")
        }
        try await terminal.press("R")
        try await terminal.expect("compared", within: .seconds(20))
        try await terminal.expect("Redis and SQL agree to the unit", within: .seconds(5))
        try await terminal.press("Escape")
        try await terminal.expectGone("nothing to repair")
        #expect(try await terminal.figure("oversold") == "0")
        #expect(try await terminal.figure("lost") == "0")
        #expect(terminal.scratch.servers.count == 3)
    }

    /// The SKU that the dialog names.
    private func named(_ terminal: Terminal) async throws -> String? {
        try await terminal.text.firstMatch(of: #/SKU (\d+) /#).map { String($0.1) }
    }

    @Test("at memory a crash is told in words: OVERSOLD and LOST, then the comparison")
    func memoryStory() async throws {
        try await Terminal.open(120, 40) { terminal in
            try await terminal.open(
                "sellout demo --masters 1 --skus 3 --units 200 --rate 100 --durability memory --outbox-delay 500ms")
            try await terminal.expect(" WARMED ")
            try await terminal.press("F", "y")
            try await terminal.expect("a SKU sold out") { $0.contains("SOLD OUT") }
            try await terminal.press("C")
            try await terminal.expect("its units are sold twice") { $0.contains("sold") && $0.contains("twice") }
            try await terminal.press("y")
            try await terminal.expect("OVERSOLD", within: .seconds(20))
            try await terminal.expect("LOST", within: .seconds(20))
            try await terminal.press("R")
            // Ctrl-C never asks, though the sale is open and a comparison under way.
            try await terminal.press("C-c")
            try await terminal.expectClosed(status: 130)
        }
    }
}
