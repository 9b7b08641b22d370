/// What a run of the bench found: for each row the medians of its rounds.
public struct BenchReport: Sendable, Codable {
    public struct Row: Sendable, Codable {
        public var name: String
        /// Orders done a second; of `sold-out`, refusals.
        public var deductionsPerSecond: Double
        /// From asking to the answer.
        public var p50Milliseconds: Double
        public var p99Milliseconds: Double
        /// Processor time of all servers for each order; `nil` where no server takes part.
        public var serverMicrosecondsPerDeduction: Double?
        /// Against `papers-script` of the same round; `nil` without it.
        public var ratioToPapersScript: Double?
        /// Processor time of engine and callers for each order; `nil` where another program asks. Not among the JSON names.
        public var clientMicrosecondsPerDeduction: Double?

        enum CodingKeys: CodingKey {
            case name, deductionsPerSecond, p50Milliseconds, p99Milliseconds, serverMicrosecondsPerDeduction
            case ratioToPapersScript
        }

        /// Every name in every row; what there is not is null.
        public func encode(to encoder: any Encoder) throws {
            var row = encoder.container(keyedBy: CodingKeys.self)
            try row.encode(name, forKey: .name)
            try row.encode(deductionsPerSecond, forKey: .deductionsPerSecond)
            try row.encode(p50Milliseconds, forKey: .p50Milliseconds)
            try row.encode(p99Milliseconds, forKey: .p99Milliseconds)
            try row.encode(serverMicrosecondsPerDeduction, forKey: .serverMicrosecondsPerDeduction)
            try row.encode(ratioToPapersScript, forKey: .ratioToPapersScript)
        }
    }

    /// What the engine is to reach on two cores, and what it did.
    public struct Goal: Sendable, Codable {
        public var name: String
        public var wanted: Double
        public var found: Double
        public var isMet: Bool
    }

    public var rows: [Row]
    public var goals: [Goal]
    public var machine: BenchMachine
    public var rounds: Int
    public var seconds: Double
}

/// Where and with what it was measured.
public struct BenchMachine: Sendable, Codable {
    public var date: String
    public var processor: String
    public var cores: Int
    public var memoryGibibytes: Double
    public var system: String
    public var redis: String
    public var sqlite: String
    public var swift: String
    var stalls: MachineStalls

    /// All of it in one line.
    var line: String {
        "\(date) · \(processor), \(cores) cores, \(BenchReport.fixed(memoryGibibytes, 0)) GiB · \(system) · Redis \(redis) · "
            + "SQLite \(sqlite) · \(swift)"
    }
}

extension BenchReport {
    /// - Parameter measured: by row, a measurement a round.
    init(
        measured: [BenchRow: [BenchMeasurement]], halfPeak: [BenchMeasurement], machine: BenchMachine, rounds: Int,
        seconds: Double
    ) {
        let papers = measured[.papersScript] ?? []
        rows = BenchRow.allCases.compactMap { row in
            guard let all = measured[row], !all.isEmpty else { return nil }
            let servers = all.compactMap(\.serverMicroseconds)
            let clients = all.compactMap(\.clientMicroseconds)
            return Row(
                name: row.rawValue, deductionsPerSecond: Self.median(all.map(\.perSecond)),
                p50Milliseconds: Self.median(all.map(\.p50Milliseconds)),
                p99Milliseconds: Self.median(all.map(\.p99Milliseconds)),
                serverMicrosecondsPerDeduction: servers.isEmpty ? nil : Self.median(servers),
                // Round by round: the machine's speed may drift during a run.
                ratioToPapersScript: papers.isEmpty
                    ? nil : Self.median(zip(all, papers).map { $0.perSecond / $1.perSecond }),
                clientMicrosecondsPerDeduction: clients.isEmpty ? nil : Self.median(clients))
        }
        self.machine = machine
        self.rounds = rounds
        self.seconds = seconds
        goals = []
        goals = Self.goals(measured: measured, halfPeak: halfPeak, rows: rows)
    }

