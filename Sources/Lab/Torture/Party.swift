import Checker
import Glibc
import Host
import Synchronization

/// A party as the rig holds it: a process that it starts, asks, stops, kills and starts again.
final class Party: Sendable {
    /// How a party's process is started.
    struct Launch: Sendable {
        let executable: String
        /// Without the socket.
        let arguments: [String]
        /// Where its socket and its log go.
        let folder: String
    }

    struct Answer: Sendable {
        let kind: HistoryEvent.Kind
        let words: [Substring]
        var word: String { words.first.map(String.init) ?? "" }
    }

    private struct Waiting {
        let giveUpAt: ContinuousClock.Instant
        let resume: @Sendable (Answer?) -> Void
    }

    private struct State {
        var process: ChildProcess?
        var socket: LineSocket?
        var starts = 0
        var asked = 0
        var waiting: [Int: Waiting] = [:]
        var isReady = false
    }

    private static let startSeconds: Int32 = 20

    let name: String
    private let launch: Launch
    private let state = Mutex(State())

    init(name: String, launch: Launch) {
        self.name = name
        self.launch = launch
    }

    var isReady: Bool { state.withLock { $0.isReady } }

    /// How its process ended; `nil` while it runs.
    var ending: ChildProcess.Ending? { state.withLock { $0.process?.ending } }

    /// Starts its process and waits until it serves, or throws why it does not.
    func start() async throws {
        let number = state.withLock { state in
            state.starts += 1
            return state.starts
        }
        let path = "\(launch.folder)/\(name).\(number)"
        let listener = try LineSocket.listen(path: path)
        let log = open("\(launch.folder)/\(name).log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { if log >= 0 { close(log) } }
        let process: ChildProcess
        do {
            process = try await ChildProcess.start(
                .init(
                    executable: launch.executable, arguments: launch.arguments + ["--socket", path],
                    environment: ["PATH=\(getenv("PATH").map { String(cString: $0) } ?? "")"],
                    directory: launch.folder, output: log))
        } catch {
            close(listener)
            throw error
        }
        let socket = await withCheckedContinuation { continuation in
            do {
                try OSThread.start(name: "party:accept") {
                    let socket = LineSocket.accept(listener, timeoutMilliseconds: Self.startSeconds * 1_000)
                    unlink(path)
                    continuation.resume(returning: socket)
                }
            } catch { continuation.resume(returning: nil) }
        }
        guard let socket else { throw TortureError("\(name) did not come up; see \(launch.folder)/\(name).log") }
        // Its first answer says whether it serves.
        let answer: Answer? = await withCheckedContinuation { continuation in
            state.withLock { state in
                state.process = process
                state.socket = socket
                state.waiting[0] = Waiting(
                    giveUpAt: .now + .seconds(Int(Self.startSeconds)), resume: { continuation.resume(returning: $0) })
            }
            do {
                try OSThread.start(name: "party:\(name)") {
                    socket.readLines { self.take($0) }
                    self.end(socket)
                }
            } catch { end(socket) }
        }
        guard let answer, answer.kind == .ok else {
            if process.ending != nil || answer != nil {
                throw TortureError(
                    "\(name) does not serve: \(answer?.words.joined(separator: " ") ?? "it ended"); see \(launch.folder)/\(name).log"
                )
            }
            throw TortureError("\(name) does not answer; see \(launch.folder)/\(name).log")
        }
        state.withLock { $0.isReady = $0.socket === socket }
    }

    /// Asks; `nil` if it was not answered in time, or the party died.
    func ask(_ words: String, within patience: Duration) async -> Answer? {
        await withCheckedContinuation { continuation in
            let (socket, number) = state.withLock { state -> (LineSocket?, Int) in
                guard let socket = state.socket else { return (nil, 0) }
                state.asked += 1
                state.waiting[state.asked] = Waiting(
                    giveUpAt: .now + patience, resume: { continuation.resume(returning: $0) })
                return (socket, state.asked)
            }
            guard let socket else { return continuation.resume(returning: nil) }
            if !socket.send("\(number) \(words)") { resume(number, nil) }
        }
    }

    /// Answers `nil` to whoever waited too long. The rig calls it again and again.
    func expire(now: ContinuousClock.Instant) {
        let late = state.withLock { state in
            let late = state.waiting.filter { $0.value.giveUpAt <= now }
            for number in late.keys { state.waiting[number] = nil }
            return late
        }
        for waiting in late.values { waiting.resume(nil) }
    }

    private func take(_ line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 2, let number = Int(words[0]), let kind = HistoryEvent.Kind(rawValue: String(words[1]))
        else { return }
        resume(number, Answer(kind: kind, words: Array(words.dropFirst(2))))
    }

    private func resume(_ number: Int, _ answer: Answer?) {
        state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(answer)
    }

    private func end(_ socket: LineSocket) {
        let waiting = state.withLock { state -> [Waiting] in
            guard state.socket === socket else { return [] }
            state.socket = nil
            state.isReady = false
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for waiting in waiting { waiting.resume(nil) }
    }

    // MARK: What is done to it

    /// SIGKILL, and waits until it is gone.
    func kill() async {
        let process = state.withLock { state in
            state.isReady = false
            return state.process
        }
        process?.kill(SIGKILL)
        await process?.waitForEnd()
    }

    func pause() { state.withLock { $0.process }?.kill(SIGSTOP) }
    func resume() { state.withLock { $0.process }?.kill(SIGCONT) }

    /// Hangs up: it ends by itself. Kills it if it does not.
    func end() async {
        let (process, socket) = state.withLock { ($0.process, $0.socket) }
        guard let process else { return }
        process.kill(SIGCONT)
        socket?.end()
        let deadline = ContinuousClock.now + .seconds(5)
        while process.ending == nil, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(10)) }
        await kill()
    }
}

/// Why a run of the rig could not be made or ended.
public struct TortureError: Error, Sendable, CustomStringConvertible {
    /// One line.
    public let description: String
    public init(_ description: String) { self.description = description }
}
