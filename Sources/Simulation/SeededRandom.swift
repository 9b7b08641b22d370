/// SplitMix64 (Steele, Lea, Flood): the one source of chance in a simulated world.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// An independent stream of the same seed: what draws from one does not shift the other.
    public init(seed: UInt64, stream: UInt64) {
        var mixer = SeededRandom(seed: seed ^ (stream &* 0xd6e8_feb8_6659_fd93))
        state = mixer.next()
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Uniform in 0 ..< 1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// True with this probability.
    public mutating func chance(_ probability: Double) -> Bool { unit() < probability }

    /// Uniform in a range; the small bias of the remainder does not matter here.
    public mutating func pick(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    public mutating func element<Value>(_ values: [Value]) -> Value { values[pick(0...values.count - 1)] }

    /// Uniform between two durations, by microseconds.
    public mutating func duration(_ from: Duration, _ to: Duration) -> Duration {
        let low = from.microseconds
        return .microseconds(low + Int64(next() % UInt64(max(1, to.microseconds - low + 1))))
    }
}

extension Duration {
    var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
