import Yams

/// A file of settings, read strictly: every key is known, every value right, and each keeps its line.
///
/// swift-configuration has a provider for YAML, but it knows no lines and takes any key; so the file is read here, and what it
/// says is given to the package as a provider.
public struct SettingsFile: Sendable {
    public struct Entry: Hashable, Sendable {
        public var text: String
        public var line: Int
    }

    /// Larger than any file that a person writes.
    public static let bytesMax = 262_144

    public let path: String
    /// By key.
    public let entries: [String: Entry]
    /// By name, then by key.
    public let profiles: [String: [String: Entry]]

    /// Reads a file's text.
    /// - Throws: ``SettingError`` with file, line and key; an unknown key is told with the nearest that there is.
    public init(yaml: String, path: String, settings: [Setting]) throws(SettingError) {
        var reader = Reader(path: path, settings: settings)
        try reader.read(yaml)
        self.path = path
        entries = reader.entries
        profiles = reader.profiles
    }
}

private struct Reader {
    let path: String
    let known: [String: Setting]
    /// `alerts` of `alerts.outboxAge`.
    let groups: Set<String>
    var entries: [String: SettingsFile.Entry] = [:]
    var profiles: [String: [String: SettingsFile.Entry]] = [:]

    init(path: String, settings: [Setting]) {
        self.path = path
        known = Dictionary(settings.map { ($0.key, $0) }) { first, _ in first }
        groups = Set(settings.compactMap { $0.key.split(separator: ".").dropLast().first.map(String.init) })
    }

    func error(_ node: Node?, _ key: String, _ message: String) -> SettingError {
        SettingError(place: path, line: node?.mark?.line ?? 1, key: key, message: message)
    }

    mutating func read(_ yaml: String) throws(SettingError) {
        guard yaml.utf8.count <= SettingsFile.bytesMax else {
            throw SettingError(place: path, message: "is larger than 256 KiB; not a file of settings")
        }
        guard Self.aliases(in: yaml) <= Self.aliasesMax else {
            throw SettingError(place: path, message: "has more than \(Self.aliasesMax) aliases; write them out")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml.unicodeScalars.first == "\u{FEFF}" ? String(yaml.dropFirst()) : yaml)
        } catch let problem as YamlError {
            throw syntax(problem)
        } catch {
            throw self.error(nil, "", "is not YAML")
        }
        // A file of comments only sets nothing.
        guard let root, root.null == nil else { return }
        guard let mapping = root.mapping else { throw error(root, "", "is not a map of settings") }
        for (key, value) in mapping {
            if key.string == "profiles" { try readProfiles(value) } else { try read(key, value, "", nil) }
        }
    }

    /// A few lines of aliases of aliases stand for more than any memory holds.
    private static let aliasesMax = 24

    /// What may be an alias: a star where a word could begin.
    private static func aliases(in yaml: String) -> Int {
        var count = 0
        var before: UInt8 = 0x0A
        for byte in yaml.utf8 {
            if byte == 0x2A, before <= 0x20 || [0x5B, 0x7B, 0x2C, 0x3A, 0x3F, 0x2D].contains(before) { count += 1 }
            before = byte
        }
        return count
    }

    private mutating func readProfiles(_ node: Node) throws(SettingError) {
        if node.null != nil { return }
        guard let mapping = node.mapping else {
            throw error(node, "profiles", "is not a map of names to settings")
        }
        for (key, value) in mapping {
            guard let name = key.string, !name.isEmpty else { throw error(key, "profiles", "has a name that is none") }
            profiles[name] = [:]
            if value.null != nil { continue }
            guard let settings = value.mapping else {
                throw error(value, "profiles.\(name)", "is not a map of settings")
            }
            for (key, value) in settings { try read(key, value, "", name) }
        }
    }

    private mutating func read(_ key: Node, _ value: Node, _ group: String, _ profile: String?) throws(SettingError) {
        let word = key.string ?? ""
        let full = group.isEmpty ? word : "\(group).\(word)"
        let place = profile.map { "profiles.\($0).\(full)" } ?? full
        if group.isEmpty, groups.contains(word) {
            if value.null != nil { return }
            guard let mapping = value.mapping else { throw error(value, place, "is not a map of settings") }
            for (key, value) in mapping { try read(key, value, word, profile) }
            return
        }
        guard let setting = known[full], profile == nil || full != "profile" else {
            let all =
                known.keys.filter { profile == nil || $0 != "profile" }.sorted() + (profile == nil ? ["profiles"] : [])
            let near = Nearest.of(full, among: all).map { "; the nearest is “\($0)”" } ?? ""
            throw error(key, place, "is not a setting\(near)")
        }
        guard let scalar = value.scalar else { throw error(value, place, "is not one value") }
        let text = scalar.string
        guard value.null == nil || scalar.style != .plain, !text.isEmpty else {
            throw error(key, place, "has no value; leave the line out to use the default")
        }
        if let problem = setting.problem(with: text) {
            throw error(value, place, "“\(setting.shown(String(text.prefix(60))))” will not do: \(problem)")
        }
        let entry = SettingsFile.Entry(text: setting.canonical(text), line: key.mark?.line ?? 0)
        if let profile { profiles[profile]?[full] = entry } else { entries[full] = entry }
    }

    private func syntax(_ problem: YamlError) -> SettingError {
        switch problem {
        case .scanner(_, let text, let mark, _), .parser(_, let text, let mark, _), .composer(_, let text, let mark, _):
            SettingError(place: path, line: mark.line, message: "is not YAML: \(text)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            SettingError(
                place: path, line: context.mark.line, key: duplicates.first ?? "", message: "stands there twice")
        default: SettingError(place: path, message: "is not YAML")
        }
    }
}
