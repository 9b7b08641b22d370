import CLua
import Redis

/// A Lua 5.1 as Redis sets it up: which names a script sees, how it calls commands, what its values become.
///
/// Scripts cannot leave anything behind (globals are read-only), and `math.random` begins anew with each call, so servers on one
/// thread may share a machine. One thread at a time: it owns a Lua state and is not `Sendable`.
public final class ScriptMachine {
    struct Script {
        let sha: [UInt8]
        let flags: ScriptFlags
        /// The compiled function, in Lua's registry.
        let reference: Int32
    }

    /// Texts whose hash is remembered.
    private static let hashesMax = 1_000

    let lua: OpaquePointer
    private var hashes: [[UInt8]: [UInt8]] = [:]
    /// Compiled scripts by hash, of all servers.
    private(set) var scripts: [[UInt8]: Script] = [:]
    /// Whose script runs now.
    private(set) var server: RedisModelServer?
    var random = ScriptRandom()
    private let errorHandler: Int32

    public init() {
        guard let lua = luaL_newstate() else { preconditionFailure("out of memory") }
        self.lua = lua
        luaL_openlibs(lua)
        sellout_lua_push_error_handler(lua)
        errorHandler = luaL_ref(lua, sellout_lua_registry_index())
        installNames()
    }

    deinit { lua_close(lua) }

    /// Compiles a script, or finds it compiled.
    func compile(_ source: [UInt8]) throws(CommandError) -> Script {
        let sha = hash(source)
        if let known = scripts[sha] { return known }
        let flags = try ScriptFlags(source: source)
        // A first line with flags is no Lua; its line feed stays, so that lines keep their numbers.
        let body = flags.contains(.undeclared) ? source[...] : source[source.firstIndex(of: UInt8(ascii: "\n"))!...]
        let status = body.withUnsafeBytes { bytes in
            luaL_loadbuffer(lua, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, "@user_script")
        }
        guard status == 0 else {
            defer { sellout_lua_pop(lua, 1) }
            throw CommandError("ERR Error compiling script (new function): \(bytes(at: -1)?.text ?? "")")
        }
        let script = Script(sha: sha, flags: flags, reference: luaL_ref(lua, sellout_lua_registry_index()))
        scripts[sha] = script
        return script
    }

    /// Of texts that come again and again.
    private func hash(_ source: [UInt8]) -> [UInt8] {
        if let known = hashes[source] { return known }
        let sha = SHA1.hex(source)
        if hashes.count < Self.hashesMax { hashes[source] = sha }
        return sha
    }

    /// Runs a script of `server` to its end.
    func run(
        _ script: Script, keys: ArraySlice<[UInt8]>, arguments: ArraySlice<[UInt8]>, on server: RedisModelServer
    ) throws(CommandError) -> RedisReply {
        precondition(self.server == nil, "a script runs already")
        self.server = server
        random = ScriptRandom()
        defer {
            self.server = nil
            lua_settop(lua, 0)
        }
        setGlobal("KEYS", keys)
        setGlobal("ARGV", arguments)
        lua_rawgeti(lua, sellout_lua_registry_index(), errorHandler)
        lua_rawgeti(lua, sellout_lua_registry_index(), script.reference)
        if lua_pcall(lua, 0, 1, 1) == 0 { return reply(at: -1, depth: 0) }
        throw CommandError(failure(of: script))
    }

    /// The words for the error on top of the stack.
    private func failure(of script: Script) -> String {
        guard lua_type(lua, -1) == LUA_TTABLE else {
            return "ERR Error running script \(script.sha.text), \(bytes(at: -1)?.text ?? "execution failure")"
        }
        var text = bytes(of: "err") ?? []
        if let source = bytes(of: "source"), let line = bytes(of: "line") {
            text += Array(" script: \(script.sha.text), on \(source.text):\(line.text).".utf8)
        }
        return Self.oneLine(text).text
    }

    /// The text of a field of the table on top of the stack.
    private func bytes(of field: String) -> [UInt8]? {
        pushText(field)
        lua_rawget(lua, -2)
        defer { sellout_lua_pop(lua, 1) }
        return bytes(at: -1)
    }

