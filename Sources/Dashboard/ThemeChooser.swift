import Telemetry
import TerminalUI

/// The themes in a column, tried on as the cursor moves; nothing is kept before Enter.
struct ThemeChoice: Sendable, Hashable {
    var names: [String]
    /// Of the row under the cursor.
    var index: Int
    /// What is wrong with the theme under the cursor, in a line.
    var problem: String?

    var name: String { names[index] }
}

// MARK: The hand

extension Model {
    mutating func askForTheme() -> [Effect] {
        guard !themeNames.isEmpty else {
            tell("no themes were found", .warning)
            return []
        }
        themeBefore = theme
        let index = themeNames.firstIndex(of: themeName) ?? 0
        dialogs.append(.themes(ThemeChoice(names: themeNames, index: index)))
        return themeNames[index] == themeName ? [] : [.previewTheme(themeNames[index])]
    }

    /// Moves the cursor and asks for what it stands on.
    mutating func moveTheme(_ motion: Intent.Motion) -> [Effect] {
        guard case .themes(var choice) = dialogs.last else { return [] }
        let last = choice.names.count - 1
        switch motion {
        case .up: choice.index = choice.index == 0 ? last : choice.index - 1
        case .down: choice.index = choice.index == last ? 0 : choice.index + 1
        case .pageUp: choice.index = max(0, choice.index - 5)
        case .pageDown: choice.index = min(last, choice.index + 5)
        case .first: choice.index = 0
        case .last: choice.index = last
        case .left, .right: return []
        }
        choice.problem = nil
        dialogs[dialogs.count - 1] = .themes(choice)
        return [.previewTheme(choice.name)]
    }

    /// Keeps what the cursor stands on; what cannot be read cannot be kept.
    mutating func confirm(_ choice: ThemeChoice) -> [Effect] {
        guard choice.problem == nil else { return [.bell] }
        themeBefore = nil
        return [.chooseTheme(choice.name)]
    }

    /// A theme that was asked for came, or what is wrong with it.
    mutating func tryOn(_ name: String, _ result: ThemePreview) {
        guard case .themes(var choice) = dialogs.last, choice.name == name else { return }
        switch result {
        case .theme(let theme):
            self.theme = theme
        case .problem(let sentence):
            choice.problem = sentence
            dialogs[dialogs.count - 1] = .themes(choice)
            if let themeBefore { theme = themeBefore }
        }
    }

    /// The file of the theme that is kept changed: seen at once, unless another one is being tried on.
    mutating func take(_ changed: Theme) {
        guard themeBefore != nil, case .themes(let choice) = dialogs.last else {
            theme = changed
            return
        }
        themeBefore = changed
        if choice.name == themeName || choice.problem != nil { theme = changed }
    }

    /// A chooser that went away, by whatever key, leaves the theme that was there.
    mutating func settleTheme() {
        guard let before = themeBefore else { return }
        let isOpen = dialogs.contains { if case .themes = $0 { true } else { false } }
        if isOpen { return }
        theme = before
        themeBefore = nil
    }
}

// MARK: The eye

extension Model {
    /// Where the chooser stands in an area of this size, and its list in it.
    struct ThemePlaces {
        var rect: Rect
        /// A row for each theme in sight.
        var rows: Rect
        /// The first theme in sight.
        var first: Int
    }

    func themePlaces(_ choice: ThemeChoice, width area: Int, height: Int) -> ThemePlaces {
        let longest = choice.names.map { SafeText.width(SafeText.fitted($0, width: 30)) }.max() ?? 0
        let width = min(area - 4, max(38, longest + 16))
        let samples = isSmall ? 0 : 5
        if isSmall {
            // Beside what is shown, as tall as there is room.
            let width = min(area, max(24, longest + 10))
            let room = max(1, min(choice.names.count, height - 1))
            let first = min(max(0, choice.index - room / 2), max(0, choice.names.count - room))
            let rect = Rect(x: area - width, y: 0, width: width, height: height)
            return ThemePlaces(rect: rect, rows: Rect(x: rect.x, y: 1, width: width, height: room), first: first)
        }
        let room = max(3, min(choice.names.count, height - samples - 6))
        let first = min(max(0, choice.index - room / 2), max(0, choice.names.count - room))
        let mine = min(height, room + samples + 4)
        let rect = Rect(x: area - width - 2, y: max(0, (height - mine) / 2), width: width, height: mine)
        return ThemePlaces(
            rect: rect, rows: Rect(x: rect.x + 1, y: rect.y + 2, width: width - 2, height: room), first: first)
    }

