/// What "yes" means to a buyer; chosen per sale.
///
/// | level | yes is said after |
/// |---|---|
/// | `memory` | the script ran in Redis |
/// | `aof` | the script ran in a Redis that keeps an append-only file; how often that reaches the disk is the server's own setting |
/// | `replicated(n)` | `WAIT` counted n replicas that have it |
/// | `durable` | SQL committed the order |
///
/// Written `memory`, `aof`, `replicated:2`, `durable`: in SQL, on the command line, on the screen.
public enum Durability: Hashable, Sendable {
    case memory
    case aof
    /// 1 … `replicasMax` replicas.
    case replicated(Int)
    case durable

    /// Replicas that a yes can ask for.
    public static let replicasMax = 8
    /// The levels that ask nothing of the server: they hold on any Redis.
    public static let anywhere: [Durability] = [.memory, .durable]
}

extension Durability: RawRepresentable {
    public init?(rawValue: String) {
        switch rawValue {
        case "memory": self = .memory
        case "aof": self = .aof
        case "durable": self = .durable
        default:
            let parts = rawValue.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0] == "replicated", parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
                let replicas = Int(parts[1]), (1...Self.replicasMax).contains(replicas)
            else { return nil }
            self = .replicated(replicas)
        }
    }

    public var rawValue: String {
        switch self {
        case .memory: "memory"
        case .aof: "aof"
        case .replicated(let replicas): "replicated:\(replicas)"
        case .durable: "durable"
        }
    }
}

extension Durability: Codable {}

extension Durability {
    /// Replicas that must have an order before its yes; 0: none is asked.
    public var replicas: Int { if case .replicated(let replicas) = self { replicas } else { 0 } }

    /// One line for people: when yes is said, and what a crash can take.
    public var promise: String {
        switch self {
        case .memory: "yes is said after Redis took it: a crash loses what SQL does not have"
        case .aof: "yes is said after Redis took it, append-only file on: a crash loses at most its unsynced end"
        case .replicated(let replicas):
            "yes is said after \(replicas.counted("replica")) had it: losing them all loses what SQL does not have"
        case .durable: "yes is said after SQL committed: a crash loses no order"
        }
    }
}
