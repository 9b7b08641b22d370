import Inventory
import Testing

@Suite("Positions by number")
struct DenseIndexTests {
    /// Close together, far apart, in order and not.
    static let numbers: [[Int32]] = [
        [], [7], [1, 2, 3], [3, 1, 2], [.min, .max], [.max, 0, .min], (0..<500).map { $0 * 1_000 + 3 },
        (0..<500).reversed().map { $0 * 1_000 + 3 }, (0..<3_000).map { $0 * 5 }, [1, 2_000_000, 3, 1_999_999],
    ]

    @Test(arguments: numbers)
    func areFound(_ numbers: [Int32]) {
        let index = DenseIndex(numbers)
        for (position, number) in numbers.enumerated() { #expect(index[number] == position) }
        let known = Set(numbers)
        let others = numbers.flatMap { [$0 &- 1, $0 &+ 1, $0 &+ 500] } + [0, 1, -1, .min, .max, 1_000_000]
        for other in others where !known.contains(other) { #expect(index[other] == nil, "\(other)") }
    }
}
