import Inventory
import Telemetry
import TerminalUI

@testable import Dashboard

/// Drives a screen as a hand would, without a terminal.
struct Driver {
    var model: Model
    private(set) var effects: [Effect] = []

    init(
        _ snapshot: WarRoomSnapshot = Fixture.open(), columns: Int = 120, rows: Int = 40,
        permissions: Permissions = Permissions(canOpenWithBuyers: true, canCrash: true), glyphs: Glyphs = .unicode,
        depth: TerminalCapabilities.ColourDepth? = nil
    ) {
        let capabilities = TerminalCapabilities(
            depth: depth ?? (glyphs.isUnicode ? .direct : .mono), glyphs: glyphs,
            term: glyphs.isUnicode ? "xterm" : "vt100")
        model = Model(
            snapshot: snapshot, columns: columns, rows: rows, permissions: permissions, theme: ThemeLibrary.standard,
            capabilities: capabilities, proposedBuyersPerSecond: 5_000, proposedSeconds: 60)
        send(.snapshot(snapshot))
        send(.tick(seconds: 100))
    }

    mutating func send(_ message: Message) { effects += model.update(message) }

    /// Presses keys one after another.
    mutating func press(_ keys: KeyPress...) { for key in keys { send(.key(key)) } }

    /// Types characters as keys.
    mutating func type(_ text: String) { for character in text { send(.key(.char(character))) } }

    mutating func keep(_ effect: Effect) { effects.append(effect) }

    /// What came out since the last time it was asked.
    mutating func taken() -> [Effect] {
        defer { effects = [] }
        return effects
    }

    var screen: Canvas { view(model) }
    var text: String { screen.plainText }

    /// The SKU at the cursor, as its row says.
    var cursor: String? { model.cursorSKU.map { number in model.shown.skus.first { $0.number == number }!.sku } }
}
