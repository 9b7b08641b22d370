/// What a screen costs, ours beside htop's in the same kind of terminal.
public struct UIReport: Sendable, Encodable {
    public struct Screen: Sendable, Codable {
        /// Of one core, while nothing happens.
        public var idleSharePercent: Double
        public var idleBytesPerSecond: Double
        public var firstFrameMilliseconds: Double
        public var keyMilliseconds: Double
        public var residentMebibytes: Double
        /// Between the first and the last look at it.
        public var growthMebibytes: Double
    }

    public var sellout: Screen
    /// `nil`: it is not installed.
    public var htop: Screen?
    /// With 100,000 SKUs: the middle of all keys, and what 19 of 20 stay below.
    public var largeKeyMilliseconds: Double
    public var largeKeyP95Milliseconds: Double
    /// Of the thread that draws, for each frame at 200×60 while the sale runs at full speed.
    public var frameMilliseconds: Double
    /// How long the idle sale was watched.
    public var idleSeconds: Double
    public var machine: BenchMachine

    public var goals: [BenchReport.Goal] {
        func atMost(_ wanted: Double, _ found: Double, _ name: String) -> BenchReport.Goal {
            .init(name: name, wanted: wanted, found: found, isMet: found <= wanted)
        }
        return [
            atMost(0.5, sellout.idleSharePercent, "% of a core on an idle sale of 1,000 SKUs, at most"),
            atMost(1_024, sellout.idleBytesPerSecond, "bytes/s to the terminal meanwhile, at most"),
            atMost(100, sellout.firstFrameMilliseconds, "ms from exec to the first frame, at most"),
            atMost(16, largeKeyP95Milliseconds, "ms from key to repaint with 100,000 SKUs (p95), at most"),
            atMost(3, frameMilliseconds, "ms of a core for a frame at 200×60 under full load, at most"),
            atMost(60, sellout.residentMebibytes, "MiB of memory at 1,000 SKUs, at most"),
            atMost(Self.growthAllowedMebibytes, sellout.growthMebibytes, "MiB of growth meanwhile, at most"),
        ]
    }

    /// Flat, as far as a page here or there goes.
    static let growthAllowedMebibytes = 2.0

    private enum CodingKeys: CodingKey {
        case sellout, htop, largeKeyMilliseconds, largeKeyP95Milliseconds, frameMilliseconds, idleSeconds, machine,
            goals
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(sellout, forKey: .sellout)
        try container.encode(htop, forKey: .htop)
        try container.encode(largeKeyMilliseconds, forKey: .largeKeyMilliseconds)
        try container.encode(largeKeyP95Milliseconds, forKey: .largeKeyP95Milliseconds)
        try container.encode(frameMilliseconds, forKey: .frameMilliseconds)
        try container.encode(idleSeconds, forKey: .idleSeconds)
        try container.encode(machine, forKey: .machine)
        try container.encode(goals, forKey: .goals)
    }

    /// A Markdown table with machine, versions and date, and what was aimed for.
    public var markdown: String {
        func row(_ name: String, _ value: (Screen) -> Double, _ places: Int = 2) -> String {
            let other = htop.map { BenchReport.fixed(value($0), places) } ?? "–"
            return "| \(name) | \(BenchReport.fixed(value(sellout), places)) | \(other) |"
        }
        let lines = [
            "| | `sellout watch`, 1,000 SKUs | htop |", "|---|---:|---:|",
            row("% of a core, idle at 1 Hz", \.idleSharePercent),
            row("bytes/s to the terminal, idle", \.idleBytesPerSecond, 0),
            row("ms from exec to the first frame", \.firstFrameMilliseconds, 0),
            row("ms from key to repaint", \.keyMilliseconds, 1),
            row("MiB of memory", \.residentMebibytes, 1),
            row("MiB of growth in \(BenchReport.fixed(idleSeconds, 0)) s", \.growthMebibytes, 1),
            "| ms from key to repaint, 100,000 SKUs: median, p95 | \(BenchReport.fixed(largeKeyMilliseconds, 1)), "
                + "\(BenchReport.fixed(largeKeyP95Milliseconds, 1)) | |",
            "| ms of a core for a frame, 200×60, full load | \(BenchReport.fixed(frameMilliseconds)) | |",
        ]
        return (lines + ["", BenchReport.table(of: goals), "", machine.line]).joined(separator: "\n")
    }
}
