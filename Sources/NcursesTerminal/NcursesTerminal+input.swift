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
                events.append(.key(escape()))
            } else if let press = Self.character(code) {
                events.append(.key(press))
            }
        }
        return events
    }

    /// Esc alone, or Alt with the character that came with it.
    private func escape() -> KeyPress {
        var code: wint_t = 0
        guard get_wch(&code) == OK, code != 27, var press = Self.character(code) else { return .escape }
        press.modifiers.insert(.alt)
        return press
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
