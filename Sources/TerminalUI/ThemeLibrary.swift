import Foundation

/// Finds themes: in the folders it is given, first found wins, then among those built into the binary.
public struct ThemeLibrary: Sendable {
    /// The theme taken when none is asked for.
    public static let defaultName = "sellout-dark"

    /// Where to look, in order.
    public let folders: [String]

    public init(folders: [String] = []) { self.folders = folders }

    /// Names of all themes, sorted. Folders that cannot be read count as empty.
    public var names: [String] {
        var found = Set(EmbeddedThemes.all.keys)
        for folder in folders {
            for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
                if let stem = Self.stem(file) { found.insert(stem) }
            }
        }
        return found.sorted()
    }

    /// Loads a theme.
    /// - Parameter nameOrPath: a theme's name, or the path of a file (it contains `/` or ends in .yaml or .yml).
    /// - Throws: ``ThemeError``: not found, or malformed with line and key.
    public func load(_ nameOrPath: String) throws(ThemeError) -> Theme {
        Theme(try scheme(nameOrPath))
    }

    /// Reads a scheme, as ``load(_:)`` finds it.
    public func scheme(_ nameOrPath: String) throws(ThemeError) -> BaseScheme {
        if let path = path(of: nameOrPath) { return try Self.scheme(at: path) }
        guard let text = EmbeddedThemes.all[nameOrPath] else {
            throw ThemeError(
                file: "theme “\(nameOrPath)”", line: 0, key: "",
                message: "is not there; themes are: " + names.joined(separator: " "), isUnreadable: true)
        }
        return try BaseScheme(yaml: text, file: nameOrPath + ".yaml")
    }

    /// The file of a theme: what live reload watches; nil when it is a built-in one.
    public func path(of name: String) -> String? {
        guard !name.contains("/") else { return name }
        if Self.stem(name) != nil { return name }
        for folder in folders {
            for ending in ["yaml", "yml"] {
                let path = folder + "/" + name + "." + ending
                if FileManager.default.fileExists(atPath: path) { return path }
            }
        }
        return nil
    }

    /// The theme that is always there.
    public static var standard: Theme {
        guard let text = EmbeddedThemes.all[defaultName], let scheme = try? BaseScheme(yaml: text, file: defaultName)
        else {
            preconditionFailure("the built-in theme \(defaultName) is malformed")
        }
        return Theme(scheme)
    }

    private static func stem(_ file: String) -> String? {
        for ending in [".yaml", ".yml"] where file.hasSuffix(ending) && file.count > ending.count {
            return String(file.dropLast(ending.count))
        }
        return nil
    }

    /// Reads a scheme from a file, whatever its name ends in.
    public static func scheme(at path: String) throws(ThemeError) -> BaseScheme {
        let data: Data
        do {
            // A device or a pipe would never end; only a regular file of a sane size is read.
            let attributes = try FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
            guard attributes[.type] as? FileAttributeType == .typeRegular else {
                throw ThemeError(file: path, line: 0, key: "", message: "is not a file", isUnreadable: true)
            }
            guard (attributes[.size] as? NSNumber)?.intValue ?? 0 <= 65_536 else {
                throw ThemeError(file: path, line: 0, key: "", message: "is larger than 64 KiB; not a theme")
            }
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch let error as ThemeError {
            throw error
        } catch {
            throw ThemeError(
                file: path, line: 0, key: "", message: "cannot be read; check the path and its permissions",
                isUnreadable: true)
        }
        return try BaseScheme(yaml: String(decoding: data, as: UTF8.self), file: path)
    }
}
