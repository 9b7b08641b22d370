import CLua

/// Lua's `struct` library, as Redis brings it: packing of numbers and strings by a format.
///
/// `<` `>` `=` set the byte order, `!n` the alignment; then `b B h H l L T` and `i I` with an optional size, `f d`, `x` one byte
/// of padding, `s` a string that ends with a zero, `c` with a size a string of that size, `c0` of the size that was read before
/// (packed: the whole string).
private struct StructFormat {
    enum Item {
        case integer(size: Int, isSigned: Bool)
        case float, double
        case padding
        case terminated
        case characters(Int)
    }

    private let bytes: [UInt8]
    private var position = 0
    private(set) var isLittle = true
    private var alignment = 1

    static let integerBytesMax = 32

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next item; `nil` at the end.
    mutating func next() throws(StructError) -> Item? {
        while position < bytes.count {
            let sign = bytes[position]
            position += 1
            switch sign {
            case UInt8(ascii: " "): continue
            case UInt8(ascii: "<"), UInt8(ascii: "="): isLittle = true
            case UInt8(ascii: ">"): isLittle = false
            case UInt8(ascii: "!"):
                alignment = number() ?? 8
                if alignment == 0 || alignment & (alignment - 1) != 0 {
                    throw StructError(text: "alignment \(alignment) is not a power of 2")
                }
            case UInt8(ascii: "b"): return .integer(size: 1, isSigned: true)
            case UInt8(ascii: "B"): return .integer(size: 1, isSigned: false)
            case UInt8(ascii: "h"): return .integer(size: 2, isSigned: true)
            case UInt8(ascii: "H"): return .integer(size: 2, isSigned: false)
            case UInt8(ascii: "l"): return .integer(size: 8, isSigned: true)
            case UInt8(ascii: "L"), UInt8(ascii: "T"): return .integer(size: 8, isSigned: false)
            case UInt8(ascii: "i"), UInt8(ascii: "I"):
                let size = number() ?? 4
                if size > Self.integerBytesMax {
                    throw StructError(text: "integral size \(size) is larger than limit of \(Self.integerBytesMax)")
                }
                return .integer(size: size, isSigned: sign == UInt8(ascii: "i"))
            case UInt8(ascii: "f"): return .float
            case UInt8(ascii: "d"): return .double
            case UInt8(ascii: "x"): return .padding
            case UInt8(ascii: "s"): return .terminated
            case UInt8(ascii: "c"): return .characters(number() ?? 1)
            default:
                throw StructError(text: "invalid format option '\(String(UnicodeScalar(sign)))'", isFormat: true)
            }
        }
        return nil
    }

    private mutating func number() -> Int? {
        var value: Int?
        while position < bytes.count, (48...57).contains(bytes[position]), (value ?? 0) < 1_000_000_000 {
            value = (value ?? 0) * 10 + Int(bytes[position] - 48)
            position += 1
        }
        return value
    }

    /// Bytes to skip before an item at `offset`.
    func skip(before item: Item, at offset: Int) -> Int {
        let size =
            switch item {
            case .integer(let size, _): size
            case .float: 4
            case .double: 8
            case .padding, .terminated, .characters: 1
            }
        guard size > 1, alignment > 1 else { return 0 }
        let unit = min(size, alignment)
        return (unit - offset % unit) % unit
    }
}

private struct StructError: Error {
    let text: String
    /// Whether it is the format argument that is bad.
    var isFormat = false

    var outcome: ScriptOutcome { isFormat ? .badArgument(1, text) : .raiseAt(text) }
}

