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
            let process = Process()
            process.executableURL = URL(ofProgram: "sellout")
            process.arguments = ["torture", "--sim", "--seeds", "6", "--seed", "11", "--json"]
            process.currentDirectoryURL = FileManager.default.temporaryDirectory
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return try #require(text.split(separator: ",").first { $0.contains("\"trace\"") }.map(String.init))
        }
        let first = try trace()
        #expect(try trace() == first)
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
