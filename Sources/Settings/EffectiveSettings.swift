import Configuration
import Synchronization

/// What holds: arguments over environment over profile over file over defaults, and where each value came from.
public struct EffectiveSettings: Sendable {
    /// Who set a value, strongest first.
    public enum Source: String, Sendable, CaseIterable {
        case argument, environment, profile, file
        case standard = "default"
    }

    public struct Value: Hashable, Sendable {
        /// `nil`: nobody sets it, and it has no default.
        public var text: String?
        public var source: Source
        /// `--theme`, `SELLOUT_THEME`, `/home/ada/.config/sellout/config.yaml:7`; empty for a default.
        public var place: String
        /// What would have lifted a mark and does not: `--no-production`; `nil`: nothing was tried.
        public var ignored: String?
    }

    public let settings: [Setting]
    /// By key; every setting has one.
    public let values: [String: Value]
    /// The file that was read.
    public let path: String?
    public let profile: String?

    public subscript(key: String) -> String? { values[key]?.text }

    /// Whether a flag is set.
    public func flag(_ key: String) -> Bool { self[key].flatMap(Setting.flag) ?? false }

    public func number(_ key: String) -> Double? { self[key].flatMap(Double.init) }

    /// Puts the layers on top of each other.
    /// - Parameters:
    ///   - arguments: what the command line gives, by key.
    ///   - environment: of the process; an empty variable counts as not set.
    ///   - profile: asked for by an argument; else the environment's, else the file's.
    /// - Throws: ``SettingError``: a value in the environment that will not do, or a profile that is not there.
    public init(
        _ settings: [Setting], arguments: [String: String] = [:], environment: [String: String] = [:],
        file: SettingsFile? = nil, profile asked: String? = nil
    ) throws(SettingError) {
        self.settings = settings
        path = file?.path
        let given = environment.filter { !$0.value.isEmpty }
        for setting in settings {
            guard let text = given[setting.environmentName], let problem = setting.problem(with: text) else { continue }
            throw SettingError(
                place: setting.environmentName,
                message: "“\(setting.shown(String(text.prefix(60))))” will not do: \(problem)")
        }
        profile = asked ?? given["SELLOUT_PROFILE"] ?? file?.entries["profile"]?.text
        var inProfile: [String: SettingsFile.Entry] = [:]
        if let profile {
            guard let found = file?.profiles[profile] else {
                let names = file?.profiles.keys.sorted() ?? []
                let known = names.isEmpty ? "there are none" : "there are: " + names.joined(separator: " ")
                throw SettingError(
                    place: "profile “\(profile)”", message: "is not in \(file?.path ?? "any file"); \(known)")
            }
            inProfile = found
        }
        let entries = file?.entries ?? [:]
        let recorder = Recorder()
        let reader = ConfigReader(
            providers: [
                Self.provider("arguments", arguments),
                EnvironmentVariablesProvider(environmentVariables: given).prefixKeys(with: ["sellout"]),
                Self.provider("profile", inProfile.mapValues(\.text)), Self.provider("file", entries.mapValues(\.text)),
                Self.provider("defaults", Self.standards(settings)),
            ], accessReporter: recorder)
        var values: [String: Value] = [:]
        for setting in settings {
            let text = reader.string(forKey: ConfigKey(setting.key))
            let source = recorder.last.flatMap { Source.allCases.indices.contains($0) ? Source.allCases[$0] : nil }
            let place: String =
                switch source {
                case .argument?: setting.option.map { "--\($0)" } ?? ""
                case .environment?: setting.environmentName
                case .profile?: "\(file?.path ?? ""):\(inProfile[setting.key]?.line ?? 0)"
                case .file?: "\(file?.path ?? ""):\(entries[setting.key]?.line ?? 0)"
                case .standard?, nil: ""
                }
            var value = Value(text: text.map(setting.canonical), source: source ?? .standard, place: place)
            if setting.isMark, source == .argument || source == .environment, value.text != "true",
                let set = inProfile[setting.key] ?? entries[setting.key], setting.canonical(set.text) == "true"
            {
                let layer = inProfile[setting.key] == nil ? Source.file : .profile
                let ignored = source == .argument ? setting.option.map { "--no-\($0)" } : setting.environmentName
                value = Value(
                    text: "true", source: layer, place: "\(file?.path ?? ""):\(set.line)", ignored: ignored)
            }
            values[setting.key] = value
        }
        if let profile { values["profile"]?.text = profile }
        self.values = values
    }

    /// What a person typed, without what would lift a mark that the file sets; and what was left out, one sentence each.
    public func keepingMarks(_ arguments: some Sequence<String>) -> (kept: [String], sentences: [String]) {
        var (kept, sentences, isOver): ([String], [String], Bool) = ([], [], false)
        for argument in arguments {
            isOver = isOver || argument == "--"
            let lifted = settings.first { setting in
                guard !isOver, setting.isMark, let option = setting.option, argument == "--no-\(option)",
                    let value = values[setting.key]
                else { return false }
                return value.text == "true" && (value.source == .profile || value.source == .file)
            }
            guard let lifted, let value = values[lifted.key] else {
                kept.append(argument)
                continue
            }
            sentences.append(Self.ignored(argument, value))
        }
        return (kept, sentences)
    }

    private static func ignored(_ what: String, _ mark: Value) -> String {
        "\(what) is ignored: the \(mark.source.rawValue) marks this place, and only \(mark.place) lifts that"
    }

    /// Variables of the environment that would lift a mark of the file and do not, one sentence each.
    public var ignoredInEnvironment: [String] {
        settings.compactMap { setting in
            guard let value = values[setting.key], let ignored = value.ignored, ignored == setting.environmentName
            else {
                return nil
            }
            return Self.ignored(ignored, value)
        }
    }

    /// What environment, profile and file say, as a command would be told by arguments: put before those that a person typed, the
    /// later of which win.
    public func arguments(for command: String) -> [String] {
        settings.compactMap { setting in
            guard let option = setting.option, setting.commands.contains(command), let value = values[setting.key],
                let text = value.text, value.source != .standard, value.source != .argument
            else { return nil }
            if case .flag = setting.shape { return Setting.flag(text) == true ? "--\(option)" : "--no-\(option)" }
            return "--\(option)=\(text)"
        }
    }

    private static func standards(_ settings: [Setting]) -> [String: String] {
        var all: [String: String] = [:]
        for setting in settings { all[setting.key] = setting.standard }
        return all
    }

    private static func provider(_ name: String, _ values: [String: String]) -> InMemoryProvider {
        var all: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, text) in values {
            all[AbsoluteConfigKey(key.split(separator: ".").map(String.init))] = ConfigValue(
                .string(text), isSecret: false)
        }
        return InMemoryProvider(name: name, values: all)
    }
}

/// Keeps which provider gave the last value.
private final class Recorder: AccessReporter {
    private let index = Mutex<Int?>(nil)

    var last: Int? { index.withLock { $0 } }

    func report(_ event: AccessEvent) {
        let found = event.providerResults.firstIndex { result in
            if case .success(let lookup) = result.result { lookup.value != nil } else { false }
        }
        index.withLock { $0 = found }
    }
}
