import Telemetry

/// Remembers what lasting parts of a filter said of each SKU, so that a pass over 100,000 of them looks only at numbers, and one more
/// letter looks only at the rows that were left.
struct FilterCache: Sendable {
    /// Answers that are kept: as many as letters that one goes back over while typing.
    static let keptMax = 24

    private var answers: [StockFilter.Test: [Bool]] = [:]
    /// Oldest first.
    private var kept: [StockFilter.Test] = []
    /// SKUs whose texts were looked at: for tests of cost.
    private(set) var looks = 0

    mutating func forget() {
        answers = [:]
        kept = []
    }

    /// The rows that a filter lets through, in their order.
    mutating func rows(of skus: [WarRoomSnapshot.SKU], _ filter: StockFilter) -> [Int32] {
        var passes = [Bool](repeating: true, count: skus.count)
        for term in filter.terms {
            switch term.test {
            case .text(let needle):
                let texts = answer(term.test, skus)
                let states = StockState.all.map { StockFilter.contains($0.word, needle) }
                if states.contains(true) {
                    for index in skus.indices where passes[index] {
                        passes[index] = (texts[index] || states[skus[index].state.rank]) != term.isInverse
                    }
                } else {
                    for index in skus.indices where passes[index] { passes[index] = texts[index] != term.isInverse }
                }
            case let test where test.isLasting:
                let known = answer(test, skus)
                for index in skus.indices where passes[index] { passes[index] = known[index] != term.isInverse }
            default:
                for index in skus.indices where passes[index] {
                    passes[index] = StockFilter.holds(term.test, skus[index]) != term.isInverse
                }
            }
        }
        return skus.indices.lazy.filter { passes[$0] }.map { Int32($0) }
    }

    private mutating func answer(_ test: StockFilter.Test, _ skus: [WarRoomSnapshot.SKU]) -> [Bool] {
        if let known = answers[test], known.count == skus.count { return known }
        var result = [Bool](repeating: false, count: skus.count)
        switch test {
        case .text(let needle):
            // Whoever holds `camp` held `cam`.
            let narrower = kept.last { earlier in
                if case .text(let before) = earlier { return needle.starts(with: before) }
                return false
            }.flatMap { answers[$0] }
            for index in skus.indices where narrower?[index] ?? true {
                looks += 1
                let sku = skus[index]
                result[index] =
                    StockFilter.contains(sku.sku, needle) || StockFilter.contains(sku.name, needle)
                    || StockFilter.contains(sku.tag, needle)
            }
        case .pattern(let pattern):
            var matcher = PatternMatcher(pattern)
            for index in skus.indices {
                looks += 1
                result[index] = StockFilter.holds(&matcher, skus[index])
            }
        default:
            for index in skus.indices { result[index] = StockFilter.holds(test, skus[index]) }
        }
        answers[test] = result
        kept.append(test)
        if kept.count > Self.keptMax { answers[kept.removeFirst()] = nil }
        return result
    }
}

extension StockState {
    /// One of each, by rank.
    static let all: [StockState] = [.unread, .ok, .hot, .low, .soldOut, .frozen, .fenced, .oversold(0)]
}
