/// Positions by number: a table where the numbers lie close together, as those that one SQL table gives out do, else a search by
/// halves, for a large sale has many indexes.
/// The hot path looks up a bucket and a SKU for each order.
public struct DenseIndex: Sendable {
    /// Slots of the table that may be empty for each number, and for all of them.
    private static let gapMax = 8
    private static let slotsFree = 1_024

    private let first: Int32
    /// Position + 1; 0: none.
    private let table: [Int32]
    /// Ascending.
    private let numbers: [Int32]
    /// Position of each of `numbers`; empty if they stand in order.
    private let positions: [Int32]

    /// - Parameter numbers: in the order of their positions, none twice.
    public init(_ numbers: [Int32]) {
        let least = numbers.min() ?? 0
        let span = numbers.isEmpty ? 0 : Int(numbers.max()!) - Int(least) + 1
        first = least
        guard span <= numbers.count * Self.gapMax + Self.slotsFree else {
            table = []
            if zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) {
                (self.numbers, positions) = (numbers, [])
            } else {
                let order = numbers.indices.sorted { numbers[$0] < numbers[$1] }
                (self.numbers, positions) = (order.map { numbers[$0] }, order.map { Int32($0) })
            }
            return
        }
        var table = [Int32](repeating: 0, count: span)
        for (position, number) in numbers.enumerated() { table[Int(number) - Int(least)] = Int32(position) + 1 }
        self.table = table
        self.numbers = []
        positions = []
    }

    /// The position of a number; `nil` for one that is not there.
    public subscript(_ number: Int32) -> Int? {
        let slot = Int(number) - Int(first)
        if slot >= 0, slot < table.count {
            let position = table[slot]
            return position == 0 ? nil : Int(position) - 1
        }
        var (low, high) = (0, numbers.count)
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        guard low < numbers.count, numbers[low] == number else { return nil }
        return positions.isEmpty ? low : Int(positions[low])
    }
}
