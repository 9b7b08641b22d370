import Yams

/// What is wrong with a theme file, in one line: `file:line:key: message`.
public struct ThemeError: Error, Hashable, Sendable, CustomStringConvertible {
    public let file: String
    /// 1-based; 0 when no line is to blame.
    public let line: Int
    public let key: String
    public let message: String
    /// Nobody could look: the file is not there, may not be read, or is none.
    public var isUnreadable = false

    public var description: String {
        var place = SafeText.visible(file)
        if line > 0 { place += ":\(line)" }
        if !key.isEmpty { place += ":" + SafeText.visible(key) }
        return place + ": " + SafeText.visible(message)
    }
}

/// A base16 or base24 colour scheme, as the tinted-theming project specifies the files
/// (`system, name, author, variant, palette: base00…base0F or …base17`), and the older form with the keys at the top level.
/// An optional `roles:` map says which colour means what here: a role's name to `base0X` or `#rrggbb`; its key `heat` takes
/// a list of two colours or more, cold to hot.
public struct BaseScheme: Hashable, Sendable {
    public var name: String
    public var author: String
    /// `base16`, `base24` or `tinted8`.
    public var system: String
    /// base00 to base0F, and base10 to base17 in a base24 scheme.
    public var palette: [RGB]
    public var roles: [Role: RGB]
    /// Anchors of the heat ramp; empty takes them from the palette.
    public var heat: [RGB]

    /// Reads a scheme.
    /// - Parameters:
    ///   - yaml: the file's text. At most 64 KiB.
    ///   - file: its name, for messages and for a scheme that has none.
    /// - Throws: ``ThemeError`` with line and key.
    public init(yaml: String, file: String) throws(ThemeError) {
        var reader = SchemeReader(file: file)
        let root = try reader.root(yaml)
        if Tinted8.isMeant(root) {
            try self.init(tinted8: root, reader)
        } else {
            try self.init(base: root, reader)
        }
    }

    private init(base root: Node.Mapping, _ reader: SchemeReader) throws(ThemeError) {
        let file = reader.file
        let isOld = root["palette"] == nil
        let colours = try isOld ? root : reader.mapping(root, "palette")
        name = try reader.text(root, isOld && root["scheme"] != nil ? "scheme" : "name") ?? reader.fileStem
        if name.allSatisfy(\.isWhitespace) { name = reader.fileStem }
        author = try reader.text(root, "author") ?? ""
        let names = (0..<24).map { index in
            (index < 16 ? "base0" : "base") + String(index, radix: 16).uppercased()
        }
        func node(_ name: String) -> Node? { colours[name] ?? colours[name.lowercased()] }
        let isWide = names[16...].contains { node($0) != nil }
        system = try reader.text(root, "system") ?? (isWide ? "base24" : "base16")
        guard system == "base16" || system == "base24" else {
            throw reader.error(root["system"], "system", "is “\(system)”; base16, base24 and tinted8 are understood")
        }
        palette = []
        for (index, name) in names.enumerated() where index < 16 || isWide || system == "base24" {
            if let node = node(name) {
                palette.append(try reader.colour(node, name))
            } else if index >= 16 {
                // What a base24 scheme leaves out is the nearest of the sixteen, as the format has it.
                palette.append(palette[[0, 0, 8, 10, 11, 12, 13, 14][index - 16]])
            } else {
                throw ThemeError(
                    file: file, line: colours.mark?.line ?? 1, key: name,
                    message: "is missing; a scheme has base00 to base0F")
            }
        }
        (roles, heat) = ([:], [])
        try readRoles(root, reader)
    }

    private init(tinted8 root: Node.Mapping, _ reader: SchemeReader) throws(ThemeError) {
        let head = root["scheme"]?.mapping ?? root
        name = try reader.text(head, "name") ?? reader.fileStem
        author = try reader.text(head, "author") ?? ""
        system = "tinted8"
        let colours = try reader.mapping(root, "palette")
        var given: [String: RGB] = [:]
        for (key, value) in colours { given[key.string ?? ""] = try reader.colour(value, key.string ?? "") }
        for name in Tinted8.names where given[name] == nil {
            throw ThemeError(
                file: reader.file, line: colours.mark?.line ?? 1, key: name,
                message: "is missing; a tinted8 scheme has \(Tinted8.names.joined(separator: " "))")
        }
        let interface = root["ui"]?.mapping
        func ground(_ which: String) throws(ThemeError) -> RGB? {
            let path = ["global", which, "normal"]
            guard let node = interface.flatMap({ Tinted8.node(path, in: $0) }) else { return nil }
            return try reader.colour(node, "ui." + path.joined(separator: "."))
        }
        palette = Tinted8.palette(
            given, isLight: try reader.text(root, "variant") == "light", background: try ground("background"),
            foreground: try ground("foreground"))
        (roles, heat) = ([:], [])
        try readRoles(root, reader)
    }

