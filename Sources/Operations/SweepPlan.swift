/// Which SKUs are read this second, within a budget: who is in sight, then the hottest, then the rest in turn.
///
/// At least half of the budget goes round, whatever is in sight and however hot the sale: so everything has been read within
/// `sweepSeconds`, which the screen shows.
public struct SweepPlan: Sendable {
    /// Rows that a screen can have in sight; more are not asked for.
    public static let visibleMax = 500
    /// Hot SKUs that are read each second.
    public static let hotMax = 1_000

    /// Keys read a second, at most.
    public let readsPerSecond: Int
    /// Keys read for each SKU: 1, or 2 with a ledger.
    public let readsPerSKU: Int
    /// Where the round goes on.
    private var next = 0

    /// - Parameters:
    ///   - readsPerSecond: 1 or more; less than two SKUs' reads count as two SKUs'.
    ///   - readsPerSKU: 1 or more.
    public init(readsPerSecond: Int, readsPerSKU: Int) {
        precondition(readsPerSecond >= 1 && readsPerSKU >= 1)
        self.readsPerSecond = max(readsPerSecond, 2 * readsPerSKU)
        self.readsPerSKU = readsPerSKU
    }

    /// SKUs that may be read in one second.
    public var skusPerSecond: Int { readsPerSecond / readsPerSKU }

    /// Within how many seconds each of so many SKUs has been read, whoever else is read first.
    public func sweepSeconds(of count: Int) -> Int {
        if count <= skusPerSecond { return 1 }
        let share = skusPerSecond - skusPerSecond / 2
        return (count + share - 1) / share
    }

    /// The positions to read in the next second, none twice, most wanted first.
    /// - Parameters:
    ///   - count: positions are 0 ..< count; it may have grown.
    ///   - visible: in sight now, best first.
    ///   - hot: hottest first.
    public mutating func nextSecond(count: Int, visible: [Int], hot: [Int]) -> [Int] {
        guard count > skusPerSecond else {
            next = 0
            return Array(0..<count)
        }
        // Wanted ones have half of it at most; what they leave goes round, too.
        let wantedMax = skusPerSecond / 2
        var chosen: [Int] = []
        var taken = Set<Int>()
        for position in visible.prefix(Self.visibleMax) + hot.prefix(Self.hotMax) where chosen.count < wantedMax {
            guard position >= 0, position < count, taken.insert(position).inserted else { continue }
            chosen.append(position)
        }
        // The round passes over those that were chosen already: they count as read in it.
        if next >= count { next = 0 }
        var passed = 0
        while chosen.count < skusPerSecond, passed < count {
            let position = next
            next = next + 1 == count ? 0 : next + 1
            passed += 1
            if taken.insert(position).inserted { chosen.append(position) }
        }
        return chosen
    }
}

/// How fast keys are looked for.
public struct ScanPace: Sendable, Hashable {
    /// Keys that one SCAN looks at.
    public static let keysPerCallMax = 500

    /// Keys a second, on all masters together.
    public let keysPerSecond: Int

    public init(keysPerSecond: Int) {
        precondition(keysPerSecond >= 1)
        self.keysPerSecond = keysPerSecond
    }

    /// COUNT of each call: about twenty calls a second, so that no call holds a server up.
    public var keysPerCall: Int { min(Self.keysPerCallMax, max(10, keysPerSecond / 20)) }
    /// From one call to the next.
    public var pause: Duration { .microseconds(keysPerCall * 1_000_000 / keysPerSecond) }
    /// How long it takes to look at so many keys.
    public func seconds(for keys: Int) -> Double { Double(keys) / Double(keysPerSecond) }
    /// From the end of one walk to the beginning of the next, which finds SKUs that are new: a tenth of the pace on the whole.
    public func rest(after seconds: Double) -> Duration { .seconds(max(60, seconds * 9)) }
}
