public import ArgumentParser
import Foundation
import Inventory
public import Lab
import Simulation

struct TortureCommand: WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture",
        abstract: "Break everything around a sale, and check that its promise holds.",
        discussion: """
            Engines and workers as processes of their own, real servers and one SQL file; what happens to them is drawn from the
            seed. A checker that knows only the history and what both stores held in the end says what it found. With --sim
            all of it runs on one thread against a simulated clock, network and servers, and a seed replays exactly.

            sellout torture --seconds 60 --seed 7
            sellout torture --seconds 600 --topology cluster --json
            sellout torture --seconds 30 --durability memory      a control: it must show losses
            sellout torture --sim --seeds 1000
            sellout torture --sim --seed 4711 --seeds 1           replay one seed, and write its history
            sellout torture --plant list                          the bugs that can be put in

            The last line reads: seeds N, faults N, operations N, violations N, unknown N (with --json, on standard error)
            Exit codes: 0 good, 1 found bad, 2 could not run, 3 a check stayed unknown.
            """)

    @Flag(help: "Simulate: one thread, one clock, one seed a world.")
    var sim = false

    @Option(help: "With --sim: how many seeds. (default: 1000)")
    var seeds: Int?

    @Option(help: "Put in a bug by its name, or `list` them.")
    var plant: String?

    @Option(help: "With --sim: worlds at once. (default: one for each processor)")
    var threads: Int?

    @Option(
        help: "How long to torture; each seed gets up to 30 s of it, and time to heal on top. (default: 30.0s)")
    var seconds: TimeSpan?

    @Option(help: "The first seed: it decides workload and faults.")
    var seed: UInt64 = 1

    @Option(
        help:
            "single (one server), replicated (a master and two replicas) or cluster (three masters). (default: single)"
    )
    var topology: TortureTopology?

    @Option(help: "What yes means, as in demo. Without it: durable; simulated, the seed decides.")
    var durability: Durability?

    @Option(help: "Leave the histories in this folder; simulated, the history of the first bad seed.")
    var history: String?

    @Flag(help: "Keep the files of good seeds too.")
    var keepAll = false

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    /// How late SQL is in a control that must show losses.
    private static let lateMilliseconds = 500

    func validate() throws {
        if let seeds, !(1...100_000_000).contains(seeds) {
            throw ValidationError("--seeds \(seeds): use 1 to 100000000")
        }
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads \(threads): use 1 to 256") }
        if let seconds, seconds.seconds < 5 { throw ValidationError("--seconds \(seconds.text): use at least 5") }
        if let plant, plant != "list", !Plant.all.contains(where: { $0.name == plant }) {
            throw ValidationError("there is no planted bug \(plant); `--plant list` names them")
        }
        // What would be ignored is refused: a run must be the one that was asked for.
        if sim {
            if seconds != nil { throw ValidationError("--seconds is for real processes; with --sim, give --seeds") }
            if topology != nil { throw ValidationError("--topology is for real processes; with --sim a seed decides") }
            if keepAll { throw ValidationError("--keep-all is for real processes; with --sim a seed replays exactly") }
        } else {
            if seeds != nil { throw ValidationError("--seeds needs --sim; with real processes, give --seconds") }
            if threads != nil { throw ValidationError("--threads needs --sim") }
        }
        let replicas = (topology ?? .single).replicas
        if !sim, let durability, durability.replicas > replicas {
            throw ValidationError(
                replicas == 0
                    ? "--durability \(durability.rawValue) needs --topology replicated"
                    : "--durability \(durability.rawValue): the rig's master has \(replicas) replicas")
        }
    }

    func work() async throws -> Int32 {
        if plant == "list" {
            for plant in Plant.all { print("\(plant.name)\n    \(plant.breaks)\n    \(plant.means)") }
            return 0
        }
        if sim { return try await SimulatedTortureRun(command: self).run() }
        let report = try await runProcesses()
        return Self.tell(report, json: json)
    }

    private func runProcesses() async throws -> ProcessTorture.Report {
        var configuration = ProcessTorture.Configuration(
            executable: try Self.ownPath(), partyArguments: ["torture-party"])
        if let plant { configuration.partyArguments += ["--plant", plant] }
        // What a dead master takes along is what SQL had not heard of yet.
        configuration.outboxDelayMilliseconds = durability == .memory ? Self.lateMilliseconds : 0
        configuration.seconds = seconds?.seconds ?? configuration.seconds
        configuration.seed = seed
        configuration.topology = topology ?? .single
        configuration.durability = durability ?? .durable
        configuration.folder = history
        configuration.keepsAll = keepAll
        configuration.onProgress = { text in
            FileHandle.standardError.write(Data("\(PlainText.line(text))\n".utf8))
        }
        return try await ProcessTorture(configuration).run()
    }

    /// Findings, where the history is, and the last line. Returns the exit code.
    static func tell(_ report: ProcessTorture.Report, json: Bool) -> Int32 {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            if let data = try? encoder.encode(report) { print(String(decoding: data, as: UTF8.self)) }
            FileHandle.standardError.write(Data("\(report.line)\n".utf8))
        } else {
            for finding in report.findings { print(PlainText.line(finding)) }
            if report.losses > 0 {
                print("\(report.losses) losses that `\(report.durability)` allows after what was done to the servers")
            }
            if let path = report.historyPath { print("history: \(PlainText.line(path))") }
            print(report.line)
        }
        return report.exitCode
    }

    static func ownPath() throws -> String {
        guard let path = realpath("/proc/self/exe", nil) else {
            throw TortureError("the program does not find its own file, which it starts engines from")
        }
        defer { free(path) }
        return String(cString: path)
    }
}

extension TortureTopology: ExpressibleByArgument {}

/// A part of a tortured sale's service, in a process of its own; started by `torture` and by nobody else.
struct TorturePartyCommand: WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture-party", abstract: "Serve a tortured sale.", shouldDisplay: false)

    @Option var redis: String
    @Option var orders: String
    @Option var socket: String
    @Option var role: PartyRole
    @Option var seed: UInt64
    /// Milliseconds.
    @Option var outboxDelay: Int64 = 0
    /// Seconds.
    @Option var horizon: Int64 = 3_600
    @Option var plant: String?

    func work() async throws -> Int32 {
        var configuration = PartyServer.Configuration(
            redis: redis, orders: orders, socket: socket, role: role, seed: seed)
        configuration.outboxDelay = .milliseconds(outboxDelay)
        configuration.horizon = .seconds(horizon)
        if let plant {
            let bug = try Plant.named(plant)
            configuration.alterations.ports = { bug.planted(redis: $0.redis, store: $0.store) }
        }
        return await PartyServer.run(configuration)
    }
}

extension PartyRole: ExpressibleByArgument {}