    private mutating func readRoles(_ root: Node.Mapping, _ reader: SchemeReader) throws(ThemeError) {
        guard root["roles"] != nil else { return }
        for (key, value) in try reader.mapping(root, "roles") {
            let roleName = key.string ?? ""
            if roleName == "heat" {
                guard let list = value.sequence, list.count >= 2 else {
                    throw reader.error(value, "roles.heat", "needs a list of two colours or more")
                }
                for node in list { heat.append(try reader.colour(node, "roles.heat", palette)) }
                continue
            }
            guard let role = Role.allCases.first(where: { "\($0)" == roleName }) else {
                let known = Role.allCases.map { "\($0)" }.joined(separator: " ")
                throw reader.error(key, "roles." + roleName, "is not a role; roles are: heat \(known)")
            }
            roles[role] = try reader.colour(value, "roles." + roleName, palette)
        }
    }
}

/// Walks the YAML tree and knows where it is when something is wrong.
private struct SchemeReader {
    let file: String

    var fileStem: String {
        let last = file.split(separator: "/").last.map(String.init) ?? file
        return last.split(separator: ".").first.map(String.init) ?? last
    }

    func error(_ node: Node?, _ key: String, _ message: String) -> ThemeError {
        ThemeError(file: file, line: node?.mark?.line ?? 0, key: key, message: message)
    }

    mutating func root(_ yaml: String) throws(ThemeError) -> Node.Mapping {
        guard yaml.utf8.count <= 65_536 else { throw error(nil, "", "is larger than 64 KiB; not a theme") }
        guard Self.aliases(in: yaml) <= Self.aliasesMax else {
            throw error(nil, "", "has more than \(Self.aliasesMax) aliases; not a theme")
        }
        let node: Node?
        do {
            // Some editors begin a file with a mark of its byte order.
            node = try Yams.compose(yaml: yaml.unicodeScalars.first == "\u{FEFF}" ? String(yaml.dropFirst()) : yaml)
        } catch let problem as YamlError {
            throw Self.syntax(problem, file)
        } catch {
            throw self.error(nil, "", "is not YAML")
        }
        guard let node else {
            throw ThemeError(file: file, line: 1, key: "palette", message: "is missing: the file is empty")
        }
        guard let mapping = node.mapping else {
            throw error(node, "", "is not a map of keys; a theme has name, author and palette")
        }
        return mapping
    }

    /// A few lines of aliases of aliases stand for more than any memory holds.
    static let aliasesMax = 24

    /// What may be an alias: a star where a word could begin.
    static func aliases(in yaml: String) -> Int {
        var count = 0
        var before: UInt8 = 0x0A
        for byte in yaml.utf8 {
            if byte == 0x2A, before <= 0x20 || [0x5B, 0x7B, 0x2C, 0x3A, 0x3F, 0x2D].contains(before) { count += 1 }
            before = byte
        }
        return count
    }

    private static func syntax(_ problem: YamlError, _ file: String) -> ThemeError {
        switch problem {
        case .scanner(_, let text, let mark, _), .parser(_, let text, let mark, _), .composer(_, let text, let mark, _):
            return ThemeError(file: file, line: mark.line, key: "", message: "is not YAML: \(text)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return ThemeError(
                file: file, line: context.mark.line, key: duplicates.first ?? "", message: "stands there twice")
        default:
            return ThemeError(file: file, line: 0, key: "", message: "is not YAML")
        }
    }

    func mapping(_ parent: Node.Mapping, _ key: String) throws(ThemeError) -> Node.Mapping {
        guard let node = parent[key], let mapping = node.mapping else {
            throw error(parent[key], key, "is not a map of names to colours")
        }
        return mapping
    }

    func text(_ parent: Node.Mapping, _ key: String) throws(ThemeError) -> String? {
        guard let node = parent[key] else { return nil }
        guard let scalar = node.scalar else { throw error(node, key, "is not a word") }
        return String(scalar.string.prefix(80))
    }

    /// Reads `rrggbb`, `#rrggbb` or, where a palette is given, the name of one of its colours.
    func colour(_ node: Node, _ key: String, _ palette: [RGB] = []) throws(ThemeError) -> RGB {
        // The scalar's text as written: YAML would make a number of 000000 and lose its zeros.
        guard let scalar = node.scalar else {
            throw error(node, key, "is not a colour; write it as \"#rrggbb\" with its quotes")
        }
        let text = scalar.string
        if text.isEmpty { throw error(node, key, "is empty; write a colour as \"#rrggbb\" with its quotes") }
        if let colour = RGB(text: text) { return colour }
        if text.count == 6, text.lowercased().hasPrefix("base"), let index = Int(text.dropFirst(4), radix: 16) {
            if palette.indices.contains(index) { return palette[index] }
            throw error(node, key, "names \(text), which the palette does not have")
        }
        throw error(node, key, "is “\(text.prefix(40))”, not a colour; write six hexadecimal digits, as in \"#1e66f5\"")
    }
}
