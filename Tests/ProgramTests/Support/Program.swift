import Foundation
import Glibc
import Host
import Testing

/// The built `sellout`, run without a terminal.
struct Program {
    struct Result {
        let pid: Int32
        let status: Int32
        let output: String
        let error: String

        var errorLines: [Substring] { error.split(separator: "\n") }
    }

    /// What is running.
    let process: ChildProcess
    private let scratch: Scratch
    private let name: String

    /// Where the executable lies: beside the test bundle.
    static var folder: String {
        get throws {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            // Where the tests run inside a helper of the toolchain, the bundle is its argument.
            let bundle = own.hasSuffix(".xctest") ? own : CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own
            let folder = URL(fileURLWithPath: bundle).deletingLastPathComponent().path
            try #require(access("\(folder)/sellout", X_OK) == 0, "no sellout beside the tests in \(folder)")
            return folder
        }
    }

    /// Starts it with its output in files.
    static func start(
        _ arguments: String..., in scratch: Scratch, environment: [String: String?] = [:]
    ) async throws -> Program {
        try await start(arguments, in: scratch, environment: environment)
    }

    static func start(
        _ arguments: [String], in scratch: Scratch, environment: [String: String?] = [:]
    ) async throws -> Program {
        let name = "run-\(UInt32.random(in: 0 ... .max))"
        let script = "exec \"$@\" >\"\(scratch.path)/\(name).out\" 2>\"\(scratch.path)/\(name).err\""
        let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(null) }
        let process = try await ChildProcess.start(
            .init(
                executable: "/bin/sh", arguments: ["-c", script, "sh", "\(try folder)/sellout"] + arguments,
                environment: try scratch.environment(environment), directory: scratch.path, output: null))
        return Program(process: process, scratch: scratch, name: name)
    }

    /// Runs it to its end.
    static func run(
        _ arguments: String..., in scratch: Scratch, environment: [String: String?] = [:]
    ) async throws -> Result {
        try await start(arguments, in: scratch, environment: environment).result()
    }

    /// What it said on standard error so far.
    var error: String { scratch.read("\(name).err") }
    var output: String { scratch.read("\(name).out") }

    func result() async -> Result {
        let status: Int32 =
            switch await process.waitForEnd() {
            case .exited(let code): code
            case .killed(let signal): -signal
            }
        return Result(pid: process.pid, status: status, output: output, error: error)
    }
}

extension Program.Result {
    /// A clear answer: one line that contains `words`, this status, and nothing that moves a terminal.
    func expectOneLine(_ words: String..., status: Int32, _ location: SourceLocation = #_sourceLocation) {
        #expect(self.status == status, "\(error)", sourceLocation: location)
        #expect(output == "", sourceLocation: location)
        #expect(errorLines.count == 1, "\(error)", sourceLocation: location)
        for word in words { #expect(error.contains(word), "\(error)", sourceLocation: location) }
        #expect(!error.contains("\u{1B}"), sourceLocation: location)
    }
}
