import ArgumentParser
import Checker
import Foundation
import Host
import Inventory
import Lab
import Simulation
import Synchronization

/// The simulated half of the command.
struct SimulatedTortureRun: Sendable {
    let command: TortureCommand

    func run() async throws -> Int32 {
        let isEnded = Atomic<Bool>(false)
        return try await withTaskCancellationHandler {
            try await onThread { try run { isEnded.load(ordering: .relaxed) } }
        } onCancel: {
            isEnded.store(true, ordering: .relaxed)
        }
    }

    /// Worlds block the thread that they live on.
    private func onThread(_ body: @escaping @Sendable () throws -> Int32) async throws -> Int32 {
        let result: Result<Int32, any Error> = await withCheckedContinuation { continuation in
            do {
                try OSThread.start(name: "worlds", stackBytes: 8 << 20) {
                    continuation.resume(returning: Result { try body() })
                }
            } catch { continuation.resume(returning: .failure(error)) }
        }
        return try result.get()
    }

    private func run(isEnded: @escaping @Sendable () -> Bool) throws -> Int32 {
        // What cannot be written is said before the worlds are run, not after.
        if let folder = command.history { try ProcessTorture.makeFolder(folder) }
        let seeds = command.seeds ?? 1_000
        let torture = SimulatedTorture(
            durability: command.durability, plant: try command.plant.map(Plant.named),
            threads: command.threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount))
        let progress = Progress(isQuiet: command.json || seeds < 2_000)
        let summary = try torture.run(first: command.seed, count: seeds, isEnded: isEnded) {
            progress.hear($0)
        }
        var historyPath: String?
        if let bad = summary.firstBadSeed {
            historyPath = try write(try torture.run(seed: bad))
        } else if seeds == 1 {
            historyPath = try write(try torture.run(seed: command.seed))
        }
        if command.json {
            printJSON(summary, historyPath)
        } else {
            for (seed, finding) in summary.bad.prefix(20) { print("seed \(seed): \(finding)") }
            if let historyPath { print("history: \(historyPath)") }
            print(
                "seeds \(summary.seeds), faults \(summary.faults), operations \(summary.operations), "
                    + "violations \(summary.violations), unknown \(summary.unknown)")
        }
        return summary.violations > 0 ? 1 : summary.unknown > 0 ? 3 : 0
    }

    /// Writes a world's history as JSON lines, and beside it what was found.
    private func write(_ report: WorldReport) throws -> String {
        let path = (command.history ?? ".") + "/sim-\(report.seed).jsonl"
        try? FileManager.default.removeItem(atPath: path)
        let writer = try HistoryWriter(path: path)
        for event in report.history { writer.add(event) }
        writer.close()
        if let failure = writer.failure { throw ValidationError("cannot write \(path): \(failure)") }
        return path
    }

    private func printJSON(_ summary: SimulatedTorture.Summary, _ historyPath: String?) {
        var fields: [(String, String)] = [
            ("seeds", "\(summary.seeds)"), ("faults", "\(summary.faults)"), ("operations", "\(summary.operations)"),
            ("acknowledgedOrders", "\(summary.acknowledged)"), ("violations", "\(summary.violations)"),
            ("unknown", "\(summary.unknown)"), ("lostOrders", "\(summary.losses)"),
            ("steps", "\(summary.steps)"), ("trace", "\"\(String(summary.trace, radix: 16))\""),
            ("durationSeconds", "\((summary.seconds * 10).rounded() / 10)"),
        ]
        fields.append(("firstBadSeed", summary.firstBadSeed.map { "\($0)" } ?? "null"))
        fields.append(("historyPath", historyPath.flatMap { try? Self.quoted($0) } ?? "null"))
        print("{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}")
    }

    private static func quoted(_ text: String) throws -> String {
        String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    }

    /// A line on standard error now and then.
    private final class Progress: Sendable {
        private let isQuiet: Bool
        private let count = Atomic<Int>(0)
        private let start = ContinuousClock.now
        init(isQuiet: Bool) { self.isQuiet = isQuiet }
        func hear(_ report: WorldReport) {
            let done = count.add(1, ordering: .relaxed).newValue
            guard !isQuiet, done % 1_000 == 0 else { return }
            let minutes = start.duration(to: .now) / .seconds(60)
            FileHandle.standardError.write(Data("\(done) seeds, \(Int(Double(done) / minutes)) a minute\n".utf8))
        }
    }
}
