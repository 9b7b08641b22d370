/// What each kind of work asks of Redis, command by command, and the ACL rules that allow just that.
public enum AccessRole: String, Sendable, CaseIterable {
    /// Looks; can write nothing.
    case watcher
    /// Looks, freezes, thaws, restocks, halts.
    case `operator`
    /// Sells, gives back, drains, recovers, repairs.
    case engine
    /// Looks at keys that are not ours, without SQL.
    case foreignWatcher
}

/// One command that some work needs.
public struct AccessNeed: Sendable, Hashable {
    /// As an ACL rule grants it: `+info`, `+cluster|slots`.
    public let rule: String
    /// A form of it to try; `KEY` stands for a key of the sale.
    public let words: [String]
    /// Whether trying that form changes nothing and costs nothing.
    public let isHarmless: Bool

    init(_ rule: String, _ words: String, isHarmless: Bool = false) {
        self.rule = rule
        self.words = words.split(separator: " ").map(String.init)
        self.isHarmless = isHarmless
    }
}

extension AccessRole {
    private static let base: [AccessNeed] = [
        AccessNeed("+ping", "PING", isHarmless: true),
        AccessNeed("+client|setname", "CLIENT SETNAME sellout", isHarmless: true),
        AccessNeed("+info", "INFO server", isHarmless: true),
        // Known by a single server, too, which then says that it has none.
        AccessNeed("+cluster|slots", "CLUSTER SLOTS", isHarmless: true),
    ]

    private static let keyReads: [AccessNeed] = [
        AccessNeed("+mget", "MGET KEY", isHarmless: true), AccessNeed("+hlen", "HLEN KEY", isHarmless: true),
        AccessNeed("+pttl", "PTTL KEY", isHarmless: true), AccessNeed("+scan", "SCAN 0 COUNT 1", isHarmless: true),
        AccessNeed("+dbsize", "DBSIZE", isHarmless: true),
    ]

    /// Scripts read in one piece what must agree.
    private static let scriptReads: [AccessNeed] = [
        AccessNeed("+script|load", "SCRIPT LOAD return"),
        AccessNeed("+script|exists", "SCRIPT EXISTS 0", isHarmless: true), AccessNeed("+evalsha", "EVALSHA 0 1 KEY"),
        AccessNeed("+eval", "EVAL return 1 KEY"), AccessNeed("+get", "GET KEY", isHarmless: true),
        AccessNeed("+exists", "EXISTS KEY", isHarmless: true), AccessNeed("+hget", "HGET KEY f", isHarmless: true),
        AccessNeed("+hmget", "HMGET KEY f", isHarmless: true),
        AccessNeed("+hscan", "HSCAN KEY 0 COUNT 1", isHarmless: true),
        AccessNeed("+xinfo|stream", "XINFO STREAM KEY", isHarmless: true),
        AccessNeed("+xrange", "XRANGE KEY + + COUNT 1", isHarmless: true),
        AccessNeed("+time", "TIME", isHarmless: true),
    ]

    private static let acts: [AccessNeed] = [
        AccessNeed("+hset", "HSET KEY f v"), AccessNeed("+hdel", "HDEL KEY f"), AccessNeed("+incrby", "INCRBY KEY 1"),
        AccessNeed("+xadd", "XADD KEY * f v"),
    ]

    private static let sales: [AccessNeed] = [
        AccessNeed("+decrby", "DECRBY KEY 1"), AccessNeed("+mset", "MSET KEY v"), AccessNeed("+set", "SET KEY v"),
        AccessNeed("+del", "DEL KEY"), AccessNeed("+unlink", "UNLINK KEY"), AccessNeed("+xtrim", "XTRIM KEY MAXLEN 1"),
        AccessNeed("+hexists", "HEXISTS KEY f", isHarmless: true), AccessNeed("+type", "TYPE KEY", isHarmless: true),
        AccessNeed("+wait", "WAIT 0 1", isHarmless: true),
    ]

    /// Every command that it takes.
    public var needs: [AccessNeed] {
        switch self {
        case .foreignWatcher: Self.base + Self.keyReads
        case .watcher: Self.base + Self.keyReads + Self.scriptReads
        case .operator: Self.base + Self.keyReads + Self.scriptReads + Self.acts
        case .engine: Self.base + Self.keyReads + Self.scriptReads + Self.acts + Self.sales
        }
    }

    /// `asking` follows a key that is on its way to another node.
    private static let silent = ["+asking"]

    /// Keys of a sale of ours.
    public static let saleKeys = ["~ss_*", "~sx_*", "~sc_*", "~so_*"]

    /// The rules as `ACL SETUSER` takes them, the user and its password left out.
    /// - Parameter foreign: whose keys a watcher of what is not ours may read.
    public func rules(foreign: ForeignKeys? = nil) -> [String] {
        let keys =
            self == .foreignWatcher
            ? [foreign?.stock.readRule ?? "%R~stock:*"] + (foreign?.ledger.map { [$0.readRule] } ?? []) : Self.saleKeys
        return ["resetkeys", "resetchannels", "-@all"] + keys + needs.map(\.rule) + Self.silent
    }

    /// One line for `redis-cli`. Quoted, since patterns hold what a shell would read.
    public func line(foreign: ForeignKeys? = nil) -> String {
        let name = self == .foreignWatcher ? "onlooker" : rawValue
        let rules = rules(foreign: foreign).map { $0.contains { "~*|%".contains($0) } ? "'\($0)'" : $0 }
        return "ACL SETUSER \(name) on '>PASSWORD' \(rules.joined(separator: " "))"
    }
}
