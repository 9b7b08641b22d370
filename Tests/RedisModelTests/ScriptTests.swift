import Redis
import SaleRig
import Testing

/// Scripts on a real server and on the model.
@Suite("The Redis model's scripts", .timeLimit(.minutes(5)))
struct ScriptTests {
    /// Each is run with the keys s (a string), h (a hash), q (a stream) and the arguments 1, x and the bytes 0 to 255.
    static let sources = [
        // Values.
        "return 1", "return 1.9", "return -1.9", "return 1e14", "return 2^53", "return 1/0", "return -1/0",
        "return 'x'",
        "return ''", "return true", "return false", "return nil", "return", "return {}",
        "return {1, 'x', {2, {}}, true, false}",
        "return {1, nil, 3}", "return {ok = 'fine'}", "return {err = 'boom'}", "return {err = 'boom bam'}",
        "return {ok = 1}",
        "return {err = 5, 1}", "return {{err = 'in'}, {ok = 'in'}}", "return {a = 1}", "return print", "return KEYS",
        "return ARGV", "return #ARGV[3]", "return ARGV[3]", "return KEYS[4]", "return tostring(1e14)",
        "return 1e14 .. ''",
        "return string.format('%d', 1e14)", "return string.format('%.3f', 2/3)", "return {ok = 'two\\nlines'}",
        "return {err = 'two\\r\\nlines'}",
        // Calls.
        "return redis.call('hget', 's', 'a')", "\n\nreturn redis.call('hget', 's', 'a')",
        "return redis.pcall('hget', 's', 'a')",
        "return redis.pcall('hget', 's', 'a').err", "return {redis.pcall('hget', 's', 'a'), 1}",
        "local function f()\n return redis.call('hget', 's', 'a')\nend\nlocal x = f()\nreturn x",
        "return redis.call('nosuch')", "return redis.pcall('nosuch')", "return redis.call('get')",
        "return redis.call('get', {})",
        "return redis.call()", "return redis.pcall()", "return redis.call('wait', '0', '0')",
        "return redis.call('eval', 'return 1', '0')", "return redis.call('script', 'flush')",
        "return redis.call('xread', 'block', '100', 'streams', 'q', '0')", "return redis.call('set', 'f', 1.5)",
        "redis.call('set', 'f', 1e14) return redis.call('get', 'f')",
        "redis.call('set', 'f', 0.1) return redis.call('get', 'f')",
        "redis.call('set', 'f', 1e300) return redis.call('get', 'f')",
        "redis.call('set', 'f', -0) return redis.call('get', 'f')",
        "redis.call('set', 'f', 12345678901234567890) return redis.call('get', 'f')",
        "redis.call('set', 'f', 0/0) return string.lower(redis.call('get', 'f')):gsub('-', '')",
        "return redis.call('set', 's', 'abc').ok", "return redis.call('get', 'none')",
        "return type(redis.call('get', 'none'))",
        "return redis.call('type', 's')", "return redis.call('type', 's').ok",
        "return redis.call('hmget', 'h', 'a', 'none')",
        "return redis.call('hmget', 'h', 'a', 'none')[2] == false", "return redis.call('exists', 's') == 1",
        "return redis.call('incrby', 'n', '9007199254740993')", "return redis.call('xrange', 'q', '-', '+')",
        "return redis.call('xadd', 'none', 'nomkstream', '1-1', 'a', 'b') == false",
        "local a = redis.pcall('xadd', 'q', '1-1', 'a', 'b') return a.err",
        "return string.sub(redis.call('info', 'replication'), 1, 46)",
        "return string.match(redis.call('info', 'server'), 'run_id:(%x+)')",
        "return string.match(redis.call('info', 'replication'), 'master_replid:(%x+)')",
        "redis.call('set', 'w', '1') redis.call('hget', 'w', '1')", "redis.call('set', 'w2', '1') error('after')",
        "local a = redis.pcall('set', 'w3', 'x') return redis.call('get', 'w3')",
        // Errors.
        "return foo", "foo = 1", "local x = nil; return x.y", "error('boom')", "error('boom', 0)",
        "error({err = 'My thing'})",
        "error({err = 'CODE thing'})", "error()", "error(5)", "return {pcall(error, 'x')}",
        "return {pcall(function() error('x') end)}", "return {pcall(function() error({err = 'x y'}) end)}",
        "return {pcall(redis.call, 'hget', 's', 'a')}", "return {pcall(redis.pcall, 'hget', 's', 'a')}",
        "return {pcall(tostring)}",
        "return select(2, xpcall(function() error('x') end, function(e) return e .. '!' end))", "return 1 + {}",
        "return ('x'):nosuch()", "return redis.nosuch('a')", "return #5", "assert(false)", "assert(nil, 'why')",
        "return x x",
        "return end end function a()", "this is no lua", "return unpack({}, 1, 8000)",
        "local t = {} for i = 1, 7900 do t[i] = 'a' end return #redis.call('hmget', 'h', unpack(t))",
        "return redis.error_reply('boom')", "return redis.error_reply('FENCED no')",
        "return redis.error_reply('-FENCED')",
        "return redis.error_reply('-FENCED no')", "return redis.error_reply(1, 2)", "return redis.error_reply('')",
        "return redis.status_reply('fine')", "return redis.status_reply()", "return redis.error_reply('boom').err",
        // Names.
        "return redis.sha1hex('')", "return redis.sha1hex('abc')", "return redis.sha1hex(ARGV[3])",
        "return redis.sha1hex()",
        "return {tostring(math.random()), tostring(math.random()), math.random(10), math.random(5, 6)}",
        "math.randomseed(7) return {tostring(math.random()), math.random(1000)}", "return tostring(os)",
        "return tostring(io)",
        "return tostring(require)", "return tostring(dofile)", "return tostring(debug)", "return tostring(print)",
        "return tostring(loadstring('return 5')())",
        "return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM, redis.LOG_WARNING}",
        "return redis.replicate_commands()", "return redis.log(redis.LOG_DEBUG, 'x')",
        "return redis.set_repl(redis.REPL_ALL)",
        "return {bit.band(255, 15), bit.bor(1, 2, 4), bit.bxor(5, 1), bit.bnot(0), bit.lshift(1, 31), bit.rshift(-1, 28)}",
        "return {bit.arshift(-8, 1), bit.rol(0x12345678, 8), bit.ror(1, 1), bit.bswap(1), bit.tobit(2^32 + 5), bit.tohex(255)}",
        "return {bit.tohex(255, 4), bit.tohex(255, -4), bit.tobit(-1)}",
        "local t = {3, 1, 2} table.sort(t) return t", "return table.concat({1, 2, 3}, ',')",
        "return {string.byte(ARGV[3], 250, 256)}",
        "return (string.gsub('a@b', '@', '5'))",
        "local s = 0 for k, v in pairs({5, 6, 7}) do s = s + k * v end return s",
        "return tonumber('0x10')", "return tonumber(' 12 ')", "return tonumber('12x')", "return tostring(tonumber(''))",
        "return tonumber('9007199254740993')",
        // Packing.
        "return {struct.unpack('<I4', 'abc')}", "return {struct.unpack('<q', 'abc')}",
        "return {struct.unpack('<I40', 'abc')}",
        "return struct.pack('<I4', 5)", "return struct.pack('>I4', 5)", "return struct.pack('I4', 5)",
        "return struct.pack('<i2', -2)",
        "return struct.pack('<BbHhLl', 255, -1, 65535, -5, 2^40, -2^40)", "return struct.pack('>I6', 2^47 + 1)",
        "return {struct.unpack('>I6', struct.pack('>I6', 2^47 + 1))}",
        "return {struct.unpack('<i3', struct.pack('<i3', -7))}",
        "return struct.pack('<i16', -2)", "return {struct.unpack('<BBc6I2', ARGV[3])}",
        "return {struct.unpack('<c16c6BI4I4', ARGV[3], 11)}",
        "return {struct.unpack('<I2', ARGV[3], 255)}", "return {struct.unpack('<I2', ARGV[3], 256)}",
        "return {struct.unpack('<I2', ARGV[3], 0)}",
        "return {struct.unpack('s', 'ab\\0cd')}", "return {struct.unpack('s', 'ab')}", "return struct.pack('s', 'ab')",
        "return struct.pack('c5', 'ab')", "return struct.pack('c2', 'abc')", "return struct.pack('c0', 'abc')",
        "return {struct.unpack('Bc0', '\\3abcd')}", "return {struct.unpack('c0', 'abc')}",
        "return {struct.unpack('xBx', 'abc')}",
        "return struct.pack('xBx', 7)", "return struct.pack('B')", "return struct.pack('B', 'x')",
        "return struct.pack('s')",
        "return struct.unpack()", "return struct.unpack('B')", "return struct.pack('!4Bi', 1, 2)",
        "return {struct.unpack('!4Bi', struct.pack('!4Bi', 1, 2))}", "return struct.size('<BBc6I2')",
        "return struct.size('!Bl')",
        "return struct.size('s')", "return struct.size('c0')", "return struct.size('c3')",
        "return struct.pack('!3i', 1)", "return {tostring(struct.unpack('<d', struct.pack('<d', 0.5)))}",
        "return {tostring((struct.unpack('>f', struct.pack('>f', 0.5))))}", "return struct.pack('B', 300)",
        "return struct.pack('B', -1)",
        "return struct.pack('<I4', 1.7)", "return struct.pack(' < I2 ', 1)",
        "local u = struct.unpack return {u('<I4', 'abc')}",
        // A first line that declares.
        "#!lua\nreturn 1", "#!lua flags=no-writes\nreturn redis.call('get', 's')",
        "#!lua flags=no-writes\nreturn redis.call('del', 's')",
        "#!lua flags=allow-oom,no-writes\nreturn foo", "#!lua flags=foo\nreturn 1", "#!lua name=x\nreturn 1",
        "#!python\nreturn 1",
        "#!lua",
    ]

