/// The lines of an order. One, as nearly all orders have, lies in the order itself and costs no allocation.
@frozen
public struct OrderLines: RandomAccessCollection, Hashable, Sendable, ExpressibleByArrayLiteral {
    @usableFromInline
    @frozen
    enum Storage: Hashable, Sendable {
        case one(OrderLine)
        /// None, or two and more: each list of lines is held in one way only.
        case others([OrderLine])
    }

    @usableFromInline let storage: Storage

    @inlinable
    public init(_ line: OrderLine) { storage = .one(line) }

    @inlinable
    public init(_ lines: [OrderLine]) { storage = lines.count == 1 ? .one(lines[0]) : .others(lines) }

    @inlinable
    public init(arrayLiteral lines: OrderLine...) { self.init(lines) }

    @inlinable public var startIndex: Int { 0 }

    @inlinable
    public var endIndex: Int {
        switch storage {
        case .one: 1
        case .others(let lines): lines.count
        }
    }

    @inlinable
    public subscript(position: Int) -> OrderLine {
        switch storage {
        case .one(let line):
            precondition(position == 0, "an order of one line has no other")
            return line
        case .others(let lines): return lines[position]
        }
    }
}
