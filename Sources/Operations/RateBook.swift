/// Turns counts that grow into rates and histories: a rate over the last second, a history of one value a second.
///
/// Counts that fall (a rebuild after a loss, a give-back) count as zero growth, never as a negative sale.
struct RateBook {
    static let skuHistoryMax = 60
    static let entriesHistoryMax = 120
    static let windowSeconds = 1.0

    private struct Sample {
        let at: Double
        let taken: [Int64]
        let accepted: Int64
        let entries: Int64
    }

    private var samples: [Sample] = []
    private var histories: [[Float]]
    private(set) var acceptedHistory: [Float] = []
    private(set) var entriesHistory: [Float] = []
    private var secondStart: Sample?
    private var rates: [Double]

    init(skus: Int, buckets: Int) {
        histories = Array(repeating: [], count: skus)
        rates = Array(repeating: 0, count: skus)
    }

    /// - Parameters:
    ///   - seconds: since some fixed moment, growing.
    ///   - taken: by SKU position; `nil` keeps what was known.
    mutating func add(at seconds: Double, taken: [Int64?], accepted: Int64, entries: Int64) {
        let before = samples.last?.taken
        var known: [Int64] = []
        known.reserveCapacity(taken.count)
        for (position, value) in taken.enumerated() { known.append(value ?? before?[position] ?? 0) }
        let sample = Sample(at: seconds, taken: known, accepted: accepted, entries: entries)
        samples.append(sample)
        while samples.count > 2, seconds - samples[1].at >= Self.windowSeconds { samples.removeFirst() }
        guard let start = secondStart else {
            secondStart = sample
            return
        }
        guard seconds - start.at >= 1 else { return }
        // Once a second, so that rows sorted by rate stay sorted by the rate they show.
        if let first = samples.first, seconds > first.at {
            let span = seconds - first.at
            for position in rates.indices {
                rates[position] = Double(max(0, known[position] - first.taken[position])) / span
            }
        }
        let span = Float(seconds - start.at)
        for position in histories.indices {
            push(
                Float(max(0, known[position] - start.taken[position])) / span, &histories[position], Self.skuHistoryMax)
        }
        push(Float(max(0, accepted - start.accepted)) / span, &acceptedHistory, Self.skuHistoryMax)
        push(Float(max(0, entries - start.entries)) / span, &entriesHistory, Self.entriesHistoryMax)
        secondStart = sample
    }

    private func push(_ value: Float, _ history: inout [Float], _ limit: Int) {
        history.append(value)
        if history.count > limit { history.removeFirst(history.count - limit) }
    }

    func unitsPerSecond(_ position: Int) -> Double { rates[position] }
    func history(_ position: Int) -> [Float] { histories[position] }

    var acceptedPerSecond: Double { growth { $0.accepted } }
    var entriesPerSecond: Double { growth { $0.entries } }

    private func growth(_ value: (Sample) -> Int64) -> Double {
        guard let first = samples.first, let last = samples.last, last.at > first.at else { return 0 }
        return Double(max(0, value(last) - value(first))) / (last.at - first.at)
    }
}
