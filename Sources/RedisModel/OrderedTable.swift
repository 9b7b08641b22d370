/// A map from byte strings that lists its entries in the order in which they came: Swift's dictionaries list theirs in another
/// order each run, and a simulation must repeat itself to the last byte.
///
/// Reading, writing and removing take constant time; a value that is there keeps its place when it is replaced.
struct OrderedTable<Value> {
    private var positions: [[UInt8]: Int] = [:]
    /// Removed entries stay as `nil` until half of all are.
    private var slots: [(key: [UInt8], value: Value)?] = []

    var count: Int { positions.count }
    var isEmpty: Bool { positions.isEmpty }

    subscript(key: [UInt8]) -> Value? {
        get { positions[key].map { slots[$0]!.value } }
        set {
            guard let newValue else {
                remove(key)
                return
            }
            update(key, newValue)
        }
    }

    func contains(_ key: [UInt8]) -> Bool { positions[key] != nil }

    /// Returns whether the key is new.
    @discardableResult
    mutating func update(_ key: [UInt8], _ value: Value) -> Bool {
        if let position = positions[key] {
            slots[position]!.value = value
            return false
        }
        positions[key] = slots.count
        slots.append((key, value))
        return true
    }

    @discardableResult
    mutating func remove(_ key: [UInt8]) -> Bool {
        guard let position = positions.removeValue(forKey: key) else { return false }
        slots[position] = nil
        if slots.count > 16, positions.count < slots.count / 2 { compact() }
        return true
    }

    /// Changes a value in its place, without a copy of it.
    mutating func modify<Result, Failure: Error>(
        _ key: [UInt8], _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard let position = positions[key] else { return nil }
        return try body(&slots[position]!.value)
    }

    /// All entries, oldest first.
    var entries: [(key: [UInt8], value: Value)] { slots.compactMap { $0 } }

    private mutating func compact() {
        slots = slots.filter { $0 != nil }
        for (position, slot) in slots.enumerated() { positions[slot!.key] = position }
    }
}

extension OrderedTable: Sendable where Value: Sendable {}
