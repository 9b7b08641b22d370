import Telemetry

/// What has been read of somebody else's SKUs, each at its own time, and the rates that follow.
///
/// Sold is what was seen to go since the first look: entries that came into the ledger, or, without one, units that left the stock.
/// What comes back (a restock, a cancelled order) is no negative sale.
struct ForeignBook {
    static let historyMax = 60
    static let hourMax = 360
    static let hourStepSeconds = 10
    /// SKUs with a history; those that sell come first.
    static let ringsMax = 20_000
    static let hoursMax = 4_096
    /// A rate that was not read anew for longer than this many sweeps is not known any more.
    private static let unread = -Double.infinity

    struct Entry {
        /// Units, as the last read said; `nil`: never read, or no number there.
        var stock: Int64?
        /// The most that was ever seen: what there was to sell, as far as anybody can tell.
        var stockMax: Int64 = 0
        var ledger: Int64?
        /// Units or entries that were seen to go.
        var sold: Int64 = 0
        var rate = 0.0
        var readAt = ForeignBook.unread
    }

    /// What a read brought.
    struct Reading: Sendable {
        var position: Int
        /// `nil`: the key is not there, or holds no whole number.
        var stock: Int64?
        /// `nil`: no ledger is read.
        var ledger: Int64?
    }

    private(set) var entries: [Entry] = []
    private var rings: [Int32: [Float]] = [:]
    private var idle: [Int32: Int] = [:]
    private var hours: [Int32: [Float]] = [:]
    private var seconds = 0
    private var soldBySecond: [Float] = []
    /// Everything that was seen to go.
    private(set) var sold: Int64 = 0
    private(set) var history: [Float] = []

    mutating func grow(to count: Int) {
        while entries.count < count { entries.append(Entry()) }
    }

    /// - Parameter at: seconds since some fixed moment, not falling.
    mutating func take(_ reading: Reading, at seconds: Double) {
        guard entries.indices.contains(reading.position) else { return }
        var entry = entries[reading.position]
        var gone: Int64 = 0
        if entry.readAt != Self.unread {
            if let now = reading.ledger {
                if let before = entry.ledger { gone = max(0, now - before) }
            } else if let now = reading.stock, let before = entry.stock {
                gone = max(0, before - now)
            }
            let span = seconds - entry.readAt
            // Two reads of the same moment say nothing about a rate.
            if span > 0.05 { entry.rate = Double(gone) / span } else { entry.rate = max(entry.rate, 0) }
        }
        entry.sold += gone
        sold += gone
        // A stock that cannot be read keeps no old number: nobody knows it.
        entry.stock = reading.stock
        if let ledger = reading.ledger { entry.ledger = ledger }
        entry.stockMax = max(entry.stockMax, reading.stock ?? 0)
        entry.readAt = seconds
        entries[reading.position] = entry
        if entry.rate > 0, rings[Int32(reading.position)] == nil, rings.count < Self.ringsMax {
            // It sold nothing until now, as far as it was read.
            rings[Int32(reading.position)] = Array(repeating: 0, count: min(self.seconds, Self.historyMax))
            if hours.count < Self.hoursMax {
                hours[Int32(reading.position)] = Array(
                    repeating: 0, count: min(self.seconds / Self.hourStepSeconds, Self.hourMax))
            }
        }
    }

    /// A second has passed: every history gets its next value.
    mutating func tick() {
        var all = 0.0
        for position in Array(rings.keys) {
            let rate = entries[Int(position)].rate
            all += rate
            Self.push(Float(rate), to: &rings[position]!, max: Self.historyMax)
            idle[position] = rate > 0 ? 0 : idle[position, default: 0] + 1
            if idle[position]! >= Self.historyMax, hours[position] == nil {
                rings[position] = nil
                idle[position] = nil
            }
        }
        Self.push(Float(all), to: &history, max: Self.historyMax)
        seconds += 1
        guard seconds % Self.hourStepSeconds == 0 else { return }
        for position in Array(hours.keys) {
            let last = rings[position]?.suffix(Self.hourStepSeconds) ?? []
            Self.push(last.reduce(0, +) / Float(max(1, last.count)), to: &hours[position]!, max: Self.hourMax)
            if idle[position, default: 0] >= Self.hourMax * Self.hourStepSeconds {
                hours[position] = nil
                rings[position] = nil
                idle[position] = nil
            }
        }
    }

    func history(_ position: Int) -> [Float] { rings[Int32(position)] ?? [] }
    func hour(_ position: Int) -> [Float] { hours[Int32(position)] ?? [] }

    /// Positions that sell, hottest first.
    func hottest(_ limit: Int) -> [Int] {
        Array(
            rings.keys.map { Int($0) }.filter { entries[$0].rate > 0 }
                .sorted { (entries[$1].rate, $0) < (entries[$0].rate, $1) }.prefix(limit))
    }

    /// Of all SKUs together, by what each said last.
    var perSecond: Double { history.last.map(Double.init) ?? 0 }

    private static func push(_ value: Float, to values: inout [Float], max limit: Int) {
        values.append(value)
        if values.count > limit { values.removeFirst(values.count - limit) }
    }
}
