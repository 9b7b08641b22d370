import Inventory

/// What the rig says to a party, one line each way: `<number> <verb> <words>`, answered by `<number> <kind> <words>` with the kinds
/// of a history. A party that is ready says `0 ok ready`.
enum PartyWire {
    /// In place of a deduction's flag (1: its outcome is unknown): nobody has asked for the flow before.
    static let first = "f"

    static func text(_ lines: [OrderLine]) -> String {
        lines.map { "\($0.sku.rawValue)*\($0.quantity)" }.joined(separator: ",")
    }

    static func lines(_ text: Substring) -> [OrderLine] {
        text.split(separator: ",").compactMap { part in
            let numbers = part.split(separator: "*").compactMap { Int32($0) }
            return numbers.count == 2 ? OrderLine(sku: SKUNumber(rawValue: numbers[0]), quantity: numbers[1]) : nil
        }
    }

    /// Words that an answer's free text may not contain.
    static func plain(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}
