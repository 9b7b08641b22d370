import CLua

/// The `bit` library: operations on 32 bits, results signed.
extension ScriptMachine {
    func bitOperation(_ function: ScriptFunction) -> ScriptOutcome {
        let count = lua_gettop(lua)
        guard count > 0, lua_isnumber(lua, 1) != 0 else { return .badArgument(1, "number expected") }
        let first = word(at: 1)
        let shift = count > 1 ? word(at: 2) & 31 : 0
        var result: UInt32
        switch function {
        case .tohex:
            let wanted = count > 1 ? Int32(bitPattern: word(at: 2)) : 8
            let digits = Array((wanted < 0 ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
            let width = min(8, Int(wanted.magnitude))
            push((0..<width).map { digits[Int(first >> UInt32(4 * (width - 1 - $0)) & 15)] })
            return .results(1)
        case .bnot: result = ~first
        case .band, .bor, .bxor:
            result = first
            for index in stride(from: Int32(2), through: count, by: 1) {
                let other = word(at: index)
                switch function {
                case .band: result &= other
                case .bor: result |= other
                default: result ^= other
                }
            }
        case .lshift: result = first << shift
        case .rshift: result = first >> shift
        case .arshift: result = UInt32(bitPattern: Int32(bitPattern: first) >> Int32(shift))
        case .rol: result = first << shift | first >> (32 - shift)
        case .ror: result = first >> shift | first << (32 - shift)
        case .bswap: result = first.byteSwapped
        default: result = first
        }
        lua_pushnumber(lua, Double(Int32(bitPattern: result)))
        return .results(1)
    }

    /// A number's lowest 32 bits, rounded to a whole.
    private func word(at index: Int32) -> UInt32 {
        UInt32(truncatingIfNeeded: Self.truncated(lua_tonumber(lua, index).rounded(.toNearestOrEven)))
    }
}

/// The generator behind `math.random`: the 48 bits of POSIX `lrand48`.
///
/// Redis goes on from script to script; here each begins anew, so that a script is a function of its arguments.
struct ScriptRandom {
    private var state: UInt64 = 0x1234_abcd_330e

    init() {}
    init(seed: UInt32) { state = UInt64(seed) << 16 | 0x330e }

    /// 0 ..< 2³¹.
    mutating func next() -> UInt32 {
        state = (state &* 0x5_deec_e66d &+ 0xb) & 0xffff_ffff_ffff
        return UInt32(state >> 17)
    }
}

extension ScriptMachine {
    func randomNumber() -> ScriptOutcome {
        let share = Double(random.next() % 0x7fff_ffff) / Double(0x7fff_ffff)
        let count = lua_gettop(lua)
        if count == 0 {
            lua_pushnumber(lua, share)
            return .results(1)
        }
        let low = count > 1 ? Self.truncated(lua_tonumber(lua, 1)) : 1
        let high = Self.truncated(lua_tonumber(lua, count > 1 ? 2 : 1))
        guard low <= high else { return .badArgument(count > 1 ? 2 : 1, "interval is empty") }
        lua_pushnumber(lua, (share * Double(high - low + 1)).rounded(.down) + Double(low))
        return .results(1)
    }
}
