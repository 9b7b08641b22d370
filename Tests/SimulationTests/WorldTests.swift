import Checker
import Foundation
import Inventory
import Testing

@testable import Simulation

@Suite struct WorldTests {
    /// The last line's promise on a handful of seeds; the long run is `make torture`.
    @Test func worldsKeepTheirPromises() throws {
        let summary = try SimulatedTorture(threads: 2).run(first: 1, count: 60)
        for bad in summary.bad { Issue.record("seed \(bad.seed): \(bad.finding)") }
        #expect(summary.seeds == 60)
        #expect(summary.faults > 60)
        #expect(summary.acknowledged > 500)
    }

    /// A sale that promises less must show it, else the rig looks away.
    @Test func aWeakPromiseShowsLosses() throws {
        let summary = try SimulatedTorture(durability: .memory, threads: 2).run(first: 141, count: 40)
        #expect(summary.losses > 0)
    }

    @Test(arguments: Plant.all.map(\.name))
    func plantedBugsAreFound(name: String) throws {
        let plant = try #require(Plant.all.first { $0.name == name })
        let torture = SimulatedTorture(plant: plant, threads: 1)
        for seed in UInt64(1)...50 {
            let report = try torture.run(seed: seed)
            if !report.verdict.violations.isEmpty { return }
        }
        Issue.record("\(name) was not found within 50 seeds")
    }

    /// The worlds of the plants are whole without them: what is found there is the bug.
    @Test func worldsForPlantsAreWholeWithoutThem() throws {
        for plant in Plant.all {
            var bare = Plant.nothing
            bare.scenario = plant.scenario
            let summary = try SimulatedTorture(plant: bare, threads: 2).run(first: 1, count: 4)
            for bad in summary.bad { Issue.record("\(plant.name), seed \(bad.seed): \(bad.finding)") }
        }
    }

    /// Two processes, one seed, one trace: the hashes of Swift's collections included.
    @Test func aSeedReplaysExactlyInAnotherProcess() throws {
        func trace() throws -> String {
            let text = try torture(["--seeds", "6", "--seed", "11", "--json"])
            return try #require(text.split(separator: ",").first { $0.contains("\"trace\"") }.map(String.init))
        }
        let first = try trace()
        #expect(try trace() == first)
    }

    /// Whatever a history tells, how long something took included, is told by the world's clock.
    @Test(arguments: [8, 1_001])
    func aHistoryReplaysByteByByte(seed: Int) throws {
        func history() throws -> Data {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("replay-" + UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            _ = try torture(["--seeds", "1", "--seed", "\(seed)", "--history", folder.path])
            return try Data(contentsOf: folder.appendingPathComponent("sim-\(seed).jsonl"))
        }
        let first = try history()
        #expect(first.count > 10_000)
        #expect(try history() == first)
    }

    /// What the program prints of simulated worlds.
    private func torture(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(ofProgram: "sellout")
        process.arguments = ["torture", "--sim"] + arguments
        process.currentDirectoryURL = FileManager.default.temporaryDirectory
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }
}

extension URL {
    /// A program of this package lies beside its tests.
    fileprivate init(ofProgram name: String) {
        // Where the tests run inside a helper of the toolchain, the bundle is its argument.
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let bundle = own.hasSuffix(".xctest") ? own : CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own
        self = URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent(name)
    }
}
