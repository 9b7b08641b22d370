import Inventory
import Reconciliation
import Redis
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

/// What the masters use and may use.
struct MemoryBook {
    /// One value every two seconds.
    static let historyMax = 60

    private(set) var used: [String: Int64] = [:]
    /// `maxmemory` of each node, else all that its machine has.
    var limits: [String: Int64] { own.merging(machines) { limit, _ in limit } }
    /// Where a server has a limit of its own.
    private(set) var own: [String: Int64] = [:]
    private var machines: [String: Int64] = [:]
    private(set) var history: [Float] = []

    /// Reads what `INFO memory` says.
    mutating func take(_ info: String, of address: String) {
        let info = RedisInfo(info)
        if let bytes = info.int("used_memory") { used[address] = bytes }
        if let bytes = info.int("maxmemory") { own[address] = bytes > 0 ? bytes : nil }
        if let bytes = info.int("total_system_memory") { machines[address] = bytes }
    }

    mutating func note() {
        guard let usedBytes else { return }
        history.append(Float(usedBytes))
        if history.count > Self.historyMax { history.removeFirst() }
    }

    var usedBytes: Int64? { used.isEmpty ? nil : used.values.reduce(0, +) }

    /// Of all masters that have been heard. Servers without a limit of their own that name the same size are taken to share one
    /// machine: the forecast is then too early rather than too late.
    var limitBytes: Int64? {
        guard !used.isEmpty else { return nil }
        let limited = used.keys.compactMap { own[$0] }.reduce(0, +)
        let shared = Set(used.keys.filter { own[$0] == nil }.compactMap { machines[$0] }).reduce(0, +)
        return limited + shared > 0 ? limited + shared : nil
    }
}
