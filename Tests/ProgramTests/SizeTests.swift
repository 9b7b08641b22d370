import Testing

extension ScreenTests {
    @Test("a terminal too small says what it needs, and recovers; storms of sizes do no harm")
    func sizes() async throws {
        try await Terminal.open(39, 12) { terminal in
            try await terminal.open("sellout demo --masters 1 --skus 40 --rate 50")
            try await terminal.expect("sellout needs 40×10")
            try await terminal.resize(40, 10)
            try await terminal.expect(" WARMED ")
            try await terminal.resize(80, 24)
            try await terminal.expect(" WARMED ")
            try await terminal.press("F")
            try await terminal.expect("a second")
            for (columns, rows) in [(300, 90), (10, 3), (1, 1), (61, 17), (200, 20), (60, 60), (2, 70), (160, 48)] {
                try await terminal.resize(columns, rows)
            }
            // A key that meets a screen too small to show what it confirms does nothing: wait for the dialog to be back.
            try await terminal.expect("y opens the sale")
            try await terminal.press("y")
            try await terminal.expect(" OPEN ")
            for step in 0..<40 { try await terminal.resize(60 + step * 3, 16 + step) }
            for (columns, rows) in [(60, 16), (80, 24), (120, 40), (220, 60)] {
                try await terminal.resize(columns, rows)
                try await terminal.expect("a whole screen at \(columns)×\(rows)") { Self.isWhole($0, rows: rows) }
            }
            try await terminal.press("C-c")
            try await terminal.expectClosed(status: 130)
        }
    }

    @Test(
        "poor terminals get a plain screen instead of a refusal",
        arguments: [
            "TERM=dumb", "NO_COLOR=1", "LANG=C", "LC_ALL=C", "COLORTERM=", "TERM=vt100", "TERM=nosuchterminal",
            "LANG=nonsense", "TERM=screen", "TERM=screen-256color", "TERM=linux", "TERM=xterm", "NO_COLOR=",
        ])
    func poorTerminals(setting: String) async throws {
        try await Terminal.open(80, 24) { terminal in
            try await terminal.open("env \(setting) sellout demo --masters 1 --skus 8 --rate 50")
            try await terminal.expect(" WARMED ")
            let text = try await terminal.text
            if ["TERM=dumb", "LANG=C", "LC_ALL=C"].contains(setting) {
                let isPlain = text.allSatisfy(\.isASCII)
                #expect(isPlain, "\(text)")
            }
            if setting == "NO_COLOR=1" || setting == "TERM=dumb" {
                // 39 and 49 ask for the terminal's own colours: that is no colour.
                let styles = try await terminal.textWithStyles
                let colours = styles.firstMatch(of: #/\x{1B}\[(?:[0-9;:]*;)?(?:[349][0-7]|[34]8[;:])[0-9;:]*m/#)
                #expect(colours == nil)
            }
            try await terminal.press("q")
            try await terminal.expectClosed(status: 0)
        }
    }
}
