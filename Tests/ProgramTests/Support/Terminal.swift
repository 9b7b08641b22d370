import Foundation
import Glibc
import Host
import Synchronization
import Testing

/// A terminal with a shell in it, and a person who types: scenarios read like what such a person does and sees.
///
/// tmux is the terminal, on a socket of its own. Nothing waits for a fixed time: what is expected is looked for until a deadline.
final class Terminal: Sendable {
    let scratch: Scratch
    /// What a script's `open` runs, and which scene it plays.
    let command = Mutex("")
    let scene = Mutex("")
    private let server: ChildProcess
    private let socket: String
    /// Of the shell: tmux gives a new one what its *client* has.
    private let environment: [String]

    /// What was expected did not come; says what stood there instead.
    struct Missing: Error, CustomStringConvertible {
        let description: String

        /// In ASCII: `swift test` drops what it reads when a character of several bytes lies across two reads, which with
        /// a screen full of them is the very thing one wants to see.
        init(description: String) {
            let standIns: [Character: Character] = ["│": "|", "┃": "|", "─": "-", "━": "="]
            self.description = String(description.map { $0.isASCII ? $0 : standIns[$0] ?? "?" })
        }
    }

    /// How the terminal stands.
    struct State: Equatable {
        var alternateScreen: Bool
        var cursorShown: Bool
        var mouse: Bool
        static let ofAShell = State(alternateScreen: false, cursorShown: true, mouse: false)
    }

    private init(scratch: Scratch, server: ChildProcess, socket: String, environment: [String]) {
        self.scratch = scratch
        self.server = server
        self.socket = socket
        self.environment = environment
    }

    /// Opens a terminal of this size, plays the scenario, and closes it, also when the scenario fails.
    static func open(
        _ columns: Int, _ rows: Int, in scratch: Scratch? = nil, environment: [String: String?] = [:],
        _ scenario: (Terminal) async throws -> Void
    ) async throws {
        let scratch = try scratch ?? Scratch()
        let socket = "\(scratch.path)/tmux-\(UInt16.random(in: 0 ... .max))"
        let shell = try scratch.environment(environment)
        let null = Glibc.open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { Glibc.close(null) }
        // In the foreground (-D) it ends with this process, whatever ends that.
        let server = try await ChildProcess.start(
            .init(
                executable: "/usr/bin/tmux", arguments: ["-D", "-u", "-S", socket, "-f", "/dev/null"],
                environment: shell, directory: scratch.path, output: null))
        let terminal = Terminal(scratch: scratch, server: server, socket: socket, environment: shell)
        do {
            try await terminal.start(columns, rows)
            try await scenario(terminal)
        } catch {
            await terminal.close()
            throw error
        }
        await terminal.close()
    }

    private func start(_ columns: Int, _ rows: Int) async throws {
        // The file is there a moment before anybody listens on it.
        try await eventually(within: .seconds(5)) { self.isListening }
        try await tmux("set-option", "-g", "default-terminal", "tmux-256color")
        try await tmux("new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "-s", "main", "/bin/sh -i")
        try await expect("ready>")
    }

    private var isListening: Bool {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        } == 0
    }

    private func close() async {
        _ = try? await tmux("kill-server")
        server.kill(SIGKILL)
        await server.waitForEnd()
    }

    // MARK: Hands

    /// Types text as it is.
    func type(_ text: String) async throws { try await tmux("send-keys", "-t", "main", "-l", "--", text) }

    /// Presses keys by tmux's names: `F`, `Enter`, `C-c`, `Escape`.
    func press(_ keys: String...) async throws { try await tmux(["send-keys", "-t", "main"] + keys) }

    /// A command line of the shell; its exit status appears as `status=N`.
    func run(_ command: String) async throws {
        try await type(command + "; echo status=$?")
        try await press("Enter")
    }

    func resize(_ columns: Int, _ rows: Int) async throws {
        try await tmux("resize-window", "-t", "main", "-x", "\(columns)", "-y", "\(rows)")
    }

    /// Sends a signal to the program in the foreground, as another person's `kill` would.
    func signal(_ signal: Int32) async throws {
        let pid = try #require(try await program, "no program runs in the shell")
        try #require(kill(pid, signal) == 0)
    }

    // MARK: Eyes

    /// Everything on the screen.
    var text: String {
        get async throws { try await tmux("capture-pane", "-p", "-t", "main") }
    }

    /// The same with the escape codes of its colours and attributes.
    var textWithStyles: String {
        get async throws { try await tmux("capture-pane", "-p", "-e", "-t", "main") }
    }

    var lines: [String] {
        get async throws { try await text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    }

    var state: State {
        get async throws {
            let flags = try await ask("#{alternate_on}#{cursor_flag}#{mouse_any_flag}")
            return State(
                alternateScreen: flags.first == "1", cursorShown: flags.dropFirst().first == "1",
                mouse: flags.last == "1")
        }
    }

    /// A tmux format, filled in.
    func ask(_ format: String) async throws -> String {
        try await tmux("display-message", "-p", "-t", "main", format).trimmingCharacters(in: .newlines)
    }

    /// The program that the shell runs now.
    var program: Int32? {
        get async throws {
            let shell = try await ask("#{pane_pid}")
            let children = try? String(contentsOfFile: "/proc/\(shell)/task/\(shell)/children", encoding: .utf8)
            return children?.split(separator: " ").first.flatMap { Int32($0) }
        }
    }

    /// Waits until this text stands on the screen.
    func expect(_ wanted: String, within limit: Duration = .seconds(10)) async throws {
        try await expect("\"\(wanted)\"", within: limit) { $0.contains(wanted) }
    }

    func expectGone(_ unwanted: String, within limit: Duration = .seconds(10)) async throws {
        try await expect("no \"\(unwanted)\"", within: limit) { !$0.contains(unwanted) }
    }

    /// Waits until the screen looks right.
    func expect(
        _ what: String, within limit: Duration = .seconds(10), _ isRight: (String) throws -> Bool
    ) async throws {
        var last = ""
        let found = try await eventually(within: limit) {
            last = try await text
            return try isRight(last)
        }
        if !found { throw Missing(description: "expected \(what) within \(limit); the screen:\n\(last)") }
    }

    /// The program ended with this status and left the terminal as a shell wants it.
    func expectEnd(status: Int32, within limit: Duration = .seconds(10)) async throws {
        try await expect("status=\(status)", within: limit)
        let state = try await state
        if state != .ofAShell { throw Missing(description: "the terminal was left in \(state)") }
    }

    // MARK: tmux

    @discardableResult
    func tmux(_ arguments: String...) async throws -> String { try await tmux(arguments) }

    @discardableResult
    func tmux(_ arguments: [String]) async throws -> String {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        // Larger than any screen (F_SETPIPE_SZ), so that the answer fits before anybody reads.
        _ = fcntl(ends[1], 1031, 1 << 20)
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        defer { Glibc.close(ends[0]) }
        let client: ChildProcess
        do {
            defer { Glibc.close(ends[1]) }
            client = try await ChildProcess.start(
                .init(
                    executable: "/usr/bin/tmux", arguments: ["-u", "-S", socket, "-f", "/dev/null"] + arguments,
                    environment: environment, directory: scratch.path, output: ends[1]))
        }
        let ending = await client.waitForEnd()
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(ends[0], &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        let answer = String(decoding: bytes, as: UTF8.self)
        guard ending == .exited(code: 0) else {
            throw Missing(description: "tmux \(arguments.joined(separator: " ")): \(ending): \(answer)")
        }
        return answer
    }
}
