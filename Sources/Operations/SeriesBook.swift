import Inventory
import Reconciliation
import Telemetry

/// Values over time for the large screens, one a second, and one for each comparison.
struct SeriesBook {
    static let secondsMax = 120
    static let comparisonsMax = 120

    private(set) var backlog: [Float] = []
    private(set) var lag: [Float] = []
    private(set) var drift: [WarRoomSnapshot.DriftPoint] = []
    private var last = -Double.infinity

    mutating func add(at seconds: Double, backlog entries: Int64, lag milliseconds: Double) {
        guard seconds - last >= 1 else { return }
        last = seconds
        backlog.append(Float(entries))
        lag.append(Float(milliseconds))
        if backlog.count > Self.secondsMax { backlog.removeFirst() }
        if lag.count > Self.secondsMax { lag.removeFirst() }
    }

    /// A comparison that is there already is not noted again.
    mutating func add(_ comparison: Comparison) {
        guard comparison.atMilliseconds != drift.last?.atMilliseconds else { return }
        drift.append(
            WarRoomSnapshot.DriftPoint(
                atMilliseconds: comparison.atMilliseconds, units: comparison.driftUnits,
                byKind: comparison.unitsByKind.filter { $0.value != 0 }))
        if drift.count > Self.comparisonsMax { drift.removeFirst() }
    }
}

/// What the masters use and may use, and when that is full.
struct MemoryBook {
    /// One value every two seconds.
    static let historyMax = 60

    private(set) var used: [String: Int64] = [:]
    /// Where a server has a limit of its own.
    private(set) var limits: [String: Int64] = [:]
    /// What its machine has, where it has none.
    private var machines: [String: Int64] = [:]
    private(set) var history: [Float] = []
    private var times: [Double] = []

    /// Reads what `INFO memory` says.
    mutating func take(_ info: String, of address: String) {
        for line in info.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":"), let bytes = Int64(line[line.index(after: colon)...]) else {
                continue
            }
            switch line[..<colon] {
            case "used_memory": used[address] = bytes
            case "maxmemory": limits[address] = bytes > 0 ? bytes : nil
            case "total_system_memory": machines[address] = bytes
            default: break
            }
        }
    }

    mutating func note(at seconds: Double) {
        guard let usedBytes else { return }
        history.append(Float(usedBytes))
        times.append(seconds)
        if history.count > Self.historyMax {
            history.removeFirst()
            times.removeFirst()
        }
    }

    var usedBytes: Int64? { used.isEmpty ? nil : used.values.reduce(0, +) }

    /// What each node may use: its own limit, else all that its machine has.
    var limitsByNode: [String: Int64] { machines.merging(limits) { $1 } }

    /// Of all masters that have been heard; one machine's memory counts once, however many servers share it: there is no telling
    /// whether equal sizes are one machine, so the smaller sum is taken.
    var limitBytes: Int64? {
        guard !used.isEmpty else { return nil }
        let own = used.keys.compactMap { limits[$0] }.reduce(0, +)
        let unlimited = used.keys.filter { limits[$0] == nil }
        let shared = Set(unlimited.compactMap { machines[$0] }).reduce(0, +)
        return own + shared > 0 ? own + shared : nil
    }

    /// At the growth of what is kept; `nil` while it does not grow by at least a kilobyte a second over ten seconds.
    var fullSeconds: Double? {
        guard let limit = limitBytes, let last = history.last, let first = history.first, let from = times.first,
            let to = times.last, to - from >= 10
        else { return nil }
        let growth = Double(last - first) / (to - from)
        guard growth >= 1_000 else { return nil }
        return max(0, (Double(limit) - Double(last)) / growth)
    }
}
