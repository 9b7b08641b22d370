public import Checker
import Foundation
import Glibc
import Host
public import Inventory

/// Tortures a sale with real processes: engines and workers of their own, real servers, one SQL file, faults on every wire, and a
/// checker that knows only what was asked, what was answered and what both stores held in the end.
public struct ProcessTorture: Sendable {
    public struct Configuration: Sendable {
        public var seconds = 30.0
        public var seed: UInt64 = 1
        public var topology = TortureTopology.single
        public var durability = Durability.durable
        /// How late the worker settles what the outbox says. Below `durable` that is what a dead master takes along: without any
        /// delay SQL has nearly everything, and a control would show no loss.
        public var outboxDelayMilliseconds = 0
        /// The program that serves as a party, and its arguments before `--redis`, `--orders`, `--role`, `--seed`, `--socket`.
        public var executable: String
        public var partyArguments: [String]
        /// Where histories go; `nil`: into a folder of their own.
        public var folder: String?
        /// Keeps the files of good rounds too.
        public var keepsAll = false
        /// Told in a few words what happens; must not block.
        public var onProgress: @Sendable (String) -> Void = { _ in }

        public init(executable: String, partyArguments: [String]) {
            self.executable = executable
            self.partyArguments = partyArguments
        }

        /// One seed's share of the time, with faults; healing and checking come on top of it.
        public static let roundSecondsMax = 30.0
        var roundSeconds: Double { min(Self.roundSecondsMax, max(seconds, 5)) }
        /// Seeds that fit.
        var rounds: Int { max(1, Int((seconds / Self.roundSecondsMax).rounded(.down))) }
    }

    /// What came of it, under the names that scripts read.
    public struct Report: Sendable, Codable {
        public var seed: UInt64
        public var topology: String
        public var durability: String
        public var seeds = 0
        public var faults = 0
        public var operations = 0
        public var acknowledgedOrders = 0
        public var violations = 0
        public var unknown = 0
        /// Acknowledged orders and oversold SKUs that the promise allowed.
        public var losses = 0
        public var firstBadSeed: UInt64?
        public var historyPath: String?
        public var findings: [String] = []

        public init(seed: UInt64, topology: String, durability: String) {
            self.seed = seed
            self.topology = topology
            self.durability = durability
        }

        /// The last line.
        public var line: String {
            "seeds \(seeds), faults \(faults), operations \(operations), violations \(violations), unknown \(unknown)"
        }

        /// 0 good, 1 found bad, 3 a check stayed unknown.
        public var exitCode: Int32 { violations > 0 ? 1 : unknown > 0 ? 3 : 0 }

        /// Takes one seed's verdict in.
        public mutating func add(_ verdict: Verdict, seed: UInt64) {
            seeds += 1
            faults += verdict.faults
            operations += verdict.operations
            acknowledgedOrders += verdict.acknowledged
            violations += verdict.violationCount
            unknown += verdict.unknown.count
            losses += verdict.lossCount
            if verdict.violationCount > 0, firstBadSeed == nil { firstBadSeed = seed }
            findings += (verdict.violations + verdict.unknown).prefix(20).map { "seed \(seed): \($0)" }
        }
    }

    private let configuration: Configuration

    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// Runs as many seeds as fit into the time.
    ///
    /// - Throws: what kept a round from being made; a round that was made and cannot be judged is `unknown` instead.
    public func run() async throws -> Report {
        let root = try makeRoot()
        var report = Report(
            seed: configuration.seed, topology: configuration.topology.rawValue,
            durability: configuration.durability.rawValue)
        report.historyPath = root
        for round in 0..<configuration.rounds {
            try Task.checkCancellation()
            let seed = configuration.seed &+ UInt64(round)
            let folder = "\(root)/seed-\(seed)"
            guard !FileManager.default.fileExists(atPath: folder) else {
                throw TortureError("\(folder) holds an earlier run; remove it, or name another folder")
            }
            try Self.makeFolder(folder)
            let start = ContinuousClock.now
            let result = try await TortureRound(configuration: configuration, seed: seed, folder: folder).run()
            report.add(result.verdict, seed: seed)
            let verdict = result.verdict
            configuration.onProgress(
                "seed \(seed): \(verdict.faults) faults, \(verdict.operations) operations, \(verdict.acknowledged) orders, "
                    + "\(verdict.violationCount) violations, \(verdict.lossCount) losses, \(verdict.unknown.count) unknown, "
                    + "\(Int(start.duration(to: .now).inSeconds)) s")
            let isLast = round == configuration.rounds - 1
            if verdict.isGood, !configuration.keepsAll, !isLast { try? FileManager.default.removeItem(atPath: folder) }
        }
        return report
    }

    private func makeRoot() throws -> String {
        let path =
            Self.absolute(configuration.folder)
            ?? FileManager.default.temporaryDirectory.appendingPathComponent(
                "sellout-torture-\(UUID().uuidString.prefix(8))"
            ).path
        try Self.makeFolder(path)
        return path
    }

    /// Makes a folder and whatever is missing above it; one that is there already is taken.
    public static func makeFolder(_ path: String) throws(TortureError) {
        var made = path.hasPrefix("/") ? "" : "."
        for name in path.split(separator: "/") {
            made += "/\(name)"
            guard mkdir(made, 0o700) != 0, errno != EEXIST else { continue }
            throw TortureError(
                "cannot make the folder \(made): \(HostError.reason(errno)); name another with --history")
        }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw TortureError("\(path) is not a folder; name another with --history")
        }
    }

    /// Parties live in folders of their own: a path that they are told must lead to the same place from there.
    static func absolute(_ path: String?) -> String? {
        path.map { $0.hasPrefix("/") ? $0 : "\(FileManager.default.currentDirectoryPath)/\($0)" }
    }
}
