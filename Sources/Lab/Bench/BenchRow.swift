import Inventory

/// What `sellout bench` measures, in the order of its table.
public enum BenchRow: String, CaseIterable, Sendable, Codable {
    case papersScript = "papers-script"
    case ownScriptRedisBenchmark = "own-script-redis-benchmark"
    case oneOrderPerCall = "one-order-per-call"
    case combined64 = "combined-64"
    case combined256 = "combined-256"
    case combined1024 = "combined-1024"
    case combined4096 = "combined-4096"
    case lines3 = "lines-3"
    case lines10 = "lines-10"
    case zipf1000SKUs = "zipf-1000-skus"
    case soldOut = "sold-out"
    case memory
    case aofEverySecond = "aof-everysec"
    case aofAlways = "aof-always"
    case replicated1 = "replicated-1"
    case durableSQLite = "durable-sqlite"
    case sqliteConditionalUpdate = "sqlite-conditional-update"
    case cluster3 = "cluster-3"

    /// One line for people.
    public var explanation: String {
        switch self {
        case .papersScript: "redis-benchmark, the papers' script: one order a call, no fence, no outbox"
        case .ownScriptRedisBenchmark: "redis-benchmark, our script: one order a call"
        case .oneOrderPerCall: "the engine, one order a call, 1,024 callers"
        case .combined64: "the engine, one hot SKU, 64 callers"
        case .combined256: "the engine, one hot SKU, 256 callers"
        case .combined1024: "the engine, one hot SKU, 1,024 callers"
        case .combined4096: "the engine, one hot SKU, 4,096 callers"
        case .lines3: "orders of 3 lines in one bucket, 1,024 callers"
        case .lines10: "orders of 10 lines in one bucket, 1,024 callers"
        case .zipf1000SKUs: "1,000 SKUs in 16 buckets, Zipf 1.0, 1,024 callers"
        case .soldOut: "refusals of a SKU that is sold out"
        case .memory: "16 SKUs in 4 buckets, 4,096 callers: yes once the script ran"
        case .aofEverySecond: "the same, append-only file synced every second"
        case .aofAlways: "the same, append-only file synced before every answer"
        case .replicated1: "the same, yes once one replica has it"
        case .durableSQLite: "the same, yes once SQLite committed it with synchronous=FULL"
        case .sqliteConditionalUpdate: "no Redis: one UPDATE … WHERE stock >= q and one INSERT a transaction"
        case .cluster3: "1,000 SKUs in 16 buckets on three masters, Zipf 1.0, 1,024 callers"
        }
    }

    /// What an engine does in this row; `nil`: no engine of ours runs.
    var load: EngineLoad? {
        var load = EngineLoad()
        switch self {
        case .papersScript, .ownScriptRedisBenchmark, .sqliteConditionalUpdate: return nil
        case .oneOrderPerCall: load.isCombined = false
        case .combined64: load.callers = 64
        case .combined256: load.callers = 256
        case .combined1024: break
        case .combined4096: load.callers = 4_096
        case .lines3: (load.skus, load.lines) = (3, 3)
        case .lines10: (load.skus, load.lines) = (10, 10)
        case .soldOut:
            load.units = 1
            load.callers = 64
            load.countsRefusals = true
        case .zipf1000SKUs, .cluster3:
            (load.skus, load.buckets) = (1_000, 16)
            load.zipfExponent = 1
        case .memory, .aofEverySecond, .aofAlways, .replicated1, .durableSQLite:
            load.callers = 4_096
            (load.skus, load.buckets) = (16, 4)
        }
        switch self {
        case .aofEverySecond: load.appendOnly = .everySecond
        case .aofAlways: load.appendOnly = .always
        case .replicated1: load.durability = .replicated(1)
        case .durableSQLite: load.durability = .durable
        default: break
        }
        if load.appendOnly != .off { load.durability = .aof }
        return load
    }
}

/// A sale and the callers that press on it.
struct EngineLoad: Sendable {
    /// Buyers who each wait for an answer before they ask again.
    var callers = 1_024
    var skus = 1
    var buckets = 1
    /// Lines of each order, all in one bucket.
    var lines = 1
    /// Units of each SKU.
    var units: Int64 = 1_000_000_000
    /// How demand is spread over the SKUs; `nil`: evenly.
    var zipfExponent: Double?
    var durability = Durability.memory
    var appendOnly = ServerOptions.AppendOnly.off
    /// False: every order is a call of its own.
    var isCombined = true
    /// Whether refusals are what is counted.
    var countsRefusals = false
    /// Orders a second over all callers; `nil`: as many as they can.
    var ordersPerSecond: Double?
}
