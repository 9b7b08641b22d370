import Foundation
import Glibc
import Testing

extension ScreenTests {
    @Test("hands on a sale that nobody buys from: mouse, paste, odd keys, screens, sizes, signals that mean nothing")
    func manners() async throws {
        try await script("demo --masters 1 --skus 50 --units 900000") {
            open(100, 30)
            expect(" WARMED ", within: .seconds(20))
            mouse
            pasted
            oddKeys
            screens
            sizesAndDialogs
            signalsThatPass
            press("q")
            expectClosed(status: 0)
        }
    }

    @ScriptBuilder private var mouse: [Step] {
        scene("a click takes the row under it") {
            click("1007")
            expect("the cursor on 1007") { $0.contains("▸ 1007") }
        }
        scene("the wheel moves the cursor of the panel under it") {
            wheel(.down, over: "1003")
            expect("the cursor on 1010") { $0.contains("▸ 1010") }
            wheel(.up, over: "1003", times: 3)
            expect("the cursor on 1001") { $0.contains("▸ 1001") }
        }
        scene("a click on a column's head sorts by it, another one turns it round") {
            click("left  ")
            expect("by left ↑")
            click("left↑")
            expect("by left ↓")
            click("SKU   ")
            expect("by SKU")
        }
        scene("a click confirms nothing") {
            press("z")
            expect("Nobody can buy it")
            click("yes ")
            click("SKU 10")
            expect("Nobody can buy it")
            close("Nobody can buy it")
        }
        scene("a click on another panel moves the focus there") {
            click("hottest tags")
            press("Enter")
            expect("its SKUs")
            close("its SKUs")
            expect("hottest tags")
            click("1001")
        }
    }

    @ScriptBuilder private var pasted: [Step] {
        scene("pasted text is not taken for keys") {
            paste("XXqyF\nzy\ty")
            // Whatever came after the paste is a key again.
            press("?")
            expect("kill -9")
            close("kill -9")
            expect("WARMED")
            expectGone("Quitting")
        }
        scene("pasted text is taken as text where one types") {
            press("/")
            paste("1004")
            press("Enter")
            expect("only 1004") { $0.contains("1 of 50") && $0.contains("▸ 1004") }
            press("Escape")
            expect("all rows") { $0.contains("50 SKUs") && !$0.contains("1 of 50") }
        }
    }

    @ScriptBuilder private var oddKeys: [Step] {
        scene("Alt with a letter, and sequences that nobody knows, are no letters") {
            press("M-X", "M-F", "M-q")
            check("unknown sequences") { terminal in
                for text in ["\u{1B}[X", "\u{1B}[1;5X", "\u{1B}OX", "\u{1B}[<9;9;9X", "\u{1B}[27;5;88~"] {
                    try await terminal.tmux(
                        ["send-keys", "-t", "main", "-H"] + Array(text.utf8).map { String($0, radix: 16) })
                }
            }
            press("?")
            expect("kill -9")
            close("kill -9")
            expect("WARMED")
        }
        scene("an error in the filter is told while it is typed, and the rows stay") {
            press("/")
            type("left<")
            expect("left<: a number")
            close("left<: a number")
            expect("─ 50 SKUs ─")
        }
        scene("keys held down all arrive, in order") {
            expect("by SKU")
            press("g")
            check("forty steps down, ten up") { terminal in
                for _ in 0..<40 { try await terminal.press("j") }
                for _ in 0..<10 { try await terminal.press("k") }
            }
            expect("the cursor on 1031") { $0.contains("▸ 1031") }
            press("g")
        }
        scene("p holds the screen and says so") {
            press("p")
            expect("SCREEN HELD")
            press("p")
            expectGone("SCREEN HELD")
            expect("LIVE")
        }
    }

    @ScriptBuilder private var screens: [Step] {
        for name in ["stock", "ledger", "heat", "drift", "events", "nodes", "orders", "audit"] {
            scene("\(name), by the palette, at four sizes") {
                press(":")
                expect("─ command ─")
                type(name)
                press("Enter")
                expectGone("─ command ─")
                for (columns, rows) in [(60, 16), (200, 60), (80, 24), (100, 30)] {
                    resize(columns, rows)
                    expectWhole(rows)
                }
                press("Escape")
                expect("the overview") { screen in
                    ["hottest tags", "drift ─", "events ─"].allSatisfy { screen.contains($0) }
                }
            }
        }
    }

    @ScriptBuilder private var sizesAndDialogs: [Step] {
        scene("the terminal shrinks while a dialog is open: nothing can be confirmed that nobody sees") {
            press("z")
            expect("Nobody can buy it")
            resize(39, 10)
            expect("needs 40×10")
            press("y")
            resize(60, 16)
            expect("Nobody can buy it")
            expectGone("FROZEN")
            resize(100, 30)
            close("Nobody can buy it")
            expectWhole(30)
        }
        scene(
            "the terminal goes from 40×10 to 400×120 and back, again and again, under a dialog; what it asks is then done"
        ) {
            press("z")
            expect("Nobody can buy it")
            for _ in 0..<4 {
                resize(40, 10)
                expect("the question and its keys at 40×10") { screen in
                    ["─ freeze ─", "Nobody can buy it", "yes  Esc close"].allSatisfy { screen.contains($0) }
                }
                resize(400, 120)
                expect("the question in a box at 400×120") { screen in
                    ["─ freeze ─", "Nobody can buy it", "╭─ sellout"].allSatisfy { screen.contains($0) }
                }
            }
            resize(40, 10)
            expect("yes  Esc close")
            press("y")
            expect("is frozen")
            resize(100, 30)
            expect("FROZEN")
            press("z")
            expect("It can be bought again")
            press("y")
            expectGone("FROZEN")
            expectWhole(30)
        }
        scene("from 1×1 to 400×120 and back") {
            for (columns, rows) in [(1, 1), (400, 120), (60, 16), (400, 16), (60, 120)] { resize(columns, rows) }
            for (columns, rows) in [(400, 120), (100, 30)] {
                resize(columns, rows)
                expectWhole(rows)
            }
        }
        scene("Ctrl-Z while a dialog is open: it is there again") {
            press("z")
            expect("Nobody can buy it")
            press("C-z")
            expect("status=148")
            shell("clear; fg")
            expect("Nobody can buy it")
            close("Nobody can buy it")
            expectWhole(30)
        }
    }

