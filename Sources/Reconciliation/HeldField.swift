import Inventory

/// What a buyer holds of a limited SKU, as its ledger says: field `@<buyer>`, value the units.
enum HeldField {
    static func name(_ buyer: BuyerID) -> [UInt8] { [UInt8(ascii: "@")] + buyer.bytes }
    static func value(_ units: Int64) -> [UInt8] { Array("\(units)".utf8) }

    /// `nil` for a field of another kind, or a value that is no count.
    static func read(_ name: [UInt8], _ value: [UInt8]) -> (buyer: BuyerID, units: Int64)? {
        guard name.count == 17, name[0] == UInt8(ascii: "@"), let buyer = BuyerID(bytes: name.dropFirst()),
            let units = Int64(String(decoding: value, as: UTF8.self)), units > 0
        else { return nil }
        return (buyer, units)
    }
}
