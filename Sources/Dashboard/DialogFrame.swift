import TerminalUI

// Where a dialog's lines stand: in a box in the middle, or on a small terminal over all of the region.

extension Canvas {
    /// Cells that a dialog's lines may be wide.
    func dialogWidth(_ wanted: Int) -> Int {
        framing == .rules ? max(1, min(max(wanted, 120), width - 2)) : max(1, min(wanted, width - 8))
    }

    /// Lines that a dialog has room for.
    var dialogRows: Int { max(1, framing == .rules ? height - 1 : height - 4) }

    /// Whether a dialog's lines are too short for columns side by side.
    var isNarrowDialog: Bool { framing == .rules && width < 60 }

    /// Draws a dialog's frame, then its lines into their place.
    /// - Parameters:
    ///   - width: what ``dialogWidth(_:)`` gave.
    ///   - lines: how many there are; more than ``dialogRows`` are not seen.
    /// - Returns: the place of the lines.
    @discardableResult
    mutating func sheet(_ panel: Panel, width wanted: Int, lines: Int, _ draw: (inout Canvas) -> Void) -> Rect {
        let place: Rect
        if framing == .rules {
            overlay(bounds, panel) { _ in }
            place = Rect(x: 1, y: 1, width: width - 2, height: height - 1)
        } else {
            let rect = bounds.centred(width: wanted + 6, height: lines + 4)
            overlay(rect, panel) { _ in }
            place = Rect(x: rect.x + 3, y: rect.y + 2, width: rect.width - 6, height: rect.height - 3)
        }
        within(place, draw)
        return place
    }
}
