import EngineHistory
import Foundation
import Glibc
import Host
import SaleRig
import Synchronization
import Testing

/// An EngineProcess and what it said.
final class EngineRun: Sendable {
    private struct Output {
        var text: [UInt8] = []
        var lines = 0
        var killAtLine: Int?
        var readers: [CheckedContinuation<Void, Never>] = []
        var isOver = false
    }

    private let process: ChildProcess
    private let output = Mutex(Output())

    private init(process: ChildProcess) { self.process = process }

    /// - Parameter killAtLine: kill it from outside once it has said that many lines.
    static func start(_ arguments: [String], killAtLine: Int? = nil) async throws -> EngineRun {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let process: ChildProcess
        do {
            defer { close(ends[1]) }
            process = try await ChildProcess.start(
                .init(
                    executable: try executable(), arguments: arguments,
                    environment: ["PATH=\(String(cString: getenv("PATH")))"], directory: "/", output: ends[1]))
        }
        let run = EngineRun(process: process)
        run.output.withLock { $0.killAtLine = killAtLine }
        let descriptor = ends[0]
        try OSThread.start(name: "engine-output") { run.read(descriptor) }
        return run
    }

    private func read(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            let isDue = output.withLock { output in
                output.text += buffer[..<count]
                output.lines += buffer[..<count].count { $0 == UInt8(ascii: "\n") }
                guard let line = output.killAtLine, output.lines >= line else { return false }
                output.killAtLine = nil
                return true
            }
            if isDue { process.kill(SIGKILL) }
        }
        close(descriptor)
        let readers = output.withLock { output in
            output.isOver = true
            defer { output.readers = [] }
            return output.readers
        }
        for reader in readers { reader.resume() }
    }

    /// Stops the process, and waits until every thread of it stands: the signal alone lets those that run go on for a while.
    func stop() async throws {
        process.kill(SIGSTOP)
        let folder = "/proc/\(process.pid)/task"
        try await eventually("every thread stands", within: .seconds(60)) {
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return threads.allSatisfy { thread in
                // `pid (name) state …`; a thread that has ended has none, or is a zombie.
                guard let text = try? String(contentsOfFile: "\(folder)/\(thread)/stat", encoding: .utf8),
                    let name = text.lastIndex(of: ")")
                else { return true }
                return text[name...].dropFirst(2).first.map { "TZX".contains($0) } ?? true
            }
        }
    }

    /// Lets a stopped process go on.
    func goOn() { process.kill(SIGCONT) }

    /// How it ended and the end of what it said.
    func ending() async -> (ending: ChildProcess.Ending, text: String) {
        let ending = await process.waitForEnd()
        await withCheckedContinuation { continuation in
            let isOver = output.withLock { output in
                if !output.isOver { output.readers.append(continuation) }
                return output.isOver
            }
            if isOver { continuation.resume() }
        }
        return (ending, String(decoding: output.withLock { $0.text.suffix(1500) }, as: UTF8.self))
    }

    /// Beside the running test bundle.
    private static func executable() throws -> String {
        let path = try #require(realpath("/proc/self/exe", nil))
        defer { free(path) }
        let text = String(cString: path)
        // Where the tests run inside a helper of the toolchain, the bundle is its argument.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? text
        let folder = (text.hasSuffix(".xctest") ? text : bundle).split(separator: "/").dropLast()
        let candidate = "/" + folder.joined(separator: "/") + "/EngineProcess"
        try #require(access(candidate, X_OK) == 0, "no EngineProcess beside the tests: \(candidate)")
        return candidate
    }
}
