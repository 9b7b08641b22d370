import Redis
import SaleRig
import Testing

/// Commands at random on a real server and on the model.
@Suite("The Redis model's commands", .timeLimit(.minutes(5)))
struct CommandTests {
    @Test("answer as a real server's do", arguments: [1, 2, 3, 20_261_121] as [UInt64])
    func atRandom(seed: UInt64) async throws {
        try await Twin.with { twin async throws in
            var writer = CommandWriter(numbers: Numbers(state: seed))
            for _ in 0..<60 { await twin.tell(all: (0..<200).map { _ in writer.command() }) }
            #expect(twin.port.compared > 10_000)
        }
    }

    /// What a random walk would hardly meet.
    static let corners = [
        "xadd q nomkstream 1-1 a b", "xadd q 1-1 a b", "xadd q 1-1 a b", "xadd q 0-0 a b", "xadd q 1-0 a b",
        "xadd q 1 a b",
        "xadd q 2-* a b", "xadd q 2-* a b", "xadd q 1-* a b", "xadd q 1-x a b", "xadd q 1-1 a",
        "xadd q nomkstream 1-1 a",
        "xadd q maxlen 1-1 a", "xadd q maxlen = 2 2-9 a b", "xadd q maxlen 2 minid 4 2-10 a b", "xlen q",
        "xinfo stream q", "xinfo stream none", "xinfo foo q", "xinfo", "xrange q - +", "xrange q (2-0 + count 1",
        "xrange q (1-1 2", "xrange q x +", "xrange q - + count 0", "xrange none - + count 0", "xrange q - + count -1",
        "xrange q - + count x", "xrange q - + foo 1", "xrange q (18446744073709551615-18446744073709551615 +",
        "xrange q - (0-0", "xrange q 3 1", "xtrim q minid 2-1", "xtrim q minid = 2-9", "xadd q 2-11 a b",
        "xtrim q minid ~ 2-10", "xtrim q minid ~ 9",
        "xtrim q minid 2 limit 3", "xtrim q minid ~ 2 limit 3", "xtrim q foo 2", "xtrim q minid x",
        "xtrim none minid 3",
        "xtrim q maxlen 1", "xtrim q maxlen -1", "xdel q 2-0 2-10", "xdel q x", "xdel none x", "xinfo stream q",
        "xadd q 18446744073709551615-18446744073709551615 a b", "xadd q * a b", "xread count 1 streams q 0",
        "xread streams q $", "xread streams q none 0 0", "xread streams q 0 0", "xread foo streams q 0",
        "set s abc", "set n 10", "incrby n 9223372036854775807", "incrby n x", "incrby s 1", "incrby n 1.5",
        "decrby n -9223372036854775808", "decrby n 3", "mset n 4 m 5", "mset n", "mset n 1 m", "mget n m none",
        "decr n", "incr n", "incrby n +1", "incrby n 01", "hset h a",
        "hset h a 1 b 2 a 3", "hset s a 1", "hmget s a", "hmget none a b", "hget none a", "hexists none a", "hlen s",
        "hgetall none", "hscan none 0", "hscan none x", "hscan s 0", "hscan h 0 count 1", "hscan h x",
        "hscan h 0 count 0",
        "hscan h 0 count x", "hscan h 0 foo 1", "hscan h 0 match a", "hscan h 0 match", "hincrby h a 5",
        "hincrby h b x",
        "hincrby h a 9223372036854775807", "hset h z z", "hincrby h z 1", "hdel h a zz b", "hdel h z", "exists h s s",
        "type h", "type s", "type q", "get q", "xadd s 1-1 a b", "xrange s - +", "xlen s", "xtrim s minid 1",
        "xinfo stream s", "del s n m none", "unlink q", "set a", "set a b nx", "set a c nx", "set a c xx get",
        "set a b foo", "set a b nx xx", "setnx a b", "append a x", "strlen a", "mget a none h", "nosuch a b", "nosuch",
        "get",
        "hget a", "ttl a", "ttl none", "pttl a", "keys *", "keys [a-c]*", "keys ?", "dbsize", "scan 0", "scan x",
        "flushall foo",
        "flushall async", "dbsize", "ping", "ping x", "ping x y", "echo a", "echo", "wait x 0", "wait 0 0", "wait 0",
        "wait 0 -1",
        "role", "client setname x", "select 0", "script", "script foo", "script load", "script exists",
        "script exists e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "script flush foo", "script flush",
        "script flush async",
        "evalsha 7413dc2440db1fea7c0a0bde841fa68eefaf149c 0", "evalsha 7413dc 0", "evalsha 7413dc x", "eval return -1",
        "eval return 1 a", "eval return x", "config get maxmemory", "config get appendonly",
        "config get maxmemory-policy",
        "config", "config get", "config foo",
    ]

