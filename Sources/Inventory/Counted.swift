extension BinaryInteger {
    /// The number with its noun, its digits in groups: `1 unit`, `5 units`, `42,371,776 units`.
    public func counted(_ singular: String) -> String { "\(inGroups) \(singular)\(self == 1 ? "" : "s")" }

    /// All its digits, a comma before each three: `1,200`, `-12,500`. For sentences that people read.
    public var inGroups: String {
        let digits = Array(magnitude.description.utf8)
        var text: [UInt8] = self < 0 ? [UInt8(ascii: "-")] : []
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text.append(UInt8(ascii: ",")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
