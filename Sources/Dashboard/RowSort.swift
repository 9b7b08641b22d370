/// Sorting 100,000 rows between a key and the picture of what it did.
enum RowSort {
    /// Below this many rows a comparing sort is quicker than going through digits.
    static let smallMax = 512
    private static let digitBits: UInt64 = 11

    /// Rows by their keys, ascending; rows of equal keys keep their order.
    /// - Parameter keys: by row number.
    static func sorted(_ rows: [Int32], keys: [UInt64]) -> [Int32] {
        var pairs = rows.map { (key: keys[Int($0)], row: $0) }
        sort(&pairs)
        return pairs.map(\.row)
    }

    /// A stable sort by digits of eleven bits, least first (Knuth, 5.2.5); digits that all keys share are skipped.
    private static func sort(_ pairs: inout [(key: UInt64, row: Int32)]) {
        guard pairs.count > smallMax else {
            pairs.sort { $0.key != $1.key ? $0.key < $1.key : $0.row < $1.row }
            return
        }
        var differing: UInt64 = 0
        let first = pairs[0].key
        for pair in pairs { differing |= pair.key ^ first }
        var other = pairs
        var counts = [Int](repeating: 0, count: 1 << Int(digitBits))
        var shift: UInt64 = 0
        while shift < 64 {
            defer { shift += digitBits }
            let mask: UInt64 = (1 << digitBits) - 1
            if (differing >> shift) & mask == 0 { continue }
            for index in counts.indices { counts[index] = 0 }
            for pair in pairs { counts[Int((pair.key >> shift) & mask)] += 1 }
            var sum = 0
            for index in counts.indices { (counts[index], sum) = (sum, sum + counts[index]) }
            for pair in pairs {
                let digit = Int((pair.key >> shift) & mask)
                other[counts[digit]] = pair
                counts[digit] += 1
            }
            swap(&pairs, &other)
        }
    }

    /// Positions of the largest values, largest first, at most `limit`: one pass, no sort of all. Values must not be NaN.
    static func largest(_ count: Int, limit: Int, _ value: (Int) -> Double) -> [Int] {
        var best: [(value: Double, index: Int)] = []
        var least = -Double.infinity
        func shrink() {
            best.sort { ($1.value, $0.index) < ($0.value, $1.index) }
            if best.count > limit { best.removeLast(best.count - limit) }
        }
        for index in 0..<count {
            let value = value(index)
            guard best.count < limit || value > least else { continue }
            best.append((value, index))
            if best.count >= limit * 2 {
                shrink()
                least = best.last?.value ?? least
            }
        }
        shrink()
        return best.map(\.index)
    }

    /// The place of each text among all, by its bytes: eight bytes at a time, then on within those that agree so far.
    static func ranks(_ texts: [String]) -> [UInt64] {
        var rows = texts.indices.map { (key: UInt64(0), row: Int32($0)) }
        var pending: [(range: Range<Int>, offset: Int)] = [(rows.startIndex..<rows.endIndex, 0)]
        while let (range, offset) = pending.popLast() {
            var part = Array(rows[range])
            for index in part.indices { part[index].key = word(texts[Int(part[index].row)], at: offset) }
            sort(&part)
            rows.replaceSubrange(range, with: part)
            var start = 0
            while start < part.count {
                var end = start + 1
                while end < part.count && part[end].key == part[start].key { end += 1 }
                // A key that ends in a zero byte held the end of its text: nothing more to tell apart.
                if end - start > 1 && part[start].key & 0xFF != 0 {
                    pending.append((range.lowerBound + start..<range.lowerBound + end, offset + 8))
                }
                start = end
            }
        }
        var ranks = [UInt64](repeating: 0, count: texts.count)
        for (rank, pair) in rows.enumerated() { ranks[Int(pair.row)] = UInt64(rank) }
        return ranks
    }

    /// Eight bytes of a text as a number whose order is the bytes'; zeros beyond its end.
    private static func word(_ text: String, at offset: Int) -> UInt64 {
        var text = text
        return text.withUTF8 { bytes in
            var result: UInt64 = 0
            for place in offset..<offset + 8 { result = result << 8 | (place < bytes.count ? UInt64(bytes[place]) : 0) }
            return result
        }
    }
}
