import Foundation
import Glibc
import Host
import Synchronization
import Testing

/// The program on a bare pseudo-terminal: no tmux between, so every byte that it writes is seen, or left unread.
final class RawTerminal: Sendable {
    let process: ChildProcess
    private let terminal: PseudoTerminal
    private let taken = Mutex<[UInt8]>([])

    private init(process: ChildProcess, terminal: PseudoTerminal) {
        self.process = process
        self.terminal = terminal
    }

    static func start(
        _ arguments: [String], _ columns: Int, _ rows: Int, in scratch: Scratch, environment: [String: String?],
        echoes: Bool = true
    ) async throws -> RawTerminal {
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        if !echoes {
            var modes = termios()
            tcgetattr(terminal.programEnd, &modes)
            modes.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(terminal.programEnd, TCSANOW, &modes)
        }
        var launch = ChildProcess.Launch(
            executable: "\(try Program.folder)/sellout", arguments: arguments,
            environment: try scratch.environment(environment), directory: scratch.path, output: terminal.programEnd)
        launch.ownsTerminal = true
        let process = try await ChildProcess.start(launch)
        terminal.closeProgramEnd()
        return RawTerminal(process: process, terminal: terminal)
    }

    /// Everything read so far.
    var bytes: [UInt8] { taken.withLock { $0 } }

    func type(_ text: String) { terminal.type(text) }
    func type(_ bytes: [UInt8]) { terminal.type(bytes) }
    func resize(_ columns: Int, _ rows: Int) { terminal.resize(columns, rows) }

    /// Reads until `isEnough` of all that came, or until nothing comes within `limit`. Returns whether it was enough.
    @discardableResult
    func read(within limit: Duration = .seconds(60), until isEnough: ([UInt8]) -> Bool) -> Bool {
        let deadline = ContinuousClock.now + limit
        while !isEnough(bytes) {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return false }
            switch terminal.read(within: left) {
            case .bytes(let more): taken.withLock { $0 += more }
            case .nothing: continue
            case .closed: return isEnough(bytes)
            }
        }
        return true
    }

    /// Reads until the program is quiet: for this long nothing came.
    func readUntilQuiet(_ quiet: Duration = .milliseconds(60)) {
        // A screen under load is never quiet.
        for _ in 0..<40 {
            guard case .bytes(let more) = terminal.read(within: quiet) else { return }
            taken.withLock { $0 += more }
        }
    }

    /// Reads to the end of the program.
    func readToTheEnd() { read(within: .seconds(60)) { _ in false } }

    func shows(_ text: String) -> Bool { read { $0.contains(text) } }

    /// Bytes of its memory that it holds.
    var residentBytes: Int {
        let words = (try? String(contentsOfFile: "/proc/\(process.pid)/statm", encoding: .utf8))?.split(separator: " ")
        return (words.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * 4_096
    }
}

extension [UInt8] {
    func contains(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard count >= wanted.count, let first = wanted.first else { return wanted.isEmpty }
        return indices.dropLast(wanted.count - 1).contains { self[$0] == first && self[$0...].starts(with: wanted) }
    }
}
