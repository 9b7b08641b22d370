import Checker
import Foundation
import Inventory
import Testing

@testable import Lab

/// The rig itself: a sale that keeps its promise comes through, one that cannot loses, and one that lies is found.
@Suite("Torture with real processes", .serialized, .timeLimit(.minutes(5)))
struct TortureTests {
    /// The first seed that kills a master within its first two windows.
    private static let seedWithKill: UInt64 = (1...).first { seed in
        TorturePlan(seed: seed, seconds: 6, topology: .single, appendsOnly: false).windows.prefix(2)
            .contains { $0.faults.contains { $0.fault == .masterKill } } && seed % 3 != 0
    }!

    /// The first seed whose first two windows lose replies: what was executed is asked again, and nothing else explains a drift.
    private static let seedWithLostReplies: UInt64 = (1...).first { seed in
        let losing: Set<TortureFault> = [.wireDropReplies, .replyLost]
        return TorturePlan(seed: seed, seconds: tortured, topology: .single, appendsOnly: seed % 3 == 0)
            .windows.prefix(2).allSatisfy { losing.contains($0.faults[0].fault) }
    }!
    /// Of the twelve seconds of a round.
    private static let tortured = 12 - TorturePlan.quiet.inSeconds

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
        let report = try await torture(seconds: 12, seed: Self.seedWithKill, durability: .memory)
        #expect(report.losses > 0)
        #expect(report.violations == 0, "\(report.findings)")
    }

    @Test("finds a bug that was put in", arguments: ["no-dedupe"])
    func planted(_ plant: String) async throws {
        let report = try await torture(seconds: 12, seed: Self.seedWithLostReplies, plant: plant)
        #expect(report.violations > 0)
        #expect(report.firstBadSeed == Self.seedWithLostReplies)
        #expect(report.exitCode == 1)
    }

    @Test("draws one plan from one seed, with faults that its fleet can have", arguments: TortureTopology.allCases)
    func plans(_ topology: TortureTopology) {
        var seen: Set<TortureFault> = []
        for seed in 1...UInt64(40) {
            let plan = TorturePlan(seed: seed, seconds: 30, topology: topology, appendsOnly: true)
            let again = TorturePlan(seed: seed, seconds: 30, topology: topology, appendsOnly: true)
            #expect(plan.windows.map { $0.faults.map(\.fault) } == again.windows.map { $0.faults.map(\.fault) })
            seen.formUnion(plan.windows.flatMap { $0.faults.map(\.fault) })
        }
        #expect(seen == Set(TortureFault.allCases.filter { $0.isPossible(topology, appendsOnly: true) }))
    }

    @Test("allows a promotion to lose what no yes waited for, and only that")
    func promises() {
        func losses(_ durability: Durability, _ topology: TortureTopology = .replicated) -> Set<String> {
            TortureRound.promise(durability, topology: topology).losesAfter
        }
        #expect(losses(.replicated(1)).contains(Promise.Fault.promotion))
        #expect(!losses(.replicated(1)).contains(Promise.Fault.masterKill))
        #expect(!losses(.replicated(2)).contains(Promise.Fault.promotion))
        #expect(losses(.durable).isEmpty)
        #expect(losses(.memory, .single).contains(Promise.Fault.masterKill))
    }

    @Test("finds its folder from everywhere")
    func folders() {
        #expect(ProcessTorture.absolute("a/b") == "\(FileManager.default.currentDirectoryPath)/a/b")
        #expect(ProcessTorture.absolute("/a/b") == "/a/b")
        #expect(ProcessTorture.absolute(nil) == nil)
        for (path, said) in [("/proc/nope", "/proc/nope: No such file"), ("/etc/passwd/x", "/etc/passwd/x: Not a dir")]
        {
            let error = #expect(throws: TortureError.self) { try ProcessTorture.makeFolder(path) }
            #expect(error?.description.contains("cannot make the folder \(said)") == true)
        }
        #expect(throws: TortureError.self) { try ProcessTorture.makeFolder("/etc/passwd") }
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
        let parent = FileManager.default.temporaryDirectory.path
        var template = Array("\(parent)/sellout-torture-XXXXXX".utf8CString)
        return mkdtemp(&template).map { String(cString: $0) }
    }

    private static func remove(_ folder: String) {
        try? FileManager.default.removeItem(atPath: folder)
    }
}
