import Telemetry
import TerminalUI

/// The 16,384 slots folded into a rectangle of cells: two values a cell where there are half blocks, and as many slots a value as it
/// takes to fit. Slots run along the rows, so each node's ranges are bands.
struct HeatGrid: Sendable, Hashable {
    static let slotsCount = 16_384

    let columns: Int
    let rows: Int
    /// Values in a cell, one above another.
    let layers: Int
    /// Slots in one value.
    let fold: Int

    init(columns: Int, rows: Int, halves: Bool) {
        self.columns = max(1, columns)
        layers = halves ? 2 : 1
        let room = self.columns * max(1, rows) * layers
        fold = (Self.slotsCount + room - 1) / room
        let values = (Self.slotsCount + fold - 1) / fold
        let lines = (values + self.columns - 1) / self.columns
        self.rows = (lines + layers - 1) / layers
    }

    var values: Int { (Self.slotsCount + fold - 1) / fold }

    /// The first slot of a value; beyond the end where there is none.
    func slots(ofValue index: Int) -> Range<Int> {
        let start = min(index * fold, Self.slotsCount)
        return start..<min(start + fold, Self.slotsCount)
    }

    func value(ofSlot slot: Int) -> Int { slot / fold }

    /// Where a slot is drawn.
    func place(ofSlot slot: Int) -> (column: Int, row: Int, layer: Int) {
        let index = value(ofSlot: slot)
        let line = index / columns
        return (index % columns, line / layers, line % layers)
    }

    /// The value drawn at a place; `nil` beyond the last slot.
    func value(column: Int, row: Int, layer: Int) -> Int? {
        guard (0..<columns).contains(column), row >= 0 else { return nil }
        let index = (row * layers + layer) * columns + column
        return index < values ? index : nil
    }

    /// The slot that a step from this one leads to.
    func moved(_ slot: Int, _ motion: Intent.Motion) -> Int {
        let index = value(ofSlot: slot)
        let target =
            switch motion {
            case .left: index - 1
            case .right: index + 1
            case .up: index - columns
            case .down: index + columns
            case .pageUp: index - columns * 8
            case .pageDown: index + columns * 8
            case .first: 0
            case .last: values - 1
            }
        guard (0..<values).contains(target) else {
            return motion == .pageUp ? index % columns * fold : motion == .pageDown ? (values - 1) * fold : slot
        }
        return target * fold
    }
}
