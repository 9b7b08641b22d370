import Foundation
import GRDB
import Glibc
import Inventory

/// Measures how fast Redis allows a sale to be, next to the script that papers print, on private servers, in one run.
///
/// Rows take turns, round by round, so that a machine whose speed drifts harms all of them alike; what is reported of a row is
/// the median of its rounds. Every row of ours writes its outbox.
public struct Bench: Sendable {
    public struct Configuration: Sendable {
        /// In the order of the table.
        public var rows = BenchRow.allCases
        public var rounds = 3
        /// How long the whole run may take, about: measurements get what servers and set-ups leave of it.
        public var seconds = 110.0
        public var seed: UInt64 = 1
        /// Told what is measured; must not block.
        public var onProgress: @Sendable (String) -> Void = { _ in }
        public init() {}
    }

    /// A measurement shorter than this says little.
    private static let sliceSecondsMin = 0.1
    private static let sliceSecondsMax = 3.0
    /// What a measurement costs besides, before any was made.
    private static let overheadSecondsGuess = 0.5

    public let configuration: Configuration

    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// Runs all rounds.
    ///
    /// - Throws: one line: a server, a file or redis-benchmark fails, or a row did not do what it claims.
    public func run() async throws -> BenchReport {
        let bed = BenchBed()
        let result: Result<BenchReport, any Error>
        do { result = .success(try await run(on: bed)) } catch { result = .failure(error) }
        await bed.stop()
        return try result.get()
    }

    private func run(on bed: BenchBed) async throws -> BenchReport {
        let clock = ContinuousClock()
        let start = clock.now
        let rows = BenchRow.allCases.filter { configuration.rows.contains($0) }
        try await startServers(for: rows, on: bed)
        var pace = Pace(
            end: start + .seconds(configuration.seconds),
            measurements: configuration.rounds * (rows.count + (rows.contains(.combined1024) ? 1 : 0)),
            overhead: Self.overheadSecondsGuess)
        var scripts = RedisBenchmark(bed: bed)
        var measured: [BenchRow: [BenchMeasurement]] = [:]
        var halfPeak: [BenchMeasurement] = []
        for round in 1...configuration.rounds {
            for row in rows {
                let began = clock.now
                let seconds = pace.slice(now: began)
                let found = try await measure(row, seconds: seconds, round: round, on: bed, &scripts)
                pace.spent(began.duration(to: clock.now).inSeconds, measuring: seconds)
                measured[row, default: []].append(found)
                tell(row.rawValue, found, round)
                guard row == .combined1024 else { continue }
                halfPeak.append(
                    try await measureHalfPeak(found, round: round, on: bed, &pace))
            }
        }
        return BenchReport(
            measured: measured, halfPeak: halfPeak, machine: try await Self.machine(bed),
            rounds: configuration.rounds, seconds: start.duration(to: clock.now).inSeconds)
    }

    /// At once, so that no row waits for another's servers.
    private func startServers(for rows: [BenchRow], on bed: BenchBed) async throws {
        configuration.onProgress("starting servers")
        _ = try await bed.fleet(.single)
        if rows.contains(.replicated1) { _ = try await bed.fleet(.replicated) }
        if rows.contains(.cluster3) { _ = try await bed.fleet(.cluster) }
    }

    private func measure(
        _ row: BenchRow, seconds: Double, round: Int, on bed: BenchBed, _ scripts: inout RedisBenchmark
    ) async throws -> BenchMeasurement {
        switch row {
        case .papersScript: return try await scripts.measurePapersScript(seconds: seconds)
        case .ownScriptRedisBenchmark: return try await scripts.measureOwnScript(seconds: seconds)
        case .sqliteConditionalUpdate: return try await ConditionalUpdateBench(bed: bed).measure(seconds: seconds)
        default:
            guard let load = row.load else { preconditionFailure("\(row) has no load") }
            do {
                return try await EngineBench(row: row, load: load, bed: bed).measure(
                    seconds: seconds, seed: configuration.seed &+ UInt64(round))
            } catch let error as BenchError {
                throw BenchError("\(row.rawValue): \(error)")
            }
        }
    }

    /// How long buyers wait while half of what is possible is asked for.
    private func measureHalfPeak(
        _ peak: BenchMeasurement, round: Int, on bed: BenchBed, _ pace: inout Pace
    ) async throws -> BenchMeasurement {
        var load = BenchRow.combined1024.load!
        load.ordersPerSecond = peak.perSecond / 2
        let clock = ContinuousClock()
        let began = clock.now
        let seconds = pace.slice(now: began)
        let found = try await EngineBench(row: .combined1024, load: load, bed: bed).measure(
            seconds: seconds, seed: configuration.seed &+ UInt64(round))
        pace.spent(began.duration(to: clock.now).inSeconds, measuring: seconds)
        tell("combined-1024 at half its peak", found, round)
        return found
    }

    private func tell(_ name: String, _ found: BenchMeasurement, _ round: Int) {
        configuration.onProgress(
            "round \(round) of \(configuration.rounds)  \(name)  \(BenchReport.grouped(found.perSecond))/s  "
                + "p99 \(BenchReport.fixed(found.p99Milliseconds)) ms"
                + (found.serverMicroseconds.map { "  server \(BenchReport.fixed($0)) µs" } ?? "")
                + (found.clientMicroseconds.map { "  engine and callers \(BenchReport.fixed($0)) µs" } ?? ""))
    }

    /// Shares out the time that is left.
    private struct Pace {
        let end: ContinuousClock.Instant
        var measurements: Int
        var overhead: Double
        private var made = 0.0
        private var wasted = 0.0

        init(end: ContinuousClock.Instant, measurements: Int, overhead: Double) {
            self.end = end
            self.measurements = measurements
            self.overhead = overhead
        }

        /// Seconds for the next measurement.
        func slice(now: ContinuousClock.Instant) -> Double {
            let left = now.duration(to: end).inSeconds / Double(max(1, measurements))
            return min(max(left - overhead, Bench.sliceSecondsMin), Bench.sliceSecondsMax)
        }

        mutating func spent(_ seconds: Double, measuring: Double) {
            measurements -= 1
            made += 1
            wasted += max(0, seconds - measuring)
            overhead = wasted / made
        }
    }
}

extension Bench {
    static func machine(_ bed: BenchBed) async throws -> BenchMachine {
        var system = utsname()
        uname(&system)
        let release = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let about = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = about.split(whereSeparator: \.isNewline).first { $0.hasPrefix("model name") }
        let format = ISO8601DateFormatter()
        format.formatOptions = [.withFullDate]
        #if compiler(>=6.3)
            let swift = "Swift 6.3"
        #elseif compiler(>=6.2)
            let swift = "Swift 6.2"
        #else
            let swift = "Swift 6.1"
        #endif
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let sqlite = try await DatabaseQueue().read { try String.fetchOne($0, sql: "SELECT sqlite_version()") }
        return BenchMachine(
            date: format.string(from: Date()),
            processor: model?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown",
            cores: cores,
            memoryGibibytes: Double(ProcessInfo.processInfo.physicalMemory) / 1_073_741_824,
            system: "Linux \(release)", redis: await bed.serverVersion, sqlite: sqlite ?? "unknown", swift: swift,
            stalls: try await MachineStalls.measure(cores: cores))
    }
}