    @Test("answer as a real server's do") func sources() async throws {
        try await Twin.with { twin async throws in
            await twin.tell("SET", "s", "abc")
            await twin.tell("HSET", "h", "a", "1")
            await twin.tell("XADD", "q", "1-1", "a", "b")
            let arguments = [Array("3".utf8), [115], [104], [113], [49], [120], (0...255).map { UInt8($0) }]
            for source in Self.sources {
                await twin.tell([Array("EVAL".utf8), Array(source.utf8)] + arguments)
                await twin.tell([Array("SCRIPT".utf8), Array("LOAD".utf8), Array(source.utf8)])
            }
            #expect(twin.port.compared >= Self.sources.count * 2)
        }
    }

    /// Scripts that write, tried while something forbids writing.
    static let writers = [
        "return redis.call('set', 's', '1')", "return redis.pcall('set', 's', '1')", "return redis.call('del', 's')",
        "redis.call('del', 's') return redis.call('set', 's', '2')",
        "redis.call('get', 's') return redis.call('hset', 'h', 'a', '1')",
        "return redis.call('xtrim', 'q', 'minid', '2')", "return redis.call('get', 's')",
        "#!lua\nreturn redis.call('set', 's', '3')",
        "#!lua flags=allow-oom\nreturn redis.call('set', 's', '4')",
        "#!lua flags=no-writes\nreturn redis.call('get', 's')",
        "#!lua flags=no-writes\nreturn redis.call('set', 's', '4')", "redis.call('nosuch')", "redis.call('set')",
        "redis.call('config', 'get', 'x')",
    ]

