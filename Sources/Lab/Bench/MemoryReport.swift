/// What a very large sale weighs, and how fast it is loaded and compared.
public struct MemoryReport: Sendable, Codable {
    public var skus: Int
    /// SQL alone, and until Redis had all of it.
    public var createSeconds = 0.0
    public var loadSeconds = 0.0
    public var redisBytesPerSKU = 0.0
    public var ledgerBytesPerEntry = 0.0
    public var outboxBytesPerEntry = 0.0
    public var ordersPerOutboxEntry = 0.0
    /// Of the process that sells: catalogue, keys, combiners.
    public var selloutBytesPerSKU = 0.0
    /// The most that the whole process held at any moment, SQL's caches among it.
    public var peakBytesPerSKU = 0.0
    public var comparedSKUsPerSecond = 0.0
    /// By which the process grew from the first comparison to the last.
    public var comparisonGrowthBytes = 0
    public var machine: BenchMachine?

    init(skus: Int) { self.skus = skus }

    /// What a million SKUs are to reach on two cores; a smaller sale is measured, not judged.
    public var goals: [BenchReport.Goal] {
        guard skus == MemoryBench.skusRange.upperBound else { return [] }
        let growth = Double(comparisonGrowthBytes) / 1_048_576
        return [
            .init(name: "load in s, at most", wanted: 30, found: loadSeconds, isMet: loadSeconds <= 30),
            .init(
                name: "compared SKUs/s, at least", wanted: 200_000, found: comparedSKUsPerSecond,
                isMet: comparedSKUsPerSecond >= 200_000),
            .init(name: "growth while comparing in MiB, at most", wanted: 16, found: growth, isMet: growth <= 16),
        ]
    }

    /// A Markdown table with machine, versions and date.
    public var markdown: String {
        var lines = [
            "| \(BenchReport.grouped(Double(skus))) SKUs | |", "|---|---:|",
            "| loaded, SQL and Redis | \(BenchReport.fixed(loadSeconds, 1)) s |",
            "| of it SQL's creation | \(BenchReport.fixed(createSeconds, 1)) s |",
            "| cut and compared | \(BenchReport.grouped(comparedSKUsPerSecond)) SKUs/s |",
            "| growth of the process from the first comparison to the last | \(BenchReport.fixed(Double(comparisonGrowthBytes) / 1_048_576, 1)) MiB |",
            "| Redis, each SKU | \(BenchReport.grouped(redisBytesPerSKU)) bytes |",
            "| Redis, each ledger entry | \(BenchReport.grouped(ledgerBytesPerEntry)) bytes |",
            "| Redis, each outbox entry of \(BenchReport.fixed(ordersPerOutboxEntry, 0)) orders | \(BenchReport.grouped(outboxBytesPerEntry)) bytes |",
            "| Sellout, each SKU: catalogue, keys, combiners | \(BenchReport.grouped(selloutBytesPerSKU)) bytes |",
            "| the whole process at its peak, each SKU | \(BenchReport.grouped(peakBytesPerSKU)) bytes |",
        ]
        if !goals.isEmpty { lines += ["", BenchReport.table(of: goals)] }
        if let machine { lines += ["", machine.line] }
        return lines.joined(separator: "\n")
    }
}
