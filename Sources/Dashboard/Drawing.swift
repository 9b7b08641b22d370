import Telemetry
import TerminalUI

// Small things that several panels draw.

extension WarRoomSnapshot.Event.Severity {
    var role: Role {
        switch self {
        case .info: .dim
        case .good: .good
        case .warning: .warn
        case .bad: .bad
        }
    }

    func glyph(_ glyphs: Glyphs) -> String {
        switch self {
        case .info: glyphs.bullet
        case .good: glyphs.calm
        case .warning: glyphs.alert
        case .bad: glyphs.down
        }
    }

    /// The sentence beside the glyph.
    var text: Style {
        switch self {
        case .info: Style(.text)
        case .good: Style(.good)
        case .warning: Style(.warn)
        case .bad: Style(.bad, attributes: .bold)
        }
    }
}

extension Canvas {
    /// A sentence from outside on at most so many lines.
    func wrapped(_ text: String, width: Int, lines: Int) -> [String] {
        let fitted = SafeText.fitted(own(text), width: width * max(0, lines), ellipsis: glyphs.ellipsis)
        return Array(SafeText.wrapped(fitted, width: width).prefix(max(0, lines)))
    }

    /// Our own words, for terminals that show only ASCII.
    func own(_ text: String) -> String {
        if glyphs.isUnicode || text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var result = ""
        for character in text {
            switch character {
            case "…": result += "..."
            case "µ": result += "u"
            case "−", "–": result += "-"
            case "×": result += "x"
            case "→": result += "->"
            default: result.append(character)
            }
        }
        return result
    }

    /// Milliseconds as people say them; `-` where nothing was measured.
    func time(milliseconds: Double?) -> String {
        milliseconds.map { own(Formats.duration(seconds: $0 / 1000)) } ?? "-"
    }

    /// How long ago something was, in whole seconds: what changes ten times a second cannot be read.
    func age(_ seconds: Double) -> String {
        seconds < 1
            ? "just now" : seconds < 99 ? "\(wholeSeconds(seconds)) s ago" : Formats.duration(seconds: seconds) + " ago"
    }

    /// Writes spans, cut with an ellipsis where they are wider than the field.
    mutating func fit(_ x: Int, _ y: Int, width: Int, _ spans: [Span]) {
        var column = x
        for (index, span) in spans.enumerated() {
            let room = x + width - column
            let rest = spans[index...].reduce(0) { $0 + SafeText.width($1.text) }
            let mine = SafeText.width(span.text)
            if rest <= room || mine < room {
                column = put(column, y, span.text, span.style)
            } else {
                // This one is cut, also where only those after it have no room.
                let text = mine == room ? span.text + " " : span.text
                label(column, y, width: room, text, span.style)
                return
            }
        }
    }

    /// A label and, at the right end of the field, its value.
    mutating func pair(_ x: Int, _ y: Int, width: Int, _ label: String, _ value: [Span]) {
        let size = value.reduce(0) { $0 + SafeText.width($1.text) }
        self.label(x, y, width: max(0, width - size - 1), label, Style(.dim))
        putRight(x, y, width: width, value)
    }

    /// A filled label that is seen from across the room.
    /// - Returns: the column after it.
    @discardableResult
    mutating func shout(_ x: Int, _ y: Int, width: Int, _ text: String, _ role: Role) -> Int {
        let shown = SafeText.fitted(text, width: max(0, width - 2), ellipsis: glyphs.ellipsis)
        return shown.isEmpty ? x : badge(x, y, shown, role)
    }

    /// A table whose hits are told in cells of the whole screen, as a mouse names them.
    mutating func placedTable(
        _ rect: Rect, _ table: Table, cell: (_ row: Int, _ column: Int) -> TableCell
    ) -> TableHits {
        var hits = self.table(rect, table, cell: cell)
        hits.body.x += origin.x
        hits.body.y += origin.y
        for index in hits.heads.indices {
            hits.heads[index].rect.x += origin.x
            hits.heads[index].rect.y += origin.y
        }
        return hits
    }

    /// A line across with a heading cut into it, and a remark at its right end.
    mutating func rule(_ y: Int, _ title: String, note: String = "") {
        let line = String(repeating: glyphs.horizontal, count: width)
        put(0, y, line, Style(.border))
        // Without room for both the remark goes.
        let isTight = SafeText.width(title) + SafeText.width(note) + 8 > width
        let note = isTight && SafeText.width(title) > width / 4 ? "" : note
        let room = width - (note.isEmpty ? 2 : SafeText.width(note) + 6)
        let shown = SafeText.fitted(title, width: max(0, room), ellipsis: glyphs.ellipsis)
        put(1, y, " " + shown + " ", Style(.dim, attributes: .bold))
        if !note.isEmpty && room > 4 { put(width - SafeText.width(note) - 3, y, " " + note + " ", Style(.dim)) }
    }

    /// Makes what was drawn step back behind a dialog.
    mutating func recede() {
        restyle(bounds) { style in
            Style(.faint, on: style.background == .standard ? .standard : .background, [])
        }
    }
}

extension String {
    /// With spaces behind it up to so many cells.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - SafeText.width(self)))
    }
}

/// Seconds as a count: never negative, and never a trap for what is no number.
func wholeSeconds(_ seconds: Double) -> Int {
    seconds.isNaN ? 0 : Int(max(0, min(seconds, 1e9)))
}

/// Wall-clock time of day: `12:04:30`.
func timeOfDay(_ milliseconds: UInt64, offset: Int) -> String {
    let seconds = Int(milliseconds / 1_000 % 86_400) + offset
    let day = ((seconds % 86_400) + 86_400) % 86_400
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return two(day / 3_600) + ":" + two(day / 60 % 60) + ":" + two(day % 60)
}

/// A rate for a column whose head says `/s`.
func perSecond(_ rate: Double) -> String {
    if !rate.isFinite { return rate > 0 ? "max" : "-" }
    return rate > 0 && rate < 9.95 ? Formats.decimals(rate, 1) : Formats.count(rate)
}

/// Units in at most `width` cells: all digits where they fit.
func units(_ value: Int64, width: Int) -> String {
    let all = Formats.grouped(value)
    return all.utf8.count <= width ? all : Formats.count(Double(value))
}