    private static func goals(
        measured: [BenchRow: [BenchMeasurement]], halfPeak: [BenchMeasurement], rows: [Row]
    ) -> [Goal] {
        func row(_ row: BenchRow) -> Row? { rows.first { $0.name == row.rawValue } }
        var goals: [Goal] = []
        func atLeast(_ wanted: Double, _ found: Double?, _ name: String) {
            if let found { goals.append(Goal(name: name, wanted: wanted, found: found, isMet: found >= wanted)) }
        }
        func atMost(_ wanted: Double, _ found: Double?, _ name: String) {
            if let found { goals.append(Goal(name: name, wanted: wanted, found: found, isMet: found <= wanted)) }
        }
        atLeast(3.5, row(.combined1024)?.ratioToPapersScript, "combined-1024 ÷ papers-script, at least")
        atLeast(4, row(.combined4096)?.ratioToPapersScript, "combined-4096 ÷ papers-script, at least")
        if let ones = measured[.oneOrderPerCall], let own = measured[.ownScriptRedisBenchmark], !ones.isEmpty {
            atLeast(
                0.9, median(zip(ones, own).map { $0.perSecond / $1.perSecond }),
                "one-order-per-call ÷ own-script-redis-benchmark, at least")
        }
        atLeast(150_000, row(.durableSQLite)?.deductionsPerSecond, "durable-sqlite a second, at least")
        atLeast(5_000_000, row(.soldOut)?.deductionsPerSecond, "sold-out a second, at least")
        if !halfPeak.isEmpty {
            atMost(5, median(halfPeak.map(\.p99Milliseconds)), "p99 in ms of combined-1024 at half its peak, at most")
        }
        atMost(
            1.3, row(.combined1024)?.serverMicrosecondsPerDeduction,
            "server µs a deduction of combined-1024, at most")
        return goals
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

// MARK: For people

extension BenchReport {
    /// A Markdown table with machine, versions and date, and what was aimed for.
    public var markdown: String {
        var lines = [
            "| row | deductions/s | p50 ms | p99 ms | server µs each | engine and callers µs each | ÷ papers-script | what it is |",
            "|---|---:|---:|---:|---:|---:|---:|---|",
        ]
        for row in rows {
            let cells = [
                "`\(row.name)`", Self.grouped(row.deductionsPerSecond), Self.fixed(row.p50Milliseconds),
                Self.fixed(row.p99Milliseconds), row.serverMicrosecondsPerDeduction.map { Self.fixed($0) } ?? "–",
                row.clientMicrosecondsPerDeduction.map { Self.fixed($0) } ?? "–",
                row.ratioToPapersScript.map { Self.fixed($0) } ?? "–",
                BenchRow(rawValue: row.name)?.explanation ?? "",
            ]
            lines.append("| \(cells.joined(separator: " | ")) |")
        }
        if !goals.isEmpty { lines += ["", Self.table(of: goals)] }
        lines += [
            "",
            machine.line
                + " · medians of \(rounds) interleaved \(rounds == 1 ? "round" : "rounds") in \(Self.fixed(seconds, 0)) s",
        ]
        let notes = self.notes
        if !notes.isEmpty { lines += [""] + notes.map { "- \($0)" } }
        return lines.joined(separator: "\n")
    }

    static func table(of goals: [Goal]) -> String {
        let rows = goals.map {
            "| \($0.name) | \(short($0.wanted)) | \(short($0.found)) | \($0.isMet ? "met" : "not met") |"
        }
        return (["| goal | wanted | found | |", "|---|---:|---:|---|"] + rows).joined(separator: "\n")
    }

    /// `1234567` as `1,234,567`.
    static func grouped(_ value: Double) -> String {
        let digits = Array("\(Int64(value.rounded()))")
        var text = ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position) % 3 == 0, digits[position - 1] != "-" { text.append(",") }
            text.append(digit)
        }
        return text
    }

    static func fixed(_ value: Double, _ places: Int = 2) -> String {
        guard value.isFinite else { return "–" }
        var factor = 1.0
        for _ in 0..<places { factor *= 10 }
        let scaled = Int64((value.magnitude * factor).rounded())
        let whole = (value < 0 ? "-" : "") + grouped(Double(scaled / Int64(factor)))
        guard places > 0 else { return whole }
        let rest = "\(scaled % Int64(factor))"
        return whole + "." + String(repeating: "0", count: places - rest.count) + rest
    }

    private static func short(_ value: Double) -> String { value >= 1_000 ? grouped(value) : fixed(value) }
}