    /// Error and status replies are lines: line ends within them become blanks.
    static func oneLine(_ text: [UInt8]) -> [UInt8] {
        text.contains { $0 == 13 || $0 == 10 } ? text.map { $0 == 13 || $0 == 10 ? 32 : $0 } : text
    }

    private func setGlobal(_ name: String, _ values: ArraySlice<[UInt8]>) {
        pushText(name)
        lua_createtable(lua, Int32(values.count), 0)
        for (position, value) in values.enumerated() {
            push(value)
            lua_rawseti(lua, -2, Int32(position + 1))
        }
        lua_rawset(lua, sellout_lua_globals_index())
    }

    // MARK: Names

    /// What Redis leaves of Lua's own names, but for `cjson` and `cmsgpack`, which nothing here uses.
    private static let luaNames: Set<String> = [
        "_G", "_VERSION", "assert", "collectgarbage", "coroutine", "error", "gcinfo", "getmetatable", "ipairs", "load",
        "loadstring", "math", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select", "setmetatable",
        "string",
        "table", "tonumber", "tostring", "type", "unpack", "xpcall",
    ]

    private func installNames() {
        removeForeignNames()
        sellout_lua_push_pcall(lua)
        lua_setfield(lua, sellout_lua_globals_index(), "pcall")
        for library in ["redis", "struct", "bit"] {
            lua_createtable(lua, 0, 16)
            for function in ScriptFunction.allCases where function.library == library {
                pushFunction(function)
                lua_setfield(lua, -2, function.name)
            }
            lua_setfield(lua, sellout_lua_globals_index(), library)
        }
        lua_getfield(lua, sellout_lua_globals_index(), "math")
        for function in [ScriptFunction.random, .randomseed] {
            pushFunction(function)
            lua_setfield(lua, -2, function.name)
        }
        sellout_lua_pop(lua, 1)
        installConstants()
        lua_createtable(lua, 0, 2)
        sellout_lua_push_missing_global(lua)
        lua_setfield(lua, -2, "__index")
        sellout_lua_push_readonly_table(lua)
        lua_setfield(lua, -2, "__newindex")
        lua_pushvalue(lua, sellout_lua_globals_index())
        lua_insert(lua, -2)
        lua_setmetatable(lua, -2)
        lua_settop(lua, 0)
    }

    private func removeForeignNames() {
        var foreign: [[UInt8]] = []
        lua_pushvalue(lua, sellout_lua_globals_index())
        lua_pushnil(lua)
        while lua_next(lua, -2) != 0 {
            sellout_lua_pop(lua, 1)
            if let name = bytes(at: -1), !Self.luaNames.contains(name.text) { foreign.append(name) }
        }
        for name in foreign {
            push(name)
            lua_pushnil(lua)
            lua_rawset(lua, -3)
        }
        sellout_lua_pop(lua, 1)
    }

    private func installConstants() {
        lua_getfield(lua, sellout_lua_globals_index(), "redis")
        let numbers: [(String, Int)] = [
            ("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3), ("REPL_NONE", 0),
            ("REPL_AOF", 1),
            ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3), ("REDIS_VERSION_NUM", 0x07000f),
        ]
        for (name, number) in numbers {
            lua_pushinteger(lua, number)
            lua_setfield(lua, -2, name)
        }
        pushText("7.0.15")
        lua_setfield(lua, -2, "REDIS_VERSION")
        sellout_lua_pop(lua, 1)
    }

    private func pushFunction(_ function: ScriptFunction) {
        // Unretained: the Lua state that holds the pointer is closed before the machine is gone.
        sellout_lua_push_function(lua, enterMachine, Unmanaged.passUnretained(self).toOpaque(), function.rawValue)
    }
}

/// Where Lua enters Swift.
private func enterMachine(context: UnsafeMutableRawPointer?, lua: OpaquePointer?, selector: Int32) -> Int32 {
    guard let context, let function = ScriptFunction(rawValue: selector) else { return 0 }
    return Unmanaged<ScriptMachine>.fromOpaque(context).takeUnretainedValue().enter(function, lua)
}
