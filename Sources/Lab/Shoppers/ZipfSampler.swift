#if canImport(Glibc)
    import Glibc
#endif

/// Draws ranks 0 ..< count with probability proportional to 1 / (rank + 1)^exponent (Zipf), by bisection of the cumulated
/// weights: O(log count) a draw.
public struct ZipfSampler: Sendable {
    private let cumulated: [Double]

    public init(count: Int, exponent: Double) {
        precondition(count > 0)
        var sum = 0.0
        var weights: [Double] = []
        weights.reserveCapacity(count)
        for rank in 1...count {
            sum += 1 / pow(Double(rank), exponent)
            weights.append(sum)
        }
        cumulated = weights.map { $0 / sum }
    }

    /// The share of draws that falls on `rank`.
    public func share(ofRank rank: Int) -> Double {
        rank == 0 ? cumulated[0] : cumulated[rank] - cumulated[rank - 1]
    }

    /// The rank at `unit`, 0 ..< 1.
    public func rank(at unit: Double) -> Int {
        var low = 0
        var high = cumulated.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulated[middle] <= unit { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
