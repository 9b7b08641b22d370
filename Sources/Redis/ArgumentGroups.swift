/// Arguments that many calls carry, in groups of the same size, encoded once in one piece of memory: the keys of a sale may be
/// millions, and a call copies those that it needs.
public struct ArgumentGroups: Sendable {
    public let groupSize: Int
    private var arguments: EncodedArguments
    /// Where each group ends.
    private var ends: [Int] = []

    /// - Parameters:
    ///   - groupSize: arguments in each group, 1 or more.
    ///   - groups: to reserve for.
    ///   - capacity: bytes to reserve for all arguments as they are encoded.
    public init(groupSize: Int, groups: Int = 0, capacity: Int = 0) {
        self.groupSize = groupSize
        arguments = EncodedArguments(capacity: capacity)
        ends.reserveCapacity(groups)
    }

    /// Bytes of all as they are encoded.
    public var encodedBytes: Int { arguments.bytes.count }
    /// Groups that are whole.
    public var count: Int { ends.count }

    /// Adds the next argument, of two parts.
    public mutating func append(_ start: [UInt8], _ end: String) {
        arguments.append(start, end)
        guard arguments.count % groupSize == 0 else { return }
        ends.append(arguments.bytes.count)
    }

    /// One argument as it was added.
    public func argument(_ position: Int, ofGroup group: Int) -> [UInt8] {
        var at = start(of: group)
        for _ in 0..<position { at = argument(at: at).upperBound + 2 }
        return Array(arguments.bytes[argument(at: at)])
    }

    func encoded(_ range: Range<Int>) -> ArraySlice<UInt8> {
        range.isEmpty ? [] : arguments.bytes[start(of: range.lowerBound)..<ends[range.upperBound - 1]]
    }

    private func start(of group: Int) -> Int { group == 0 ? 0 : ends[group - 1] }

    /// Where the bytes of the argument lie that is encoded from `position` on.
    private func argument(at position: Int) -> Range<Int> { arguments.argument(at: position) }
}
