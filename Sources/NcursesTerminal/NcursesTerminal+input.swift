import CNcurses
import Glibc
public import TerminalUI

/// Codes that ncurses gives to the sequences around pasted text; above KEY_MAX.
private let pasteBegins: Int32 = 0o2001
private let pasteEnds: Int32 = 0o2002
/// The most that one paste may bring, in scalars; the rest is dropped.
private let pasteLimit = 65_536

extension NcursesTerminal {
    /// Makes ncurses know the marks of bracketed paste.
    func definePasteKeys() {
        define_key("\u{1B}[200~", pasteBegins)
        define_key("\u{1B}[201~", pasteEnds)
    }

    /// Takes what was typed, clicked and pasted since; never blocks longer than the 25 ms that tell Esc from the start of a
    /// sequence.
    public func readEvents() -> [TerminalEvent] {
        var events: [TerminalEvent] = []
        var code: wint_t = 0
        // Bounded, so that a flood of input cannot keep a frame from being drawn.
        for _ in 0..<4096 {
            let kind = get_wch(&code)
            if kind == ERR { break }
            let isKey = kind == KEY_CODE_YES
            let key = Int32(bitPattern: code)
            if isKey && key == pasteBegins {
                paste = ""
            } else if isKey && key == pasteEnds {
                if let text = paste { events.append(.paste(text)) }
                paste = nil
            } else if paste != nil {
                if !isKey, paste?.unicodeScalars.count ?? 0 < pasteLimit, let scalar = Unicode.Scalar(code) {
                    paste?.unicodeScalars.append(scalar == "\r" ? "\n" : scalar)
                }
            } else if isKey {
                if let event = special(key) { events.append(event) }
            } else if code == 27 {
                if let event = escape() { events.append(event) }
            } else if let press = Self.character(code) {
                events.append(.key(press))
            }
        }
        return events
    }

    /// Esc alone, Alt with the character that came with it, or a sequence that ncurses does not know: that is swallowed
    /// whole, because its letters taken for keys could halt a sale.
    private func escape() -> TerminalEvent? {
        var code: wint_t = 0
        guard get_wch(&code) == OK, code != 27, var press = Self.character(code) else { return .key(.escape) }
        press.modifiers.insert(.alt)
        guard code == 0x5B || code == 0x4F else { return .key(press) }
        var sequence: [UInt8] = []
        while sequence.count < 64, get_wch(&code) == OK {
            sequence.append(UInt8(truncatingIfNeeded: code))
            if (0x40...0x7E).contains(code) { break }
        }
        return sequence.isEmpty ? .key(press) : Self.mouse(sequence)
    }

    /// A mouse report in SGR form (`<button;x;y` and M or m), which some terminals send though their description does not
    /// say so; nil for anything else.
    private static func mouse(_ sequence: [UInt8]) -> TerminalEvent? {
        guard sequence.first == 0x3C, let final = sequence.last, final == 0x4D || final == 0x6D else { return nil }
        let numbers = sequence.dropFirst().dropLast().split(separator: 0x3B).compactMap {
            Int(String(decoding: $0, as: UTF8.self))
        }
        guard numbers.count == 3, numbers[1] > 0, numbers[2] > 0 else { return nil }
        let action: MouseEvent.Action
        switch (numbers[0], final) {
        case (0, 0x4D): action = .press
        case (0, _): action = .release
        case (64, _): action = .wheelUp
        case (65, _): action = .wheelDown
        default: return nil
        }
        return .mouse(MouseEvent(action, x: numbers[1] - 1, y: numbers[2] - 1))
    }

    private static func character(_ code: wint_t) -> KeyPress? {
        switch code {
        case 9: .tab
        case 10, 13: .enter
        case 8, 127: .backspace
        case 0: .control(" ")
        case 1...26: .control(Character(Unicode.Scalar(UInt8(code + 96))))
        case 28...31: .control(Character(Unicode.Scalar(UInt8(code + 64))))
        default: Unicode.Scalar(code).map { .char(Character($0)) }
        }
    }

    private func special(_ key: Int32) -> TerminalEvent? {
        switch key {
        case KEY_MOUSE: return mouse()
        case KEY_UP: return .key(.up)
        case KEY_DOWN: return .key(.down)
        case KEY_LEFT: return .key(.left)
        case KEY_RIGHT: return .key(.right)
        case KEY_HOME: return .key(.home)
        case KEY_END: return .key(.end)
        case KEY_PPAGE: return .key(.pageUp)
        case KEY_NPAGE: return .key(.pageDown)
        case KEY_ENTER: return .key(.enter)
        case KEY_BACKSPACE: return .key(.backspace)
        case KEY_DC: return .key(.delete)
        case KEY_IC: return .key(KeyPress(.insert))
        case KEY_BTAB: return .key(.backTab)
        case KEY_F0 + 1...KEY_F0 + 12: return .key(KeyPress(.function(Int(key - KEY_F0))))
        default: return nil
        }
    }

    private func mouse() -> TerminalEvent? {
        var event = MEVENT()
        guard getmouse(&event) == OK else { return nil }
        let action: MouseEvent.Action
        switch sellout_mouse_action(event.bstate) {
        case 1: action = .press
        case 2: action = .release
        case 3: action = .doubleClick
        case 4: action = .wheelUp
        case 5: action = .wheelDown
        default: return nil
        }
        return .mouse(MouseEvent(action, x: Int(event.x), y: Int(event.y)))
    }
}
