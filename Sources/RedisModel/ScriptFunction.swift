import CLua
import Redis

/// What Swift gives to scripts.
enum ScriptFunction: Int32, CaseIterable {
    case call, pcall, errorReply, statusReply, sha1hex, log, setresp, setRepl, replicateCommands, breakpoint, debug
    case pack, unpack, size
    case tobit, tohex, bnot, band, bor, bxor, lshift, rshift, arshift, rol, ror, bswap
    case random, randomseed

    var library: String {
        switch self {
        case .call, .pcall, .errorReply, .statusReply, .sha1hex, .log, .setresp, .setRepl, .replicateCommands,
            .breakpoint,
            .debug:
            "redis"
        case .pack, .unpack, .size: "struct"
        case .random, .randomseed: "math"
        default: "bit"
        }
    }

    var name: String {
        switch self {
        case .errorReply: "error_reply"
        case .statusReply: "status_reply"
        case .setRepl: "set_repl"
        case .replicateCommands: "replicate_commands"
        default: "\(self)"
        }
    }
}

/// How a function that Lua called ends.
enum ScriptOutcome {
    /// So many results are on the stack.
    case results(Int32)
    /// The value on top is raised.
    case raise
    /// The text is raised, with the place of the caller before it.
    case raiseAt(String)
    case badArgument(Int32, String)
}

extension ScriptMachine {
    /// Runs a function; see `sellout_lua_function` for what is returned. Lua must not raise within.
    func enter(_ function: ScriptFunction, _ lua: OpaquePointer?) -> Int32 {
        // A coroutine has a stack of its own: values are moved over from it, and back.
        guard lua == self.lua else { return enter(function, coroutine: lua) }
        switch outcome(function) {
        case .results(let count): return count
        case .raise: return Int32(SELLOUT_LUA_RAISE)
        case .raiseAt(let text):
            pushText(text)
            return Int32(SELLOUT_LUA_RAISE_AT)
        case .badArgument(let position, let text):
            pushText(text)
            return Int32(SELLOUT_LUA_BAD_ARGUMENT) - position
        }
    }

    private func outcome(_ function: ScriptFunction) -> ScriptOutcome {
        switch function {
        case .call: return call(raises: true)
        case .pcall: return call(raises: false)
        case .errorReply, .statusReply:
            guard lua_gettop(lua) == 1, lua_type(lua, 1) == LUA_TSTRING, let text = bytes(at: 1) else {
                pushField("err", "ERR wrong number or type of arguments")
                return .results(1)
            }
            if function == .statusReply {
                pushField("ok", text.text)
            } else {
                pushField("err", Self.errorText(text).text)
            }
            return .results(1)
        case .sha1hex:
            guard lua_gettop(lua) == 1 else { return raise("ERR wrong number of arguments") }
            push(SHA1.hex(bytes(at: 1) ?? []))
            return .results(1)
        case .log, .setresp, .setRepl, .breakpoint, .debug: return .results(0)
        case .replicateCommands:
            lua_pushboolean(lua, 1)
            return .results(1)
        case .pack: return structPack()
        case .unpack: return structUnpack()
        case .size: return structSize()
        case .random: return randomNumber()
        case .randomseed:
            random = ScriptRandom(seed: UInt32(truncatingIfNeeded: Self.truncated(lua_tonumber(lua, 1))))
            return .results(0)
        default: return bitOperation(function)
        }
    }

    /// Raises `{err = text}`, as Redis's own functions do.
    private func raise(_ text: String) -> ScriptOutcome {
        pushField("err", text)
        return .raise
    }

    /// `redis.call` and `redis.pcall`.
    private func call(raises: Bool) -> ScriptOutcome {
        guard let server else { return raise("ERR redis.call/pcall can only be called inside a script invocation") }
        let count = lua_gettop(lua)
        var reply = RedisReply.error("ERR Please specify at least one argument for this redis lib call")
        if count > 0 {
            var argv: [[UInt8]] = []
            argv.reserveCapacity(Int(count))
            for index in 1...count {
                guard let argument = argument(at: index) else { break }
                argv.append(argument)
            }
            if argv.count < count {
                reply = .error("ERR Lua redis lib command arguments must be strings or integers")
            } else {
                do throws(CommandError) { reply = try server.call(argv) } catch { reply = .error(error.text) }
            }
        }
        push(reply)
        if raises, case .error = reply { return .raise }
        return .results(1)
    }

    /// The text of `error_reply`: `-CODE words` and `CODE words` name their code, a single word gets the general one.
    private static func errorText(_ given: [UInt8]) -> [UInt8] {
        var text = given.first == UInt8(ascii: "-") ? given.dropFirst() : given[...]
        while text.last == 10 || text.last == 13 { text = text.dropLast() }
        return text.contains(UInt8(ascii: " ")) ? Array(text) : Array("ERR ".utf8) + text
    }

    /// A call out of a coroutine, which no script of ours makes.
    private func enter(_ function: ScriptFunction, coroutine: OpaquePointer?) -> Int32 {
        pushTextOn(coroutine, "ERR \(function.name) inside a coroutine is not modelled")
        return Int32(SELLOUT_LUA_RAISE)
    }

    private func pushTextOn(_ other: OpaquePointer?, _ text: String) {
        var text = text
        text.withUTF8 {
            lua_pushlstring(other, UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self), $0.count)
        }
    }
}