    @ScriptBuilder private var signalsThatPass: [Step] {
        scene("signals that mean nothing here pass") {
            for number in [SIGPIPE, SIGCHLD, SIGURG, SIGWINCH, SIGCONT] { signal(number) }
            press("?")
            expect("kill -9")
            close("kill -9")
            expectWhole(30)
        }
    }

    @Test("hands on a sale that sells: re-sorting rows, a server that goes away, an empty end")
    func underLoad() async throws {
        try await script("demo --masters 1 --skus 50 --rate 400 --units 900000") {
            open(100, 30)
            expect(" WARMED ", within: .seconds(20))
            flashSale()
            scene("the row re-sorts between key and confirm: the act is bound to the SKU under the cursor at the key") {
                resorted
            }
            scene("the screen is held while the sale goes on, and an act binds to what it shows") {
                press("p")
                expect("SCREEN HELD")
                press("z")
                expect("Nobody can buy it")
                close("Nobody can buy it")
                press("p")
                expectGone("SCREEN HELD")
            }
            scene("Redis goes away and comes back") {
                check("stop every server") { terminal in for pid in terminal.scratch.servers { kill(pid, SIGSTOP) } }
                expect("STALE", within: .seconds(15))
                check("let them go on") { terminal in for pid in terminal.scratch.servers { kill(pid, SIGCONT) } }
                expectGone("STALE", within: .seconds(15))
                expect("LIVE")
            }
            scene("a storm of sizes while it sells") {
                for step in 0..<30 { resize(60 + step * 5, 16 + step) }
                resize(100, 30)
                expectWhole(30)
            }
            scene("q asks, and Ctrl-C does not") {
                press("q")
                expect("Quitting ends it")
                press("C-c")
                expectClosed(status: 130)
            }
        }
    }

    @ScriptBuilder private var resorted: [Step] {
        check("freeze the third row, confirm once another stands there") { terminal in
            func rows(_ screen: String) -> [Substring] {
                screen.split(separator: "\n").compactMap { $0.firstMatch(of: #/^│(?:▸| ) (1\d\d\d) /#)?.1 }
            }
            try await terminal.press("j", "j")
            try await terminal.press("z")
            try await terminal.expect("Nobody can buy it")
            let before = try await terminal.text
            let match = try #require(before.firstMatch(of: #/SKU (\d+) /#))
            let sku = String(match.1)
            try await terminal.expect("another order of rows", within: .seconds(20)) { rows($0) != rows(before) }
            #expect(try await terminal.text.contains("SKU \(sku) "))
            try await terminal.press("y")
            try await terminal.expectGone("Nobody can buy it")
            try await terminal.press("/")
            try await terminal.type("state=frozen")
            try await terminal.press("Enter")
            try await terminal.expect("only \(sku) frozen") {
                rows($0).map(String.init) == [sku] && $0.contains("FROZEN")
            }
            // Gone before the next key: the two together would be Alt and that key.
            try await terminal.press("Escape")
            try await terminal.expectGone("state=frozen")
        }
    }

    @Test(
        "signals that nobody handles still leave the terminal as it was",
        arguments: [SIGSEGV, SIGABRT, SIGUSR1, SIGALRM, SIGXCPU])
    func fatalSignals(number: Int32) async throws {
        try await script("demo --masters 1 --skus 8") {
            open(80, 24)
            expect("STARTING")
            signal(number)
            Step("expect the end") { terminal in
                try await terminal.expectEnd(status: 128 + number)
                try await eventually(within: .seconds(5)) { terminal.scratch.servers.isEmpty }
                #expect(terminal.scratch.servers == [])
                // It had nothing to say: no empty file says so.
                #expect(!terminal.scratch.leftovers.contains { $0.hasPrefix("sellout-errors") })
            }
        }
    }

    @Test("without a terminal at one end it says so in one line", arguments: ["<&-", "</dev/null", ">/dev/null"])
    func noTerminalAtOneEnd(redirection: String) async throws {
        try await script("demo --masters 1 \(redirection)") {
            open(80, 24)
            expect("is not a terminal")
            expectClosed(status: 2)
        }
    }

    @Test("60 keys a second while 100,000 rows update: none is lost, and the screen keeps up")
    func keysUnderFullLoad() async throws {
        try await script("demo --masters 1 --skus 100000 --rate 300 --durability memory") {
            open(120, 40)
            expect(" WARMED ", within: .seconds(60))
            flashSale()
            check("by SKU, from the top") { terminal in
                let head = try await terminal.place(of: "SKU   ")
                try await terminal.mouse(0, at: head)
                try await terminal.expect("by SKU")
                try await terminal.press("g")
            }
            check("two seconds of keys") { terminal in
                let start = ContinuousClock.now
                for number in 1...120 {
                    try await terminal.press("j")
                    // Typed at this pace, whatever a call of tmux takes.
                    try await Task.sleep(until: start + .milliseconds(number * 1_000 / 60), clock: .continuous)
                }
            }
            expect("row 121 ", within: .seconds(5))
            press("X")
            expect(" HALTED ", within: .seconds(10))
            press("C-c")
            expectClosed(status: 130)
        }
    }
}
