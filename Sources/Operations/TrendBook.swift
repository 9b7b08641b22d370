/// What grows or fails over the last while, by node: what the forecasts and the rate of errors are made of.
struct TrendBook {
    /// How far back a trend looks, and the least it needs to say anything.
    static let windowSeconds = 60.0
    static let spanMin = 10.0

    private struct Point {
        let at: Double
        let bytes: Int64?
        let errors: UInt64
        /// Counted up from the rate of calls.
        let calls: Double
    }

    private var points: [String: [Point]] = [:]

    /// - Parameter seconds: since some fixed moment, growing.
    mutating func add(_ node: String, at seconds: Double, bytes: Int64?, errors: UInt64, callsPerSecond: Double) {
        var all = points[node] ?? []
        if let last = all.last, seconds - last.at < 1 { return }
        let calls = (all.last?.calls ?? 0) + callsPerSecond * (all.last.map { seconds - $0.at } ?? 0)
        all.append(Point(at: seconds, bytes: bytes, errors: errors, calls: calls))
        while let first = all.first, seconds - first.at > Self.windowSeconds { all.removeFirst() }
        points[node] = all
    }

    /// Seconds until a node has `limit` bytes, at the growth of the last while; `nil` where it does not grow or nobody knows.
    func secondsUntilFull(_ node: String, limit: Int64) -> Double? {
        let known = (points[node] ?? []).filter { $0.bytes != nil }
        guard let first = known.first, let last = known.last, let before = first.bytes, let now = last.bytes,
            last.at - first.at >= Self.spanMin, now > before, limit > 0
        else { return nil }
        let growth = Double(now - before) / (last.at - first.at)
        return max(0, Double(limit - now)) / growth
    }

    /// The share of calls to a node that failed lately, and how many did; `nil` where too few were made to say.
    func errorShare(_ node: String) -> (share: Double, errors: UInt64)? {
        guard let all = points[node], let first = all.first, let last = all.last, last.at - first.at >= Self.spanMin
        else { return nil }
        let errors = last.errors >= first.errors ? last.errors - first.errors : 0
        let calls = max(last.calls - first.calls, Double(errors))
        guard calls >= 100 else { return nil }
        return (Double(errors) / calls, errors)
    }
}