extension ScriptMachine {
    func structUnpack() -> ScriptOutcome {
        guard let formatBytes = bytes(at: 1) else { return .badArgument(1, expected("string", 1)) }
        guard let data = bytes(at: 2) else { return .badArgument(2, expected("string", 2)) }
        var position = lua_gettop(lua) >= 3 ? Int(Self.truncated(lua_tonumber(lua, 3))) - 1 : 0
        guard position >= 0 else { return .badArgument(3, "offset must be 1 or greater") }
        var format = StructFormat(formatBytes)
        var count: Int32 = 0
        lua_settop(lua, 2)
        do throws(StructError) {
            while let item = try format.next() {
                position += format.skip(before: item, at: position)
                guard lua_checkstack(lua, 2) != 0 else { return .raiseAt("stack overflow (too many results)") }
                let left = data.count - position
                func holds(_ size: Int) -> Bool { size >= 0 && size <= left }
                let short = ScriptOutcome.badArgument(2, "data string too short")
                switch item {
                case .integer(let size, let isSigned):
                    guard holds(size) else { return short }
                    let slice = data[position..<position + size]
                    lua_pushnumber(lua, Self.integer(slice, isLittle: format.isLittle, isSigned: isSigned))
                    position += size
                    count += 1
                case .float, .double:
                    let size = if case .float = item { 4 } else { 8 }
                    guard holds(size) else { return short }
                    let bits = Self.word(data[position..<position + size], isLittle: format.isLittle)
                    lua_pushnumber(
                        lua,
                        size == 4
                            ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))) : Double(bitPattern: bits))
                    position += size
                    count += 1
                case .padding:
                    guard holds(1) else { return short }
                    position += 1
                case .terminated:
                    guard left >= 0, let end = data[position...].firstIndex(of: 0) else {
                        return .raiseAt("unfinished string in data")
                    }
                    push(Array(data[position..<end]))
                    position = end + 1
                    count += 1
                case .characters(var size):
                    if size == 0 {
                        guard count > 0, lua_type(lua, -1) == LUA_TNUMBER else {
                            return .raiseAt("format 'c0' needs a previous size")
                        }
                        size = Int(Self.truncated(lua_tonumber(lua, -1)))
                        sellout_lua_pop(lua, 1)
                        count -= 1
                    }
                    guard holds(size) else { return short }
                    push(Array(data[position..<position + size]))
                    position += size
                    count += 1
                }
            }
        } catch {
            return error.outcome
        }
        lua_pushnumber(lua, Double(position + 1))
        return .results(count + 1)
    }

    func structPack() -> ScriptOutcome {
        guard let formatBytes = bytes(at: 1) else { return .badArgument(1, expected("string", 1)) }
        lua_pushnil(lua)  // as Redis has it: what is missing reads as nil
        var format = StructFormat(formatBytes)
        var packed: [UInt8] = []
        var argument: Int32 = 2
        do throws(StructError) {
            while let item = try format.next() {
                packed.append(contentsOf: repeatElement(0, count: format.skip(before: item, at: packed.count)))
                switch item {
                case .padding: packed.append(0)
                case .integer, .float, .double:
                    guard lua_isnumber(lua, argument) != 0 else {
                        return .badArgument(argument, expected("number", argument))
                    }
                    let number = lua_tonumber(lua, argument)
                    let size: Int
                    let bits: UInt64
                    switch item {
                    case .float: (size, bits) = (4, UInt64(Float(number).bitPattern))
                    case .double: (size, bits) = (8, number.bitPattern)
                    case .integer(let width, _): (size, bits) = (width, Self.bits(number))
                    default: (size, bits) = (0, 0)
                    }
                    let little = (0..<size).map { index in
                        index < 8 ? UInt8(truncatingIfNeeded: bits >> UInt64(8 * index)) : 0
                    }
                    packed.append(contentsOf: format.isLittle ? little : little.reversed())
                    argument += 1
                case .terminated, .characters:
                    guard let text = bytes(at: argument) else {
                        return .badArgument(argument, expected("string", argument))
                    }
                    if case .characters(let size) = item, size > 0 {
                        guard text.count >= size else {
                            return .badArgument(argument + 1, "string too short")  // counted on before, in Redis
                        }
                        packed.append(contentsOf: text.prefix(size))
                    } else {
                        packed.append(contentsOf: text)
                        if case .terminated = item { packed.append(0) }
                    }
                    argument += 1
                }
            }
        } catch {
            return error.outcome
        }
        push(packed)
        return .results(1)
    }

    func structSize() -> ScriptOutcome {
        guard let formatBytes = bytes(at: 1) else { return .badArgument(1, expected("string", 1)) }
        var format = StructFormat(formatBytes)
        var size = 0
        do throws(StructError) {
            while let item = try format.next() {
                size += format.skip(before: item, at: size)
                switch item {
                case .integer(let width, _): size += width
                case .float: size += 4
                case .double: size += 8
                case .padding: size += 1
                case .terminated: return .badArgument(1, "option 's' has no fixed size")
                case .characters(let count):
                    if count == 0 { return .badArgument(1, "option 'c0' has no fixed size") }
                    size += count
                }
            }
        } catch {
            return error.outcome
        }
        lua_pushnumber(lua, Double(size))
        return .results(1)
    }

    private func expected(_ type: String, _ argument: Int32) -> String {
        let given = lua_type(lua, argument)
        return "\(type) expected, got \(given == LUA_TNONE ? "no value" : String(cString: lua_typename(lua, given)))"
    }

    /// The lowest 64 bits.
    private static func word(_ slice: ArraySlice<UInt8>, isLittle: Bool) -> UInt64 {
        var value: UInt64 = 0
        if isLittle {
            for byte in slice.prefix(8).reversed() { value = value << 8 | UInt64(byte) }
        } else {
            for byte in slice.suffix(8) { value = value << 8 | UInt64(byte) }
        }
        return value
    }

    private static func integer(_ slice: ArraySlice<UInt8>, isLittle: Bool, isSigned: Bool) -> Double {
        let value = word(slice, isLittle: isLittle)
        guard isSigned else { return Double(value) }
        let unused = UInt64(max(0, 64 - 8 * slice.count))
        return unused == 64 ? 0 : Double(Int64(bitPattern: value << unused) >> Int64(unused))
    }

    private static func bits(_ number: Double) -> UInt64 {
        number < 0 ? UInt64(bitPattern: truncated(number)) : UInt64(exactly: number.rounded(.towardZero)) ?? 0
    }
}
