/// What a screen may send to a terminal: text that only stands there, and the few sequences by which ncurses and its terminal
/// descriptions move, colour and erase. Anything else is a hole in the one choke point.
struct TerminalGrammar {
    /// The first thing that does not belong, with what stands around it; `nil`: all of it belongs.
    static func violation(in bytes: [UInt8]) -> String? {
        var grammar = TerminalGrammar(bytes: bytes)
        while grammar.position < bytes.count {
            let start = grammar.position
            if let what = grammar.takeOne() {
                let around = bytes[max(0, start - 24)..<min(bytes.count, start + 40)]
                return "\(what) at byte \(start): \(escaped(around))"
            }
        }
        return nil
    }

    private static func escaped(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "<\(String($0, radix: 16))>" }.joined()
    }

    private let bytes: [UInt8]
    private var position = 0

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    /// - Returns: what is wrong with the next text or sequence.
    private mutating func takeOne() -> String? {
        guard let byte = next() else { return nil }
        switch byte {
        case 0x1B: return escape()
        // Cursor movements: back, tab, down, the line's start.
        case 0x08, 0x09, 0x0A, 0x0D: return nil
        // The alternate character set of simple terminals, in and out.
        case 0x0E, 0x0F: return nil
        case 0..<0x20, 0x7F: return "the control \(byte)"
        case 0x20..<0x7F: return nil
        default: return scalar(byte)
        }
    }

    private mutating func scalar(_ first: UInt8) -> String? {
        let count = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC2 ? 1 : 0
        guard count > 0, first < 0xF5, position + count <= bytes.count else { return "a byte that is not UTF-8" }
        let text = bytes[position - 1..<position + count]
        position += count
        guard let decoded = String(validating: text, as: UTF8.self), let scalar = decoded.unicodeScalars.first else {
            return "bytes that are not UTF-8"
        }
        return Self.isHarmless(scalar) ? nil : "U+\(String(scalar.value, radix: 16))"
    }

    /// No C1, no direction or line controls, nothing invisible, nothing private.
    static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: return false
        default: break
        }
        switch scalar.value {
        case 0xE0000...0xE0FFF, 0xFE00...0xFE0F, 0xFDD0...0xFDEF: return false
        default: return scalar.value & 0xFFFE != 0xFFFE
        }
    }

    private mutating func escape() -> String? {
        switch next() {
        case 0x5B: return controlSequence()
        // Saves and restores the cursor, scrolls back, keypad modes.
        case 0x37, 0x38, 0x4D, 0x3D, 0x3E: return nil
        // Character sets: letters or line drawing.
        case 0x28, 0x29:
            guard let set = next(), [0x30, 0x41, 0x42].contains(set) else { return "a character set" }
            return nil
        case let other: return "ESC \(other.map { String(UnicodeScalar($0)) } ?? "at the end")"
        }
    }

    private mutating func controlSequence() -> String? {
        var text: [UInt8] = []
        while let byte = next() {
            guard (0x30...0x3F).contains(byte) else {
                let parameters = String(decoding: text, as: UTF8.self)
                let isKnown = Self.isKnown(parameters, final: Character(UnicodeScalar(byte)))
                return isKnown ? nil : "CSI \(parameters)\(UnicodeScalar(byte))"
            }
            text.append(byte)
            if text.count > 64 { return "a sequence without an end" }
        }
        return "a sequence cut off"
    }

    private static func isKnown(_ parameters: String, final: Character) -> Bool {
        if parameters.hasPrefix("?") {
            // Cursor keys, its blinking and showing, the mouse in its forms, the other screen, brackets around pastes, wrapping, the
            // linux console's cursor.
            let modes: Set<Substring> = ["1", "7", "12", "25", "1000", "1002", "1006", "1049", "2004", "0", "47"]
            return (final == "h" || final == "l" || final == "c")
                && parameters.dropFirst().split(separator: ";").allSatisfy { modes.contains($0) }
        }
        let numbers = parameters.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) }
        guard parameters.isEmpty || numbers.allSatisfy({ $0.map { $0 >= 0 } ?? false }) || final == "m" else {
            return false
        }
        switch final {
        case "m": return isColour(parameters.isEmpty ? [0] : numbers.map { $0 ?? 0 })
        case "H", "f", "r": return numbers.count <= 2
        case "A", "B", "C", "D", "E", "F", "G", "d", "X", "P", "@", "L", "M", "S", "T", "b", "Z", "I", "a", "e":
            return numbers.count <= 1
        case "K", "J": return ["", "0", "1", "2"].contains(parameters)
        // Insert mode, screen's own word for a plain cursor; the title put on xterm's stack and taken from it, as its description of the other screen has it.
        case "h", "l": return parameters == "4" || parameters == "34"
        case "t": return parameters == "22;0;0" || parameters == "23;0;0"
        default: return false
        }
    }

    private static func isColour(_ numbers: [Int]) -> Bool {
        var rest = numbers[...]
        while let number = rest.popFirst() {
            switch number {
            case 0...4, 7, 10, 11, 22...24, 27, 30...37, 39...47, 49, 90...97, 100...107: continue
            case 38, 48:
                guard let form = rest.popFirst() else { return false }
                let count = form == 5 ? 1 : form == 2 ? 3 : 0
                guard count > 0, rest.count >= count, rest.prefix(count).allSatisfy({ (0...255).contains($0) }) else {
                    return false
                }
                rest = rest.dropFirst(count)
            default: return false
            }
        }
        return true
    }
}
