import Testing

extension ScreenTests {
    @Test("every screen of a sale that is open, one after another, and back again")
    func largeScreens() async throws {
        try await Terminal.open(120, 40) { terminal in
            try await terminal.open("sellout demo --skus 24 --units 900000 --rate 150")
            try await terminal.expect("WARMED", within: .seconds(20))
            try await terminal.press("F")
            try await terminal.expect("a second")
            try await terminal.press("y")
            try await terminal.expect(" OPEN ")
            try await terminal.expect("orders") { (Terminal.figure("accepted", in: $0) ?? "0") != "0" }

            // One SKU: what SQL has of it, Redis's ledger has too.
            try await terminal.press("j", "Enter")
            try await terminal.expect("newest orders")
            try await terminal.expect("has it", within: .seconds(10))
            try await terminal.press("l", "l", "l")
            try await terminal.expect("[1 h]")
            try await terminal.press("Escape")
            try await terminal.expectGone("newest orders")

            try await terminal.press("6")
            try await terminal.expect("noeviction", within: .seconds(10))
            try await terminal.press("7")
            try await terminal.expect("reserved until", within: .seconds(10))
            try await terminal.press("3")
            try await terminal.expect("16,384 slots")
            try await terminal.press("n", "Enter")
            try await terminal.expect("/tag=")
            try await terminal.press("Escape")
            try await terminal.expect("16,384 slots")
            try await terminal.press("Escape")
            try await terminal.expectGone("16,384 slots")

            // The palette freezes, asks, and the audit tells.
            try await terminal.press(":")
            try await terminal.type("freeze 1003")
            try await terminal.press("Enter")
            try await terminal.expect("Nobody can buy it")
            try await terminal.press("y")
            try await terminal.expect("SKU 1003 is frozen", within: .seconds(10))
            try await terminal.press("8")
            try await terminal.expect("frozen beside 1003", within: .seconds(10)) {
                $0.split(separator: "\n").contains { $0.contains("freeze") && $0.contains("1003") }
            }
            // Marks, and all of them at once.
            try await terminal.press("1", "Space", "Space", "+")
            try await terminal.expect("restock 2 SKUs")
            try await terminal.type("25")
            try await terminal.expect("50 units in all")
            try await terminal.press("y")
            try await terminal.expect("all done", within: .seconds(10))
            try await terminal.press("Escape")
            try await terminal.expectGone("all done")
            try await terminal.press("q")
            try await terminal.expect("Quitting ends it")
            try await terminal.press("y")
            try await terminal.expectClosed(status: 0)
        }
    }
}
