import Testing

extension ScreenTests {
    @Test(
        "a sale from its list to its books: the list on screen, open, a moment to come, close, printed books, no way back"
    )
    func saleFromListToBooks() async throws {
        try await Terminal.open(120, 40) { terminal in
            try await terminal.open("sellout demo --skus 24 --units 9000 --rate 150 --reservation-timeout 10m")
            try await terminal.expect(" WARMED ", within: .seconds(20))
            // A moment to come, and taken back by the brake.
            try await terminal.press(":")
            try await terminal.type("open at +1h")
            try await terminal.press("Enter")
            try await terminal.expect("It lives in this process")
            try await terminal.press("y")
            try await terminal.expect("OPENS IN")
            try await terminal.press("X")
            try await terminal.expectGone("OPENS IN")
            try await terminal.expect("WARMED")

            try await terminal.press("F")
            try await terminal.expect("every server answers")
            try await terminal.expect("agree to the unit")
            try await terminal.expect("y opens the sale")
            try await terminal.press("y")
            try await terminal.expect(" OPEN ")
            try await terminal.expect("orders") { (Terminal.figure("accepted", in: $0) ?? "0") != "0" }

            try await terminal.press("E")
            try await terminal.expect("It cannot be opened again")
            try await terminal.press("Enter")
            try await terminal.press("Tab")
            try await terminal.expect("a policy") { $0.contains("END NOW") || $0.contains("No reservation is open") }
            try await terminal.press("y")
            try await terminal.expect("BOOKS CLOSED", within: .seconds(30))
            try await terminal.expect(" CLOSED ")
            try await terminal.expect("every unit is accounted for")
            try await terminal.press("Escape")
            try await terminal.expectGone("BOOKS CLOSED")
            try await terminal.press("F")
            try await terminal.expect("a closed sale does not open again")
            try await terminal.press("A")
            try await terminal.expect("─ alerts")
            try await terminal.press("Escape")
            try await terminal.expectGone("─ alerts")
            try await terminal.press("q")
            try await terminal.expectClosed(status: 0)
        }
    }
}
