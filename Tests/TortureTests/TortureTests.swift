import Checker
import Foundation
import Inventory
import Lab
import Testing

/// The rig itself: a sale that keeps its promise comes through, one that cannot loses, and one that lies is found.
@Suite("Torture with real processes", .serialized, .timeLimit(.minutes(5)))
struct TortureTests {
    /// Kills a master while SQL is late: seed 2 does so within its first windows.
    private static let seedWithKills: UInt64 = 2

    private func torture(
        seconds: Double, seed: UInt64, durability: Durability = .durable, plant: String? = nil
    ) async throws -> ProcessTorture.Report {
        var configuration = ProcessTorture.Configuration(
            executable: try Self.program(),
            partyArguments: ["torture-party"] + (plant.map { ["--plant", $0] } ?? []))
        configuration.seconds = seconds
        configuration.seed = seed
        configuration.durability = durability
        configuration.outboxDelayMilliseconds = durability == .memory ? 500 : 0
        let folder = try #require(Self.scratch())
        configuration.folder = folder
        let report = try await ProcessTorture(configuration).run()
        // What was bad is kept, to be looked at.
        if report.violations == 0 || plant != nil { Self.remove(folder) }
        return report
    }

    @Test("comes through at durable, whatever is done to its parties and servers")
    func durable() async throws {
        let report = try await torture(seconds: 12, seed: 1)
        #expect(report.findings == [])
        #expect(report.faults > 0)
        #expect(report.acknowledgedOrders > 500)
        #expect(report.exitCode == 0)
    }

    @Test("sees the losses of a sale that promised only memory, and calls them allowed")
    func memoryLoses() async throws {
        let report = try await torture(seconds: 12, seed: Self.seedWithKills, durability: .memory)
        #expect(report.losses > 0)
        #expect(report.violations == 0, "\(report.findings)")
    }

    @Test("finds a bug that was put in", arguments: ["no-dedupe"])
    func planted(_ plant: String) async throws {
        let report = try await torture(seconds: 12, seed: 1, plant: plant)
        #expect(report.violations > 0)
        #expect(report.firstBadSeed == 1)
        #expect(report.exitCode == 1)
    }

    // MARK: The program

    /// Beside the running test bundle.
    private static func program() throws -> String {
        let path = try #require(realpath("/proc/self/exe", nil))
        defer { free(path) }
        let text = String(cString: path)
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? text
        let folder = (text.hasSuffix(".xctest") ? text : bundle).split(separator: "/").dropLast()
        let candidate = "/" + folder.joined(separator: "/") + "/sellout"
        try #require(access(candidate, X_OK) == 0, "no program beside the tests: \(candidate)")
        return candidate
    }

    private static func scratch() -> String? {
        var template = Array("/tmp/sellout-torture-XXXXXX".utf8CString)
        return mkdtemp(&template).map { String(cString: $0) }
    }

    private static func remove(_ folder: String) {
        try? FileManager.default.removeItem(atPath: folder)
    }
}