    private func tryWriting(_ twin: Twin) async {
        for source in Self.writers {
            for command in ["EVAL", "EVAL_RO"] { await twin.tell(command, source, "0") }
        }
        for line in [
            "set s 1", "del s", "hset h a 1", "hdel h a", "get s", "xadd q 9-9 a b", "xtrim q minid 1", "flushall",
        ] {
            await twin.tell(line.split(separator: " ").map { Array($0.utf8) })
        }
    }

    @Test("are refused as a real server refuses them: without memory, without replicas, on a replica")
    func refusals() async throws {
        try await Twin.with { twin async throws in
            await tryWriting(twin)
            await twin.tell("CONFIG", "SET", "maxmemory", "1")
            await tryWriting(twin)
            await twin.tell("CONFIG", "SET", "maxmemory", "0")
            await twin.tell("CONFIG", "SET", "min-replicas-to-write", "1")
            await tryWriting(twin)
            await twin.tell("CONFIG", "SET", "maxmemory", "1")
            await tryWriting(twin)
            await twin.tell("REPLICAOF", "127.0.0.1", "1")
            try await twin.port.followIdentity()
            await tryWriting(twin)
            await twin.tell("WAIT", "0", "0")
            await twin.tell("CONFIG", "SET", "maxmemory", "0")
            await tryWriting(twin)
            await twin.tell("REPLICAOF", "NO", "ONE")
            await twin.tell("CONFIG", "SET", "min-replicas-to-write", "0")
            try await twin.port.followIdentity()
            await tryWriting(twin)
        }
    }
}
