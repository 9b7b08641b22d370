/// How a value's share of the maximum becomes a colour.
public enum Gradient: Hashable, Sendable {
    case solid(Ink)
    /// From one meaning to another, mixed perceptually.
    case between(Role, Role)
    /// The theme's heat ramp.
    case heat

    /// The colour at a share of 0...1.
    public func ink(_ share: Double) -> Ink {
        switch self {
        case .solid(let ink): ink
        case .between(let low, let high): .blend(low, high, share)
        case .heat: .heat(share)
        }
    }
}

/// Helpers on series of numbers, oldest first.
public enum Series {
    /// Folds a series into `count` values, each the largest of what it stands for, so that no spike is lost. A shorter
    /// series comes back as it is. Values that are not finite count as 0.
    public static func folded(_ values: [Double], to count: Int) -> [Double] {
        let clean = values.map { $0.isFinite ? $0 : 0 }
        guard count > 0 else { return [] }
        guard clean.count > count else { return clean }
        return (0..<count).map { slot in
            let start = slot * clean.count / count
            let end = max(start + 1, (slot + 1) * clean.count / count)
            return clean[start..<end].max() ?? 0
        }
    }
}

extension Canvas {
    /// One row of history, the newest at the right edge. In braille each cell holds two values, else one.
    /// - Parameters:
    ///   - values: oldest first; only the newest that fit are shown.
    ///   - maximum: the value that fills the height; nil takes the largest shown.
    ///   - bars: draws eighths, one value a cell, also where braille is there.
    public mutating func sparkline(
        _ x: Int, _ y: Int, width: Int, _ values: [Double], maximum: Double? = nil,
        _ gradient: Gradient = .between(.accent, .good), bars: Bool = false
    ) {
        let ladder = glyphs.ladder
        let dense = ladder == .braille && !bars
        let shown = Array(values.suffix(dense ? width * 2 : width))
        let peak = maximum ?? shown.max() ?? 0
        let share: (Double) -> Double = { value in
            guard value.isFinite && value > 0 && peak > 0 else { return 0 }
            return min(1, value / peak)
        }
        if dense {
            // Pairs are counted from the newest, so that a cell does not change its partner as time moves on by two.
            var slots = Array(repeating: 0.0, count: width * 2 - shown.count)
            slots.append(contentsOf: shown.map(share))
            for cell in 0..<width where cell * 2 + 1 >= width * 2 - shown.count {
                let pair = (slots[cell * 2], slots[cell * 2 + 1])
                let high = max(pair.0, pair.1)
                let scalar = glyphs.braille(left: Self.dots(pair.0, of: 4), right: Self.dots(pair.1, of: 4))
                if high == 0 {
                    set(x + cell, y, Cluster(scalar: 0x28C0, width: 1), Style(.track))
                } else {
                    set(x + cell, y, Cluster(scalar: scalar, width: 1), Style(gradient.ink(high)))
                }
            }
        } else {
            for (index, value) in shown.enumerated() {
                let part = share(value)
                let column = x + width - shown.count + index
                let level = Self.dots(part, of: 8)
                if level == 0 {
                    let base: UInt32 = ladder == .ascii ? 0x5F : ladder == .shades ? 0x20 : 0x2581
                    set(column, y, Cluster(scalar: base, width: 1), Style(.track))
                } else {
                    set(column, y, Cluster(scalar: glyphs.lowerEighths(level), width: 1), Style(gradient.ink(part)))
                }
            }
        }
    }

    /// A filled graph over several rows, the newest at the right edge, coloured by height.
    public mutating func graph(
        _ rect: Rect, _ values: [Double], maximum: Double? = nil, _ gradient: Gradient = .between(.accent, .good)
    ) {
        guard !rect.isEmpty else { return }
        let dense = glyphs.ladder == .braille
        let steps = dense ? 4 : 8
        let slots = dense ? rect.width * 2 : rect.width
        let shown = Array(values.suffix(slots))
        let peak = maximum ?? shown.max() ?? 0
        var levels = Array(repeating: 0, count: slots - shown.count)
        for value in shown {
            let share = value.isFinite && value > 0 && peak > 0 ? min(1, value / peak) : 0
            levels.append(Self.dots(share, of: steps * rect.height))
        }
        for row in 0..<rect.height {
            let floor = (rect.height - 1 - row) * steps
            let style = Style(gradient.ink(Double(rect.height - row) / Double(rect.height)))
            for column in 0..<rect.width {
                let scalar: UInt32
                if dense {
                    let left = min(4, max(0, levels[column * 2] - floor))
                    let right = min(4, max(0, levels[column * 2 + 1] - floor))
                    if left + right == 0 { continue }
                    scalar = glyphs.braille(left: left, right: right)
                } else {
                    let level = min(8, max(0, levels[column] - floor))
                    if level == 0 { continue }
                    scalar = glyphs.ladder == .ascii ? (level >= 4 ? 0x23 : 0x2E) : glyphs.lowerEighths(level)
                }
                set(rect.x + column, rect.y + row, Cluster(scalar: scalar, width: 1), style)
            }
        }
    }

