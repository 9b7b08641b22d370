/// Numbers as the screen shows them: short, in the same width, so that nothing jitters.
public enum Formats {
    /// Three significant digits and a unit: `812`, `4.12k`, `48.2k`, `482k`, `1.20M`. At most five characters up to 999T.
    public static func count(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        if value < 0 { return "-" + count(-value) }
        if value < 999.5 { return String(Int(value.rounded())) }
        return scaled(value, base: 1000, units: ["", "k", "M", "G", "T", "P", "E"])
    }

    /// As ``count(_:)-(Double)``, for whole numbers.
    public static func count(_ value: some BinaryInteger) -> String { count(Double(value)) }

    /// The same, padded on the left to a width.
    public static func count(_ value: Double, width: Int) -> String { padded(count(value), width) }

    /// A rate: `48.2k/s`; below 10 with a decimal: `3.4/s`.
    public static func rate(_ perSecond: Double) -> String {
        guard perSecond.isFinite else { return "-" }
        if perSecond > 0 && perSecond < 9.95 { return decimals(perSecond, 1) + "/s" }
        return count(perSecond) + "/s"
    }

    /// All digits with commas: `1,200,345`.
    public static func grouped(_ value: some BinaryInteger) -> String {
        let digits = String(value.magnitude)
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { result += "," }
            result.append(digit)
        }
        return value < 0 ? "-" + result : result
    }

    /// A length of time in seconds: `0.4 ms`, `18 ms`, `1.2 s`, `42 s`, `3 min`, `2.5 h`, `4 d`.
    public static func duration(seconds: Double) -> String {
        guard seconds.isFinite else { return "-" }
        if seconds < 0 { return "-" + duration(seconds: -seconds) }
        let milliseconds = seconds * 1000
        if milliseconds == 0 { return "0 ms" }
        if milliseconds < 0.95 { return "\(Int((milliseconds * 1000).rounded())) µs" }
        if milliseconds < 9.95 { return decimals(milliseconds, 1) + " ms" }
        if milliseconds < 999.5 { return "\(Int(milliseconds.rounded())) ms" }
        if seconds < 9.95 { return decimals(seconds, 1) + " s" }
        if seconds < 99.5 { return "\(Int(seconds.rounded())) s" }
        if seconds < 5970 { return "\(Int((seconds / 60).rounded())) min" }
        if seconds < 172_800 { return decimals(seconds / 3600, 1) + " h" }
        return "\(Int((seconds / 86_400).rounded())) d"
    }

    /// A running clock: `00:42`, `12:34`, `1:02:03`. Whole seconds, rounded down; negative shows as zero.
    public static func clock(seconds: Double) -> String {
        let total = seconds.isFinite ? Int(max(0, min(seconds, 3.6e9))) : 0
        let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60)
        return (hours > 0 ? "\(hours):" : "") + two(minutes) + ":" + two(rest)
    }

    /// Bytes in powers of 1,000: `812 B`, `48.2 kB`, `114 MB`.
    public static func bytes(_ value: some BinaryInteger) -> String {
        let amount = Double(value)
        if amount < 0 { return "-" + bytes(value.magnitude) }
        if amount < 999.5 { return "\(Int(amount)) B" }
        return scaled(amount, base: 1000, units: ["", " kB", " MB", " GB", " TB", " PB", " EB"])
    }

    /// A share of 1 as a percentage: `0 %`, `0.3 %`, `61 %`, `100 %`. Less than all is never rounded to 100 %.
    public static func percent(_ share: Double) -> String {
        guard share.isFinite else { return "- %" }
        let value = share * 100
        if value > 0 && value < 9.95 { return decimals(max(value, 0.1), 1) + " %" }
        if value < 100 && value > 99 { return "99 %" }
        return "\(Int(value.rounded())) %"
    }

    /// Spaces behind, up to `width` cells.
    public static func leading(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - SafeText.width(text)))
    }

    /// Padded on the left with spaces to a width in cells.
    public static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - SafeText.width(text))) + text
    }

    /// Fixed decimals, rounded half away from zero. `places` 0...6.
    public static func decimals(_ value: Double, _ places: Int) -> String {
        var factor = 1
        for _ in 0..<places { factor *= 10 }
        let total = Int((value.magnitude * Double(factor)).rounded())
        let sign = value < 0 && total > 0 ? "-" : ""
        if places == 0 { return sign + String(total) }
        let rest = String(total % factor)
        return sign + "\(total / factor)." + String(repeating: "0", count: places - rest.count) + rest
    }

    private static func scaled(_ value: Double, base: Double, units: [String]) -> String {
        var amount = value
        var unit = 0
        // 999.5 would print as 1000: the next unit takes over before.
        while amount >= 999.5 && unit < units.count - 1 {
            amount /= base
            unit += 1
        }
        let places = amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0
        return decimals(amount, places) + units[unit]
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
