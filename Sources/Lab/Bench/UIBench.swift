import Foundation
import Glibc
import Host
import Operations

/// Measures what the screen costs, from outside, as its terminal and the kernel see it; htop beside it, where it is installed.
public struct UIBench: Sendable {
    public struct Configuration: Sendable {
        /// How long an idle sale is watched.
        public var idleSeconds = 15.0
        /// Told what is measured; must not block.
        public var onProgress: @Sendable (String) -> Void = { _ in }
        public init() {}
    }

    private static let skus = 1_000
    private static let largeSKUs = 100_000
    private static let starts = 5
    private static let keys = 60
    /// After the first frame, until nothing moves any more and a screen has come to rest.
    private static let settleSeconds = 8.0
    private static let loadSeconds = 6.0

    public let configuration: Configuration

    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// - Throws: one line: a server, a file or a screen fails.
    public func run() async throws -> UIReport {
        let bed = BenchBed()
        let result: Result<UIReport, any Error>
        do { result = .success(try await run(on: bed)) } catch { result = .failure(error) }
        await bed.stop()
        return try result.get()
    }

    private func run(on bed: BenchBed) async throws -> UIReport {
        let home = URL(fileURLWithPath: try await bed.newFile()).deletingLastPathComponent().path
        configuration.onProgress("an idle sale of \(BenchReport.grouped(Double(Self.skus))) SKUs")
        let idle = try await withSale(skus: Self.skus) { watch in
            try await measureIdle(Self.own, watch, ready: "LIVE", key: ("j", "k"), home)
        }
        var htop: UIReport.Screen?
        if let path = Self.find("htop") {
            configuration.onProgress("htop")
            htop = try await measureIdle(path, ["-d", "10"], ready: "", key: ("\u{1B}OB", "\u{1B}OA"), home)
        }
        configuration.onProgress("a sale of \(BenchReport.grouped(Double(Self.largeSKUs))) SKUs")
        let keys = try await withSale(skus: Self.largeSKUs) { watch in
            let screen = try await ScreenUnderTest.start(Self.own, watch, columns: 120, rows: 40, home: home)
            let times = try await Self.onThread { () -> [Double] in
                guard screen.waits(for: "LIVE", within: .seconds(30)) else { return [] }
                _ = screen.watch(for: .seconds(3))
                return Self.times(of: ("j", "k"), screen, count: Self.keys)
            }
            await screen.end()
            guard times.count == Self.keys else { throw BenchError("the screen of a large sale did not answer keys") }
            return times.sorted()
        }
        configuration.onProgress("a sale at full speed")
        let frame = try await measureFrames(home)
        // For its version of Redis.
        _ = try await bed.fleet(.single)
        return UIReport(
            sellout: idle, htop: htop, largeKeyMilliseconds: BenchReport.median(keys),
            largeKeyP95Milliseconds: keys[keys.count * 95 / 100], frameMilliseconds: frame,
            idleSeconds: configuration.idleSeconds, machine: try await Bench.machine(bed))
    }

    // MARK: Measuring

    private func measureIdle(
        _ program: String, _ arguments: [String], ready: String, key: (String, String), _ home: String
    ) async throws -> UIReport.Screen {
        var starts: [Double] = []
        for _ in 0..<Self.starts {
            let screen = try await ScreenUnderTest.start(program, arguments, columns: 120, rows: 40, home: home)
            let frame = try await Self.onThread { screen.burst(within: .seconds(10))?.last }
            await screen.end()
            guard let frame else { throw BenchError("\(program) drew nothing within 10 s") }
            starts.append(screen.startedAt.duration(to: frame).inSeconds * 1_000)
        }
        let firstFrame = BenchReport.median(starts)
        let screen = try await ScreenUnderTest.start(program, arguments, columns: 120, rows: 40, home: home)
        let idleSeconds = configuration.idleSeconds
        let found = try await Self.onThread { () -> UIReport.Screen? in
            guard ready.isEmpty || screen.waits(for: ready, within: .seconds(20)) else { return nil }
            let keys = Self.times(of: key, screen, count: Self.keys)
            _ = screen.watch(for: .seconds(Self.settleSeconds))
            let (before, memory, start) = (screen.processorSeconds, screen.residentMebibytes, ContinuousClock.now)
            let written = screen.watch(for: .seconds(idleSeconds))
            let seconds = start.duration(to: .now).inSeconds
            return UIReport.Screen(
                idleSharePercent: (screen.processorSeconds - before) / seconds * 100,
                idleBytesPerSecond: Double(written.bytes) / seconds,
                firstFrameMilliseconds: firstFrame, keyMilliseconds: BenchReport.median(keys),
                residentMebibytes: screen.residentMebibytes, growthMebibytes: screen.residentMebibytes - memory)
        }
        await screen.end()
        guard let found else { throw BenchError("\(program) did not show \(ready) within 20 s") }
        return found
    }

    /// Milliseconds of keys, two in turn, each of which changes the screen.
    private static func times(of keys: (String, String), _ screen: ScreenUnderTest, count: Int) -> [Double] {
        (0..<count).compactMap { screen.milliseconds(of: $0 % 2 == 0 ? keys.0 : keys.1) }
    }

    /// The embedded fleet, engine and shoppers share the process with the screen here; the thread that draws is measured alone.
    private func measureFrames(_ home: String) async throws -> Double {
        let screen = try await ScreenUnderTest.start(
            Self.own, ["demo", "--masters", "1", "--rate", "max", "--durability", "memory"], columns: 200, rows: 60,
            home: home)
        let found = try await Self.onThread { () -> Double? in
            guard screen.waits(for: "WARMED", within: .seconds(30)) else { return nil }
            screen.type("F")
            _ = screen.burst(within: .seconds(2))
            screen.type("y")
            guard screen.waits(for: "OPEN", within: .seconds(10)) else { return nil }
            _ = screen.watch(for: .seconds(2))
            let before = screen.mainThreadSeconds
            let frames = screen.watch(for: .seconds(Self.loadSeconds)).frames
            return frames == 0 ? nil : (screen.mainThreadSeconds - before) * 1_000 / Double(frames)
        }
        await screen.end()
        guard let found else { throw BenchError("the screen of a running sale drew no frames") }
        return found
    }

    // MARK: What is watched

    /// A warmed sale behind which nobody works; the body gets the arguments that watch it.
    private func withSale<Value>(skus: Int, _ body: ([String]) async throws -> Value) async throws -> Value {
        var configuration = DemoFloor.Configuration()
        configuration.masters = 1
        configuration.skus = skus
        let floor = try await DemoFloor.start(configuration, events: EventLog())
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(["watch", "--redis", floor.fleet.url, "--orders", floor.ordersURL]))
        } catch { result = .failure(error) }
        await floor.stop()
        return try result.get()
    }

    private static let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "sellout"

    private static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Runs what blocks on a thread of its own.
    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            do {
                try OSThread.start(name: "ui-bench") { continuation.resume(returning: body()) }
            } catch { continuation.resume(throwing: error) }
        }
    }
}
