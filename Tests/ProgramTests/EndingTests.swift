import Glibc
import Host
import Testing

extension ScreenTests {
    private static let quick = "sellout demo --masters 1 --skus 8 --rate 50"

    @Test(
        "a signal ends it: the status says which, the terminal is as it was, no server stays",
        arguments: [
            SIGINT, SIGTERM, SIGHUP, SIGQUIT,
        ])
    func signalled(signal: Int32) async throws {
        try await Terminal.open(80, 24) { terminal in
            try await terminal.open(Self.quick)
            try await terminal.expect(" WARMED ")
            #expect(try await terminal.state.alternateScreen)
            #expect(try await terminal.state.cursorShown == false)
            #expect(terminal.scratch.servers.count == 1)
            try await terminal.signal(signal)
            try await terminal.expectClosed(status: 128 + signal)
        }
    }

    @Test("Ctrl-C and Ctrl-\\ end it while its fleet still starts", arguments: ["C-c", "C-\\"])
    func interruptedWhileStarting(key: String) async throws {
        try await Terminal.open(80, 24) { terminal in
            try await terminal.open("sellout demo")
            try await terminal.expect("STARTING")
            try await terminal.press(key)
            try await terminal.expectClosed(status: key == "C-c" ? 130 : 131)
        }
    }

    @Test("kill -9 leaves no server, and the next start removes its folder")
    func killed() async throws {
        try await Terminal.open(80, 24) { terminal in
            try await terminal.open(Self.quick)
            try await terminal.expect(" WARMED ")
            let folders = terminal.scratch.leftovers.filter { $0.contains("fleet-") }
            #expect(!folders.isEmpty)
            // Killed in the middle of a frame it would leave half an escape sequence, which eats what the shell says next.
            try await terminal.expect("a whole screen") { Self.isWhole($0, rows: 24) }
            try await terminal.signal(SIGKILL)
            try await eventually(within: .seconds(5)) { terminal.scratch.servers.isEmpty }
            #expect(terminal.scratch.servers == [])
            // It is printed wherever the cursor was left, so a line's end may be in the middle of it.
            try await terminal.expect("status=137") { $0.filter { !$0.isWhitespace }.contains("status=137") }
            // Nobody could give the terminal back; `reset` does.
            try await terminal.type("stty sane; tput rmcup; clear; echo he\"\"re")
            try await terminal.press("C-j")
            try await terminal.expect("here")
            try await terminal.run(Self.quick)
            try await terminal.expect(" WARMED ")
            #expect(terminal.scratch.leftovers.filter { folders.contains($0) } == [])
            try await terminal.press("q")
            try await terminal.expect("status=0")
            // The first one's file for standard error is all that no later start can know of.
            try await eventually(within: .seconds(5)) { terminal.scratch.servers.isEmpty }
            #expect(terminal.scratch.leftovers.filter { $0.contains("fleet-") } == [])
        }
    }

    @Test("Ctrl-Z gives the shell back, fg the screen")
    func suspended() async throws {
        try await Terminal.open(100, 30) { terminal in
            try await terminal.open(Self.quick)
            try await terminal.expect(" WARMED ")
            for key in ["C-z", "kill"] {
                if key == "C-z" { try await terminal.press(key) } else { try await terminal.signal(SIGTSTP) }
                try await terminal.expect("status=148")
                #expect(try await terminal.state == .ofAShell)
                try await terminal.type("clear; echo in the sh\"\"ell")
                try await terminal.press("Enter")
                try await terminal.expect("in the shell")
                try await terminal.resize(key == "C-z" ? 120 : 80, key == "C-z" ? 40 : 24)
                try await terminal.type("fg; echo status=$?")
                try await terminal.press("Enter")
                try await terminal.expect("the whole screen again") {
                    $0.contains("╭─ sellout") && $0.contains("press F") && !$0.contains("in the shell")
                        && $0.split(separator: "\n").last?.contains("quit") == true
                }
                #expect(try await terminal.state.alternateScreen)
            }
            try await terminal.press("q")
            try await terminal.expectClosed(status: 0)
        }
    }

    @Test("the terminal goes away: nothing stays behind")
    func terminalGone() async throws {
        let scratch = try Scratch()
        try await Terminal.open(80, 24, in: scratch) { terminal in
            try await terminal.open(Self.quick)
            try await terminal.expect(" WARMED ")
        }
        try await scratch.expectNothingLeft()
    }
}

extension ScreenTests {
    @Test("an end in the middle of a crash, a recovery and payments waits for none of them", arguments: ["C-c", "HUP"])
    func endsInTheMiddle(how: String) async throws {
        try await Terminal.open(80, 24) { terminal in
            try await terminal.open(
                "sellout demo --masters 1 --skus 3 --units 2000 --rate 300 --durability memory --outbox-delay 500ms")
            try await terminal.expect(" WARMED ")
            try await terminal.press("F", "y")
            try await terminal.expect("orders") { (Terminal.figure("accepted", in: $0) ?? "0") != "0" }
            try await terminal.press("C", "y")
            // Down for half a second only: whoever looks too late sees what is told of it.
            try await terminal.expect("a node that is down") {
                $0.contains("down") || $0.contains("killed") || $0.contains("came back")
            }
            try await terminal.press("R")
            if how == "C-c" { try await terminal.press("C-c") } else { try await terminal.signal(SIGHUP) }
            try await terminal.expectClosed(status: how == "C-c" ? 130 : 129, within: .seconds(5))
        }
    }
}
