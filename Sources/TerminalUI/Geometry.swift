/// A rectangle of cells. Width and height are never negative.
public struct Rect: Hashable, Sendable {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    /// Negative sizes become 0.
    public init(x: Int = 0, y: Int = 0, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = max(0, width)
        self.height = max(0, height)
    }

    /// One past the last column.
    public var right: Int { x + width }
    /// One past the last row.
    public var bottom: Int { y + height }
    /// True when it holds no cell.
    public var isEmpty: Bool { width == 0 || height == 0 }

    /// Whether the cell lies inside.
    public func contains(x column: Int, y row: Int) -> Bool {
        column >= x && column < right && row >= y && row < bottom
    }

    /// What both cover; empty where they do not meet.
    public func intersection(_ other: Rect) -> Rect {
        let left = max(x, other.x)
        let top = max(y, other.y)
        return Rect(x: left, y: top, width: min(right, other.right) - left, height: min(bottom, other.bottom) - top)
    }

    /// Smaller by this many cells on each side.
    public func inset(_ horizontal: Int, _ vertical: Int) -> Rect {
        Rect(x: x + horizontal, y: y + vertical, width: width - 2 * horizontal, height: height - 2 * vertical)
    }

    /// A rectangle of this size in the middle, never larger than this one.
    public func centred(width wanted: Int, height tall: Int) -> Rect {
        let w = min(wanted, width)
        let h = min(tall, height)
        return Rect(x: x + (width - w) / 2, y: y + (height - h) / 2, width: w, height: h)
    }
}

/// How much of a line of rows or columns a part takes.
public enum Extent: Hashable, Sendable {
    /// Exactly this many cells, while there are as many.
    case fixed(Int)
    /// A share of what the fixed parts leave, in proportion to the weights.
    case share(Int)
    /// A share, but at least this many cells.
    case atLeast(Int, share: Int)
}

extension Rect {
    /// Cuts into stacked parts, top first. The parts never overlap and never leave the rectangle; what does not fit gets
    /// height 0, last parts first.
    public func rows(_ extents: [Extent], gap: Int = 0) -> [Rect] {
        var top = y
        return Self.lengths(extents, total: height, gap: gap).map { length in
            let part = Rect(x: x, y: min(top, bottom), width: width, height: min(length, max(0, bottom - top)))
            if length > 0 { top += length + gap }
            return part
        }
    }

    /// Cuts into parts side by side, left first; as ``rows(_:gap:)``.
    public func columns(_ extents: [Extent], gap: Int = 0) -> [Rect] {
        var left = x
        return Self.lengths(extents, total: width, gap: gap).map { length in
            let part = Rect(x: min(left, right), y: y, width: min(length, max(0, right - left)), height: height)
            if length > 0 { left += length + gap }
            return part
        }
    }

    /// Shares out a length. What is left over by rounding goes to the earliest shares.
    static func lengths(_ extents: [Extent], total: Int, gap: Int) -> [Int] {
        var remaining = max(0, total - gap * max(0, extents.count - 1))
        var lengths = extents.map { extent in
            let wanted: Int
            switch extent {
            case .fixed(let cells): wanted = cells
            case .share: wanted = 0
            case .atLeast(let cells, _): wanted = cells
            }
            let given = min(max(0, wanted), remaining)
            remaining -= given
            return given
        }
        let weights = extents.map { extent in
            switch extent {
            case .fixed: 0
            case .share(let weight), .atLeast(_, let weight): max(0, weight)
            }
        }
        // A floor that already exceeds its share takes no part in sharing what is left.
        var active = Set(weights.indices.filter { weights[$0] > 0 })
        while !active.isEmpty {
            let pool = remaining + active.reduce(0) { $0 + lengths[$1] }
            let weight = active.reduce(0) { $0 + weights[$1] }
            let over = active.filter { lengths[$0] * weight > pool * weights[$0] }
            if !over.isEmpty && over.count < active.count {
                active.subtract(over)
                continue
            }
            var given = 0
            let order = active.sorted()
            for index in order {
                lengths[index] = pool * weights[index] / weight
                given += lengths[index]
            }
            for index in order.prefix(pool - given) { lengths[index] += 1 }
            break
        }
        return lengths
    }
}
