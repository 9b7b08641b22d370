import Foundation
import Glibc
import Host

/// A program with a screen on a pseudo-terminal, measured from outside: what it writes and when, what it costs.
final class ScreenUnderTest: Sendable {
    let process: ChildProcess
    private let terminal: PseudoTerminal
    /// Just before it was started.
    let startedAt: ContinuousClock.Instant

    private init(process: ChildProcess, terminal: PseudoTerminal, startedAt: ContinuousClock.Instant) {
        self.process = process
        self.terminal = terminal
        self.startedAt = startedAt
    }

    /// - Parameter home: a private folder: nobody's settings take part.
    static func start(
        _ executable: String, _ arguments: [String], columns: Int, rows: Int, home: String
    ) async throws -> ScreenUnderTest {
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        var launch = ChildProcess.Launch(
            executable: executable, arguments: arguments,
            environment: [
                "PATH=\(path)", "HOME=\(home)", "TMPDIR=\(home)", "TERM=xterm-256color", "COLORTERM=truecolor",
                "LANG=C.UTF-8",
            ], directory: home, output: terminal.programEnd)
        launch.ownsTerminal = true
        let startedAt = ContinuousClock.now
        let process = try await ChildProcess.start(launch)
        terminal.closeProgramEnd()
        return ScreenUnderTest(process: process, terminal: terminal, startedAt: startedAt)
    }

    /// Bytes that came in one go: a frame.
    struct Burst {
        var last: ContinuousClock.Instant
        var bytes: [UInt8]
    }

    /// What follows within this time belongs to the same frame.
    static let gap = Duration.milliseconds(12)

    /// The next frame. Blocks the calling thread. `nil`: none came in time.
    func burst(within limit: Duration) -> Burst? {
        guard case .bytes(let first) = terminal.read(within: limit) else { return nil }
        var burst = Burst(last: .now, bytes: first)
        while case .bytes(let more) = terminal.read(within: Self.gap) {
            burst.bytes += more
            burst.last = .now
        }
        return burst
    }

    /// Reads for so long; returns bytes and frames.
    func watch(for duration: Duration) -> (bytes: Int, frames: Int) {
        let end = ContinuousClock.now + duration
        var (bytes, frames) = (0, 0)
        while case let left = ContinuousClock.now.duration(to: end), left > .zero {
            guard let burst = burst(within: left) else { continue }
            bytes += burst.bytes.count
            frames += 1
        }
        return (bytes, frames)
    }

    /// Reads until this text comes, uncut by colours. Returns whether it came.
    func waits(for text: String, within limit: Duration) -> Bool {
        let end = ContinuousClock.now + limit
        var seen = ""
        while case let left = ContinuousClock.now.duration(to: end), left > .zero, process.ending == nil {
            guard let burst = burst(within: left) else { continue }
            seen = String(seen.suffix(200)) + String(decoding: burst.bytes, as: UTF8.self)
            if seen.contains(text) { return true }
        }
        return false
    }

    func type(_ text: String) { terminal.type(text) }

    /// Milliseconds from a key to the last byte of the frame that answers it. Waits for a moment in which the screen is quiet
    /// first: what comes then is the answer.
    func milliseconds(of key: String) -> Double? {
        while burst(within: .milliseconds(30)) != nil {}
        let start = ContinuousClock.now
        terminal.type(key)
        return burst(within: .seconds(5)).map { start.duration(to: $0.last).inSeconds * 1_000 }
    }

    // MARK: What it costs

    /// Seconds of a core that it has used, all threads, those that ended too.
    var processorSeconds: Double {
        // The clock of another process, as clock_getcpuclockid(3) makes it.
        var time = timespec()
        guard clock_gettime(clockid_t(~process.pid << 3 | 2), &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The same of its main thread, which draws.
    var mainThreadSeconds: Double {
        let path = "/proc/\(process.pid)/task/\(process.pid)/schedstat"
        let words = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: " ")
        return (words?.first.flatMap { Double($0) } ?? 0) / 1e9
    }

    var residentMebibytes: Double {
        let words = (try? String(contentsOfFile: "/proc/\(process.pid)/statm", encoding: .utf8))?.split(separator: " ")
        return (words.flatMap { $0.count > 1 ? Double($0[1]) : nil } ?? 0) * Double(sysconf(Int32(_SC_PAGESIZE)))
            / 1_048_576
    }

    /// Ends it as a person's `kill` does, and reads what it says last.
    func end() async {
        process.kill(SIGTERM)
        let deadline = ContinuousClock.now + .seconds(5)
        while process.ending == nil, ContinuousClock.now < deadline {
            if terminal.read(within: .milliseconds(50)) == .closed { break }
        }
        process.kill(SIGKILL)
        await process.waitForEnd()
    }
}
