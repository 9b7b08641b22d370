extension BinaryInteger {
    /// The number with its noun: `1 unit`, `5 units`.
    public func counted(_ singular: String) -> String { "\(self) \(singular)\(self == 1 ? "" : "s")" }
}
