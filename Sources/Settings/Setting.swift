/// Something that can be set: by an argument, in the environment, in a profile or in the file.
public struct Setting: Sendable {
    /// What it takes.
    public enum Shape: Sendable {
        /// `true` or `false`; YAML's `yes`, `no`, `on`, `off` too.
        case flag
        case whole(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        /// Text that passes the check; `takes` says in a few words what that is.
        case text(takes: String, check: @Sendable (String) -> Bool)
    }

    /// Its place in the file, with dots between: `alerts.outboxAge`.
    public let key: String
    public let shape: Shape
    /// What holds where nobody sets it, as people write it; `nil`: nothing.
    public let standard: String?
    /// Without the dashes: `read-only`; `nil` where no command takes it as an argument.
    public let option: String?
    /// The commands that take the option.
    public let commands: Set<String>
    /// A flag that, set in the file, neither an argument nor the environment lifts: whoever marked a place did so against slips.
    public let isMark: Bool
    /// How it is shown where it may hold a secret.
    public let shown: @Sendable (String) -> String
    /// What it does, in one line.
    public let help: String

    public init(
        _ key: String, _ shape: Shape, standard: String? = nil, option: String? = nil, commands: Set<String> = [],
        isMark: Bool = false, shown: @escaping @Sendable (String) -> String = { $0 }, help: String
    ) {
        self.key = key
        self.shape = shape
        self.standard = standard
        self.option = option
        self.commands = commands
        self.isMark = isMark
        self.shown = shown
        self.help = help
    }

    /// `SELLOUT_ALERTS_OUTBOX_AGE`
    public var environmentName: String {
        var name = "SELLOUT_"
        var wasLower = false
        for letter in key {
            if letter.isUppercase && wasLower { name += "_" }
            name += letter == "." ? "_" : letter.uppercased()
            wasLower = letter.isLowercase
        }
        return name
    }

    /// What is wrong with a value, in a few words; `nil`: nothing.
    public func problem(with text: String) -> String? {
        switch shape {
        case .flag:
            return Self.flag(text) == nil ? "write true or false" : nil
        case .whole(let range):
            guard let value = Int(text), range.contains(value) else {
                return "write a whole number, \(range.lowerBound) to \(range.upperBound)"
            }
            return nil
        case .number(let range):
            guard let value = Double(text), range.contains(value) else {
                return "write a number, \(Self.short(range.lowerBound)) to \(Self.short(range.upperBound))"
            }
            return nil
        case .text(let takes, let check):
            return check(text) ? nil : "write \(takes)"
        }
    }

    /// What a value of it is called when it is right: `yes` becomes `true`.
    public func canonical(_ text: String) -> String {
        if case .flag = shape, let flag = Self.flag(text) { return flag ? "true" : "false" }
        return text
    }

    /// Reads a flag.
    public static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    private static func short(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? "\(Int(value))" : "\(value)"
    }
}

/// What is wrong with a setting, in one line: `file:line:key: message`.
public struct SettingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file, or the name in the environment.
    public let place: String
    /// 1-based; 0 when no line is to blame.
    public let line: Int
    public let key: String
    public let message: String
    /// Nobody could look: the file is not there or may not be read.
    public var isUnreadable = false

    public init(place: String, line: Int = 0, key: String = "", message: String, isUnreadable: Bool = false) {
        self.place = place
        self.line = line
        self.key = key
        self.message = message
        self.isUnreadable = isUnreadable
    }

    public var description: String {
        var text = place
        if line > 0 { text += ":\(line)" }
        if !key.isEmpty { text += ":\(key)" }
        return "\(text): \(message)"
    }
}

/// The word that somebody probably meant.
public enum Nearest {
    /// The candidate that takes the fewest changes of a letter, and among equals the first.
    public static func of(_ word: String, among candidates: [String]) -> String? {
        let wanted = Array(word.prefix(80).lowercased())
        return candidates.min { distance(wanted, Array($0.lowercased())) < distance(wanted, Array($1.lowercased())) }
    }

    /// Letters to change, add or leave out (Levenshtein).
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let changed = diagonal + (letter == other ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(changed, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
