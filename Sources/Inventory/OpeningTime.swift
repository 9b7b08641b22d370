/// A moment as a person types it: `12:00`, `12:00:30`, `+5m`, `+90s`, `+1h`.
public struct OpeningTime: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// Seconds since midnight.
        case clock(Int)
        case after(seconds: Int)
    }
    public let kind: Kind

    /// An opening further away is a mistake.
    public static let secondsMax = 86_400

    /// Reads what was typed; `nil`: it is no such moment.
    public init?(_ text: String) {
        if text.hasPrefix("+") {
            var digits = text.dropFirst()
            let unit: Int
            switch digits.last {
            case "s": unit = 1
            case "m": unit = 60
            case "h": unit = 3_600
            default: return nil
            }
            digits = digits.dropLast()
            guard !digits.isEmpty, digits.count <= 5, digits.allSatisfy({ ("0"..."9").contains($0) }),
                let number = Int(digits), number > 0, number * unit <= Self.secondsMax
            else { return nil }
            kind = .after(seconds: number * unit)
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3,
            parts.allSatisfy({ (1...2).contains($0.count) && $0.allSatisfy { ("0"..."9").contains($0) } })
        else { return nil }
        let numbers = parts.compactMap { Int($0) }
        guard numbers.count == parts.count, numbers[0] < 24, numbers[1] < 60, numbers.count < 3 || numbers[2] < 60
        else { return nil }
        kind = .clock(numbers[0] * 3_600 + numbers[1] * 60 + (numbers.count > 2 ? numbers[2] : 0))
    }
}