    /// A gauge filled from the left in eighths of a cell, on a track that is nearly the background.
    /// - Parameter fraction: 0...1, clamped; NaN shows as empty. More than nothing shows at least an eighth, less than all
    ///   leaves at least an eighth.
    public mutating func gauge(
        _ x: Int, _ y: Int, width: Int, _ fraction: Double, _ gradient: Gradient = .solid(.accent)
    ) {
        guard width > 0 else { return }
        let share = fraction.isNaN ? 0 : min(1, max(0, fraction))
        var eighths = Int((share * Double(width * 8)).rounded())
        if share > 0 { eighths = max(1, eighths) }
        if share < 1 { eighths = min(width * 8 - 1, eighths) }
        let ascii = glyphs.ladder == .ascii
        for cell in 0..<width {
            let filled = min(8, max(0, eighths - cell * 8))
            let ink = gradient.ink(Double(cell + 1) / Double(width))
            if filled == 0 {
                set(x + cell, y, Cluster(scalar: ascii ? 0x2E : 0x20, width: 1), Style(.faint, on: .track))
            } else {
                set(x + cell, y, Cluster(scalar: glyphs.leftEighths(filled), width: 1), Style(ink, on: .track))
            }
        }
    }

    /// A gauge as a thin line in half cells, which leaves air between rows: for tables. Where the terminal has no such
    /// glyphs it is an ordinary gauge.
    public mutating func lineGauge(
        _ x: Int, _ y: Int, width: Int, _ fraction: Double, _ gradient: Gradient = .solid(.accent)
    ) {
        guard glyphs.ladder >= .eighths else { return gauge(x, y, width: width, fraction, gradient) }
        guard width > 0 else { return }
        let share = fraction.isNaN ? 0 : min(1, max(0, fraction))
        var halves = Int((share * Double(width * 2)).rounded())
        if share > 0 { halves = max(1, halves) }
        if share < 1 { halves = min(width * 2 - 1, halves) }
        for cell in 0..<width {
            let filled = halves - cell * 2
            // Heavy line, heavy left half with light right half, light track: told apart without any colour.
            let scalar: UInt32 = filled > 1 ? 0x2501 : filled == 1 ? 0x257E : 0x2500
            let ink = filled > 0 ? gradient.ink(Double(cell + 1) / Double(width)) : .track
            set(x + cell, y, Cluster(scalar: scalar, width: 1), Style(ink))
        }
    }

    /// A bar whose length is its value's share of a maximum: a gauge without a track.
    public mutating func bar(_ x: Int, _ y: Int, width: Int, _ fraction: Double, _ gradient: Gradient = .solid(.accent))
    {
        guard width > 0 else { return }
        let share = fraction.isNaN ? 0 : min(1, max(0, fraction))
        var eighths = Int((share * Double(width * 8)).rounded())
        if share > 0 { eighths = max(1, eighths) }
        for cell in 0..<width where eighths > cell * 8 {
            let scalar = glyphs.leftEighths(min(8, eighths - cell * 8))
            set(x + cell, y, Cluster(scalar: scalar, width: 1), Style(gradient.ink(Double(cell + 1) / Double(width))))
        }
    }

    /// The heat ramp with its ends in words: `0 ▄▄▄▄▄▄▄▄ 9.1k/s`. ASCII shows digits 0...9 for the steps.
    /// - Returns: the column after it.
    @discardableResult
    public mutating func heatLegend(_ x: Int, _ y: Int, width: Int, low: String, high: String) -> Int {
        var column = put(x, y, low + " ", Style(.dim))
        for cell in 0..<max(0, width) {
            let share = width > 1 ? Double(cell) / Double(width - 1) : 1
            put(column, y, glyphs.isUnicode ? "█" : "\(Int(share * 9))", Style(.heat(share)))
            column += 1
        }
        column = put(column, y, " " + high, Style(.dim))
        return column
    }

    /// Rounds a share to dots: more than nothing is at least one.
    private static func dots(_ share: Double, of steps: Int) -> Int {
        share > 0 ? min(steps, max(1, Int((share * Double(steps)).rounded()))) : 0
    }
}
