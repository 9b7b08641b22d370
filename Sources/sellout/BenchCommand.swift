import ArgumentParser
import Foundation
import Lab

struct BenchCommand: WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast orders are taken, next to the script that papers print.",
        discussion: """
            Private servers, rounds in which all rows take turns, medians, at most two minutes. Progress goes to standard error.
            redis-benchmark runs the papers' script and ours with one order a call; everything else is the engine.

            sellout bench
            sellout bench --json
            sellout bench --rows papers-script,combined-1024,combined-4096 --rounds 5
            sellout bench --seconds 20 --rounds 1
            sellout bench --memory
            sellout bench --ui
            sellout bench --ui --minutes 10 --json

            Exit codes: 0 measured, 2 could not run, or a row did not do what it claims; 64 usage.
            """)

    @Option(help: "About how long the whole run takes, 1 to 120 s.")
    var seconds: TimeSpan = TimeSpan(seconds: 110)

    @Option(help: "How often each row is measured, 1 to 99.")
    var rounds = 3

    @Option(
        help:
            "Rows by name, separated by commas; without it all: \(BenchRow.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var rows: String?

    @Option(help: "Seed of the callers.")
    var seed: UInt64 = 1

    @Flag(
        help:
            "Instead: what a sale of many SKUs weighs, in Redis and here, and how fast it is loaded, cut and compared."
    )
    var memory = false

    @Flag(help: "Instead: what the screen costs, beside htop where that is installed; about a minute.")
    var ui = false

    @Option(help: "With --ui: watch an idle sale for so many minutes, 1 to 600, instead of 15 s.")
    var minutes: Int?

    @Option(help: "With --memory: SKUs, 1000 to 1000000.")
    var skus = MemoryBench.skusRange.upperBound

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    private static let secondsMax = 120.0

    func validate() throws {
        guard seconds.seconds >= 1, seconds.seconds <= Self.secondsMax else {
            throw ValidationError("--seconds \(seconds.text): use 1 to \(Int(Self.secondsMax))")
        }
        guard (1...99).contains(rounds) else { throw ValidationError("--rounds \(rounds): use 1 to 99") }
        guard MemoryBench.skusRange.contains(skus) else {
            throw ValidationError(
                "--skus \(skus): use \(MemoryBench.skusRange.lowerBound) to \(MemoryBench.skusRange.upperBound)")
        }
        if memory, self.rows != nil { throw ValidationError("--memory measures no rows: leave out --rows") }
        if ui, memory || rows != nil {
            throw ValidationError("--ui measures the screen alone: leave out --memory and --rows")
        }
        if let minutes {
            guard ui else { throw ValidationError("--minutes needs --ui") }
            guard (1...600).contains(minutes) else { throw ValidationError("--minutes \(minutes): use 1 to 600") }
        }
        _ = try chosenRows()
    }

    private func chosenRows() throws -> [BenchRow] {
        guard let rows else { return BenchRow.allCases }
        return try rows.split(separator: ",", omittingEmptySubsequences: false).map { name in
            guard let row = BenchRow(rawValue: String(name)) else {
                throw ValidationError("--rows: there is no row \(PlainText.line(String(name)).debugDescription)")
            }
            return row
        }
    }

    func work() async throws -> Int32 {
        let tell: @Sendable (String) -> Void = { text in
            FileHandle.standardError.write(Data("\(PlainText.line(text))\n".utf8))
        }
        if ui {
            var configuration = UIBench.Configuration()
            if let minutes { configuration.idleSeconds = Double(minutes * 60) }
            configuration.onProgress = tell
            let report = try await UIBench(configuration).run()
            try show(report, report.markdown)
            return 0
        }
        if memory {
            var configuration = MemoryBench.Configuration()
            configuration.skus = skus
            configuration.onProgress = tell
            let report = try await MemoryBench(configuration).run()
            try show(report, report.markdown)
            return 0
        }
        var configuration = Bench.Configuration()
        configuration.rows = try chosenRows()
        configuration.rounds = rounds
        configuration.seconds = seconds.seconds
        configuration.seed = seed
        configuration.onProgress = tell
        let report = try await Bench(configuration).run()
        try show(report, report.markdown)
        return 0
    }

    private func show(_ report: some Encodable, _ text: String) throws {
        guard json else { return print(text) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
    }
}