    @Test("answer as a real server's do in the corners") func corners() async throws {
        try await Twin.with { twin async throws in
            for line in Self.corners { await twin.tell(line.split(separator: " ").map { Array($0.utf8) }) }
            #expect(twin.port.compared >= Self.corners.count)
        }
    }

    @Test("a long hash keeps its fields, and pages of a scan hold each at least once") func longHash() async throws {
        try await Twin.with { twin async throws in
            var numbers = Numbers(state: 5)
            for _ in 0..<40 {
                var words = ["HSET", "long"]
                for _ in 0..<50 { words += ["f\(numbers.below(3_000))", "\(numbers.below(10))"] }
                await twin.tell(words.map { Array($0.utf8) })
                await twin.tell(["HDEL", "long", "f\(numbers.below(3_000))"].map { Array($0.utf8) })
            }
            await twin.tell("HGETALL", "long")
            await twin.tell("HLEN", "long")
        }
    }
}

/// Commands over few keys, fields and ids, so that they meet; now and then in a script.
struct CommandWriter {
    var numbers: Numbers

    private mutating func key() -> String { numbers.one(of: ["a", "b", "c", "q1", "q2", "h1", "h2"]) }
    private mutating func field() -> String { numbers.one(of: ["#", "f", "g", "i", "", "\u{1}\u{2}"]) }
    private mutating func value() -> String {
        numbers.one(of: [
            "0", "1", "-1", "7", "12", "x", "", "1.5", " 1", "01", "+1", "-0", "9223372036854775807",
            "-9223372036854775808", "9223372036854775808", "a longer text with blanks",
        ])
    }
    private mutating func id() -> String {
        numbers.one(of: [
            "\(numbers.below(30))-\(numbers.below(4))", "\(numbers.below(30))", "0", "x", "5-x", "-", "+", "(3-1", "",
        ])
    }
    private mutating func many(_ limit: Int, _ make: (inout CommandWriter) -> [String]) -> [String] {
        (0..<(1 + numbers.below(limit))).flatMap { _ in make(&self) }
    }

    private mutating func words() -> [String] {
        let key = key()
        switch numbers.below(34) {
        case 0: return ["SET", key, value()]
        case 1: return ["GET", key]
        case 2: return ["INCRBY", key, value()]
        case 3: return ["DECRBY", key, value()]
        case 4, 5, 6: return ["HSET", key] + many(4) { [$0.field(), $0.value()] }
        case 7, 8: return ["HMGET", key] + many(4) { [$0.field()] }
        case 9: return ["HGET", key, field()]
        case 10: return ["HDEL", key] + many(3) { [$0.field()] }
        case 11: return ["HEXISTS", key, field()]
        case 12: return ["HLEN", key]
        case 13: return ["HGETALL", key]
        case 14: return ["HINCRBY", key, field(), value()]
        case 15: return ["HSCAN", key, "0", "COUNT", value()]
        case 16, 17, 18:
            return ["XADD", key] + (numbers.below(2) == 0 ? ["NOMKSTREAM"] : [])
                + ["\(numbers.below(200))-\(numbers.below(3))"] + many(2) { [$0.field(), $0.value()] }
        case 19: return ["XADD", key, id(), field(), value()]
        case 20, 21: return ["XRANGE", key, id(), id()] + (numbers.below(2) == 0 ? ["COUNT", value()] : [])
        case 22: return ["XREVRANGE", key, "+", "-", "COUNT", "2"]
        case 23: return ["XTRIM", key, "MINID", id()]
        case 24: return ["XINFO", "STREAM", key]
        case 25: return ["XLEN", key]
        case 26: return ["XDEL", key] + many(2) { [$0.id()] }
        case 27: return ["XREAD", "COUNT", "3", "STREAMS", key, id()]
        case 28: return numbers.below(3) == 0 ? ["DEL", key, self.key()] : ["UNLINK", key]
        case 29: return ["EXISTS", key, self.key()]
        case 30: return ["TYPE", key]
        case 31: return ["KEYS", "*"]
        case 32: return numbers.below(20) == 0 ? ["FLUSHALL"] : ["DBSIZE"]
        default: return ["HSETNX", key, field(), value()]
        }
    }

    mutating func command() -> [[UInt8]] {
        // Lines whose order the two do not share stay out of scripts, where nobody sorts them.
        let words = words()
        let isOpen = ["KEYS", "HGETALL", "HSCAN", "XINFO"].contains(words[0])
        let source: String? =
            switch numbers.below(isOpen ? 1 : 8) {
            case 1: "return redis.call(unpack(ARGV))"
            case 2: "return redis.pcall(unpack(ARGV))"
            case 3: "local a = redis.call(unpack(ARGV)) return {type(a), a, a}"
            case 4: "local a = {pcall(redis.call, unpack(ARGV))} return {tostring(a[1]), type(a[2]), a[2]}"
            default: nil
            }
        return ((source.map { ["EVAL", $0, "0"] } ?? []) + words).map { Array($0.utf8) }
    }
}
