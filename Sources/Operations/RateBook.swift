/// Turns counts that grow into rates and histories: a rate over the last second, a history of one value a second, and one of an hour
/// in steps of ten seconds.
///
/// Counts that fall (a rebuild after a loss, a give-back) count as zero growth, never as a negative sale. Only SKUs that sold within
/// the time of a history have one, and only so many of them: what the others have is known without keeping it, zero. So 100,000 SKUs
/// cost what sells among them.
struct RateBook {
    static let skuHistoryMax = 60
    static let entriesHistoryMax = 120
    static let hourMax = 360
    static let hourStepSeconds = 10.0
    static let windowSeconds = 1.0
    /// A step of a second, taken once a second by whoever looks a little early as well.
    static let stepSecondsMin = 0.95
    /// SKUs with a history of a minute; of an hour. Beyond, those that sold longest ago go first.
    static let ringsMax = 20_000
    static let hoursMax = 4_096

    /// What never answered yet: whatever it says first is no growth.
    private static let unknown: Int64 = -1

    private struct Sample {
        let at: Double
        let taken: [Int64]
        let accepted: Int64
        let entries: Int64
    }

    /// One SKU's values, and for how many steps it has sold nothing.
    private struct Ring {
        var values: [Float]
        var idle = 0
    }

    private var samples: [Sample] = []
    private var rings: [Int32: Ring] = [:]
    private var hours: [Int32: Ring] = [:]
    private(set) var acceptedHistory: [Float] = []
    private(set) var entriesHistory: [Float] = []
    /// Seconds of history that there could be.
    private var seconds = 0
    private var tens = 0
    private var secondStart: Sample?
    private var tenStart: Sample?
    private var rates: [Double]

    init(skus: Int, buckets: Int) { rates = Array(repeating: 0, count: skus) }

    /// - Parameters:
    ///   - seconds: since some fixed moment, growing.
    ///   - taken: by SKU position; `nil` keeps what was known.
    mutating func add(at seconds: Double, taken: [Int64?], accepted: Int64, entries: Int64) {
        let before = samples.last?.taken
        var known: [Int64] = []
        known.reserveCapacity(taken.count)
        for (position, value) in taken.enumerated() { known.append(value ?? before?[position] ?? Self.unknown) }
        let sample = Sample(at: seconds, taken: known, accepted: accepted, entries: entries)
        samples.append(sample)
        while samples.count > 2, seconds - samples[1].at >= Self.windowSeconds { samples.removeFirst() }
        guard let start = secondStart else {
            (secondStart, tenStart) = (sample, sample)
            return
        }
        guard seconds - start.at >= Self.stepSecondsMin else { return }
        // Once a second, so that rows sorted by rate stay sorted by the rate they show.
        if let first = samples.first, seconds > first.at {
            let span = seconds - first.at
            for position in rates.indices {
                rates[position] = Double(Self.growth(from: first.taken[position], to: known[position])) / span
            }
        }
        let span = Float(seconds - start.at)
        Self.step(
            &rings, from: start.taken, to: known, span: span, before: self.seconds, length: Self.skuHistoryMax,
            ringsMax: Self.ringsMax)
        self.seconds += 1
        push(Float(max(0, accepted - start.accepted)) / span, &acceptedHistory, Self.skuHistoryMax)
        push(Float(max(0, entries - start.entries)) / span, &entriesHistory, Self.entriesHistoryMax)
        secondStart = sample
        if let ten = tenStart, seconds - ten.at >= Self.hourStepSeconds {
            Self.step(
                &hours, from: ten.taken, to: known, span: Float(seconds - ten.at), before: tens, length: Self.hourMax,
                ringsMax: Self.hoursMax)
            tens += 1
            tenStart = sample
        }
    }

    /// Gives every ring its next value, begins one for whoever sold and has none, and ends those in which nothing is left.
    private static func step(
        _ rings: inout [Int32: Ring], from old: [Int64], to new: [Int64], span: Float, before steps: Int, length: Int,
        ringsMax: Int
    ) {
        var ended: [Int32] = []
        for position in rings.keys {
            let growth = growth(from: old[Int(position)], to: new[Int(position)])
            rings[position]!.values.append(Float(growth) / span)
            if rings[position]!.values.count > length { rings[position]!.values.removeFirst() }
            rings[position]!.idle = growth > 0 ? 0 : rings[position]!.idle + 1
            if rings[position]!.idle >= length { ended.append(position) }
        }
        for position in ended { rings[position] = nil }
        for index in new.indices {
            let growth = growth(from: old[index], to: new[index])
            guard growth > 0, rings[Int32(index)] == nil else { continue }
            // It sold nothing until now: that much is known.
            var values = [Float](repeating: 0, count: min(steps, length - 1))
            values.append(Float(growth) / span)
            rings[Int32(index)] = Ring(values: values)
        }
        guard rings.count > ringsMax else { return }
        let idlest = rings.sorted { ($1.value.idle, $0.key) < ($0.value.idle, $1.key) }.prefix(rings.count - ringsMax)
        for (position, _) in idlest { rings[position] = nil }
    }

    private static func growth(from old: Int64, to new: Int64) -> Int64 { old == unknown ? 0 : max(0, new - old) }

    private func push(_ value: Float, _ history: inout [Float], _ limit: Int) {
        history.append(value)
        if history.count > limit { history.removeFirst(history.count - limit) }
    }

    func unitsPerSecond(_ position: Int) -> Double { rates[position] }
    /// Empty where nothing sold for a minute.
    func history(_ position: Int) -> [Float] { rings[Int32(position)]?.values ?? [] }
    /// In steps of ten seconds; empty where nothing sold for an hour.
    func hour(_ position: Int) -> [Float] { hours[Int32(position)]?.values ?? [] }

    var acceptedPerSecond: Double { growth { $0.accepted } }
    var entriesPerSecond: Double { growth { $0.entries } }

    private func growth(_ value: (Sample) -> Int64) -> Double {
        guard let first = samples.first, let last = samples.last, last.at > first.at else { return 0 }
        return Double(max(0, value(last) - value(first))) / (last.at - first.at)
    }
}
