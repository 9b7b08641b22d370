import Telemetry
import TerminalUI

extension Model {
    /// What happened, a plain sentence each, the newest last.
    func drawEvents(_ rect: Rect, on canvas: inout Canvas) {
        let events = shown.events
        let back = min(position(.events).cursor, max(0, events.count - 1))
        let details = [events.isEmpty ? "" : Formats.grouped(events.count), back > 0 ? "\(back) back, G newest" : ""]
        let panel = Panel("events", details: details, number: 5, isFocused: isFocused(.events))
        let inside = canvas.panel(rect, panel).inset(1, 0)
        canvas.within(inside) { canvas in
            guard !events.isEmpty else {
                canvas.label(
                    0, canvas.height / 2, width: canvas.width, "nothing has happened yet", Style(.dim), .centre)
                return
            }
            let indent = 12
            let width = max(8, canvas.width - indent)
            var blocks: [(event: WarRoomSnapshot.Event, lines: [String])] = []
            var used = 0
            for event in events.dropLast(back).reversed() where used < canvas.height {
                // The newest is told whole; older ones as far as there is room.
                let lines = canvas.wrapped(event.text, width: width, lines: canvas.height)
                blocks.append((event, lines))
                used += lines.count
            }
            if used > canvas.height, blocks.count > 1, let oldest = blocks.last {
                // The oldest has room for some of its lines: then its beginning stands there, not its end.
                let room = oldest.lines.count - (used - canvas.height)
                blocks[blocks.count - 1].lines = canvas.wrapped(oldest.event.text, width: width, lines: room)
            }
            var y = 0
            for block in blocks.reversed() {
                let severity = block.event.severity
                for (index, line) in block.lines.enumerated() where y < canvas.height {
                    if index == 0 {
                        let time = timeOfDay(block.event.atMilliseconds, offset: utcOffsetSeconds)
                        canvas.put(0, y, time, Style(.dim))
                        canvas.put(10, y, severity.glyph(canvas.glyphs), severity.text)
                    }
                    canvas.put(indent, y, line, severity.text)
                    y += 1
                }
            }
        }
    }
}
