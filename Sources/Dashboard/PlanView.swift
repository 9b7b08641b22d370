import Telemetry
import TerminalUI

/// The dialog that shows a plan of repairs, and lists of sentences in dialogs.
extension Model {
    func drawPlan(_ plan: PlanSummary, _ scroll: Int, _ dialog: DialogState, on canvas: inout Canvas) {
        let width = canvas.dialogWidth(96)
        let name = requiredName(dialog)
        let head = canvas.wrapped(plan.sentence, width: width, lines: 3)
        let question = canvas.wrapped(planQuestion(plan), width: width, lines: 3)
        let air = isSmall ? 0 : 1
        let room = max(
            1,
            canvas.dialogRows - head.count - question.count - nameRows(name, canvas) - 2 * air - (name == nil ? 0 : air)
        )
        let pages = pagedLines(plan.lines, scroll, width: width, room: room, canvas)
        var lines = head.map { [Span($0, Style(.title, attributes: .bold))] }
        if !pages.isEmpty { lines += Array(repeating: [], count: air) + pages }
        lines += Array(repeating: [], count: air)
        let style = Style(plan.repairs > 0 ? .warn : .dim, attributes: plan.repairs > 0 ? .bold : [])
        lines += question.map { [Span($0, style)] }
        let tone: Role = plan.repairs > 0 ? .warn : .good
        let panel = Panel(
            "comparison", details: plan.repairs > 0 ? [count(plan.repairs, "repair")] : [],
            hints: dialogHints(dialog, canvas.glyphs), isFocused: true, frame: tone)
        let y = lines.count + (name == nil ? 0 : air)
        canvas.sheet(panel, width: width, lines: y + nameRows(name, canvas)) { canvas in
            for (index, line) in lines.enumerated() { canvas.put(0, index, line) }
            if let name { drawName(name, y: y, width: width, on: &canvas) }
        }
    }

    /// Sentences from the one scrolled to, as many as fit whole; where some are out of sight, a line says which are seen.
    func pagedLines(_ all: [String], _ scroll: Int, width: Int, room: Int, _ canvas: Canvas) -> [[Span]] {
        func page(from first: Int, room: Int) -> (lines: [[Span]], next: Int) {
            var lines: [[Span]] = []
            var next = first
            for line in all.dropFirst(first) {
                let parts = canvas.wrapped(line, width: width - 2, lines: min(3, room))
                guard lines.count + parts.count <= room else { break }
                for (index, part) in parts.enumerated() {
                    lines.append([
                        Span(index == 0 ? canvas.glyphs.bullet + " " : "  ", Style(.accent)), Span(part, Style(.text)),
                    ])
                }
                next += 1
            }
            return (lines, next)
        }
        let whole = page(from: 0, room: room)
        if whole.next == all.count { return whole.lines }
        guard room > 1 else { return [[Span("\(count(all.count, "line")), no room here", Style(.dim))]] }
        let first = min(scroll, max(0, all.count - 1))
        let shown = page(from: first, room: room - 1)
        return shown.lines
            + [
                [
                    Span(
                        (shown.next <= first + 1 ? "line \(first + 1)" : "lines \(first + 1) to \(shown.next)")
                            + " of \(Formats.grouped(all.count))", Style(.dim))
                ]
            ]
    }

    private func planQuestion(_ plan: PlanSummary) -> String {
        if plan.repairs == 0 { return "nothing to repair" }
        if permissions.isReadOnly { return "READ-ONLY: the plan cannot be applied here" }
        if permissions.isProduction {
            return
                "applies \(count(plan.repairs, "repair")) once the sale's name is typed; Esc leaves everything as it is"
        }
        return "y applies \(plan.repairs == 1 ? "it" : "them"); any other key leaves everything as it is"
    }
}
