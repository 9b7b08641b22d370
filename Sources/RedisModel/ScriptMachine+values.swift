import CLua
import Redis

/// What Lua's values are in Redis, and Redis's in Lua.
extension ScriptMachine {
    /// Depth of nested tables at most, as Redis bounds it by Lua's stack.
    private static let depthMax = 1_000

    func push(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { lua_pushlstring(lua, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count) }
    }

    func pushText(_ text: String) {
        var text = text
        text.withUTF8 {
            lua_pushlstring(lua, UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self), $0.count)
        }
    }

    /// The bytes of a string; a number's as Lua writes it; `nil` for anything else.
    ///
    /// A number is copied first: reading it as a string would make it one, where it stands.
    func bytes(at index: Int32) -> [UInt8]? {
        switch lua_type(lua, index) {
        case LUA_TSTRING: return string(at: index)
        case LUA_TNUMBER:
            lua_pushvalue(lua, index)
            defer { sellout_lua_pop(lua, 1) }
            return string(at: -1)
        default: return nil
        }
    }

    private func string(at index: Int32) -> [UInt8] {
        var count = 0
        let start = lua_tolstring(lua, index, &count)
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// An argument of `redis.call`: a string, or a number in as many digits as it needs.
    func argument(at index: Int32) -> [UInt8]? {
        switch lua_type(lua, index) {
        case LUA_TSTRING: return string(at: index)
        case LUA_TNUMBER: return Self.digits(lua_tonumber(lua, index))
        default: return nil
        }
    }

    /// A number as C's `%.17g` writes it.
    static func digits(_ number: Double) -> [UInt8] {
        if let whole = Int64(exactly: number), abs(whole) < 10_000_000_000_000_000, whole != 0 || number.sign == .plus {
            return Array(String(whole).utf8)
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 40) { buffer in
            let count = sellout_lua_format_number(buffer.baseAddress, buffer.count, number)
            return Array(UnsafeRawBufferPointer(start: buffer.baseAddress, count: Int(count)))
        }
    }

    // MARK: Reply → Lua

    func push(_ reply: RedisReply) {
        switch reply {
        case .integer(let value): lua_pushnumber(lua, Double(value))
        case .bulk(let bytes): push(bytes)
        case .null: lua_pushboolean(lua, 0)
        case .status(let text): pushField("ok", text)
        case .error(let text): pushField("err", text)
        case .array(let elements):
            lua_createtable(lua, Int32(elements.count), 0)
            for (position, element) in elements.enumerated() {
                push(element)
                lua_rawseti(lua, -2, Int32(position + 1))
            }
        }
    }

    /// Pushes `{<name> = <text>}`.
    func pushField(_ name: String, _ text: String) {
        lua_createtable(lua, 0, 1)
        pushText(text)
        lua_setfield(lua, -2, name)
    }

    // MARK: Lua → reply

    func reply(at index: Int32, depth: Int) -> RedisReply {
        switch lua_type(lua, index) {
        case LUA_TSTRING: return .bulk(string(at: index))
        case LUA_TNUMBER: return .integer(Self.truncated(lua_tonumber(lua, index)))
        case LUA_TBOOLEAN: return lua_toboolean(lua, index) != 0 ? .integer(1) : .null
        case LUA_TTABLE: return tableReply(at: index, depth: depth)
        default: return .null
        }
    }

    private func tableReply(at index: Int32, depth: Int) -> RedisReply {
        guard depth < Self.depthMax, lua_checkstack(lua, 8) != 0 else { return .error("reached lua stack limit") }
        if let text = field("err", at: index) { return .error(Self.oneLine(text).text) }
        if let text = field("ok", at: index) { return .status(Self.oneLine(text).text) }
        var elements: [RedisReply] = []
        let table = index > 0 ? index : lua_gettop(lua) + 1 + index
        var position: Int32 = 1
        while true {
            lua_rawgeti(lua, table, position)
            defer { sellout_lua_pop(lua, 1) }
            if lua_type(lua, -1) == LUA_TNIL { return .array(elements) }
            elements.append(reply(at: -1, depth: depth + 1))
            position += 1
        }
    }

    private func field(_ name: String, at index: Int32) -> [UInt8]? {
        let table = index > 0 ? index : lua_gettop(lua) + 1 + index
        pushText(name)
        lua_rawget(lua, table)
        defer { sellout_lua_pop(lua, 1) }
        return lua_type(lua, -1) == LUA_TSTRING ? string(at: -1) : nil
    }

    /// Towards zero, as C does it; what does not fit is the least number, as on the processors that Redis runs on.
    static func truncated(_ number: Double) -> Int64 { Int64(exactly: number.rounded(.towardZero)) ?? .min }
}