    /// Beside the screen rather than over it: the screen is the preview.
    func drawThemes(_ choice: ThemeChoice, _ hints: [Hint], on canvas: inout Canvas) {
        let places = themePlaces(choice, width: canvas.width, height: canvas.height)
        let (rect, first, room) = (places.rect, places.first, places.rows.height)
        let panel = Panel(
            "theme", details: ["\(choice.index + 1) of \(choice.names.count)"], hints: hints, isFocused: true)
        let top = isSmall ? 0 : 1
        canvas.overlay(rect, panel) { canvas in
            for (row, name) in choice.names.dropFirst(first).prefix(room).enumerated() {
                let isChosen = first + row == choice.index
                let note = name == themeName ? "now" : ""
                if isChosen {
                    canvas.fill(Rect(x: 1, y: row + top, width: canvas.width - 2, height: 1), .selection)
                    canvas.put(1, row + top, canvas.glyphs.cursor, Style(.focusBorder, attributes: .bold))
                }
                let style = isChosen ? Style(.selectionText, attributes: .bold) : Style(.text)
                canvas.label(3, row + top, width: canvas.width - 8, name, style)
                canvas.label(canvas.width - 6, row + top, width: 4, note, Style(.dim), .right)
            }
            if isSmall {
                guard let problem = choice.problem else { return }
                let lines = canvas.wrapped(problem, width: canvas.width - 2, lines: 3)
                canvas.fill(
                    Rect(y: canvas.height - lines.count, width: canvas.width, height: lines.count), .surface)
                for (row, line) in lines.enumerated() {
                    canvas.put(1, canvas.height - lines.count + row, line, Style(.bad))
                }
                return
            }
            canvas.within(
                Rect(x: 2, y: room + 2, width: canvas.width - 4, height: max(0, canvas.height - room - 2))
            ) { drawSamples(choice, on: &$0) }
        }
        canvas.scrollbar(
            rect.right - 1, rect.y + 2, height: room, offset: first, visible: room, total: choice.names.count)
    }

    /// What each colour means here, in the words that it stands behind.
    private func drawSamples(_ choice: ThemeChoice, on canvas: inout Canvas) {
        if let problem = choice.problem {
            for (row, line) in canvas.wrapped(problem, width: canvas.width, lines: 5).enumerated() {
                canvas.put(0, row, line, Style(.bad, attributes: row == 0 ? .bold : []))
            }
            return
        }
        canvas.put(
            0, 0,
            [
                Span("text ", Style(.text)), Span("dim ", Style(.dim)), Span("faint ", Style(.faint)),
                Span("title ", Style(.title, attributes: .bold)), Span("key ", Style(.hot, attributes: .bold)),
                Span("accent", Style(.accent)),
            ])
        canvas.put(
            0, 1,
            [
                Span("OK ", Style(.good)), Span("HOT ", Style(.hot, attributes: .bold)),
                Span("LOW ", Style(.warn, attributes: .bold)), Span("SOLD OUT ", Style(.dim)),
                Span("FROZEN", Style(.frozen, attributes: .bold)),
            ])
        var x = canvas.badge(0, 2, "OPEN", .good)
        x = canvas.badge(x + 1, 2, "HALTED", .warn)
        canvas.badge(x + 1, 2, "OVERSOLD", .bad)
        canvas.gauge(0, 3, width: canvas.width, 0.62, .solid(.accent))
        canvas.heatLegend(0, 4, width: max(0, canvas.width - 9), low: "cold", high: "hot")
    }
}
