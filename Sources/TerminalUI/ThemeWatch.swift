#if canImport(Glibc)
    import Glibc
#endif

/// Looks after the theme that is in use: tells when its file changed on disk, and keeps the theme while the file is broken.
///
/// A change is taken as soon as the file reads well. What does not read is looked at once more before it is told, since an
/// editor may be half way through writing it.
public struct ThemeWatch: Sendable {
    /// What came of a look.
    public enum Change: Hashable, Sendable {
        case changed(Theme)
        /// The file is broken or gone: one line with file, line and key. Told once; the theme stays.
        case broken(String)
    }

    /// A file as it was when somebody looked.
    private struct Mark: Hashable {
        var device: UInt64
        var node: UInt64
        var size: Int64
        var seconds: Int64
        var nanoseconds: Int64
    }

    private enum Sight: Hashable {
        case file(Mark)
        case gone
    }

    public let library: ThemeLibrary
    /// A theme's name or a path, as it was asked for.
    public private(set) var name: String
    private var path: String?
    /// What the theme in use, or the last that was told, was read from.
    private var known: Sight?
    /// What did not read, when it was first seen.
    private var doubtful: Sight?

    /// - Parameter name: of the theme in use, which the library has loaded.
    public init(_ name: String, library: ThemeLibrary) {
        self.name = name
        self.library = library
        follow()
    }

    /// Reads a theme, and from now on looks after its file.
    public mutating func choose(_ name: String) throws(ThemeError) -> Theme {
        // The mark first: what changes while it is read is then seen as a change.
        var other = ThemeWatch(name, library: library)
        let theme = try library.load(name)
        swap(&self, &other)
        return theme
    }

    /// Looks at the file. Costs one call of the system while nothing changed.
    public mutating func look() -> Change? {
        guard let path else { return nil }
        let sight = Self.sight(of: path)
        guard sight != known else {
            doubtful = nil
            return nil
        }
        do {
            let theme = try library.load(path)
            (known, doubtful) = (sight, nil)
            return .changed(theme)
        } catch {
            guard sight == doubtful else {
                doubtful = sight
                return nil
            }
            (known, doubtful) = (sight, nil)
            return .broken(error.description)
        }
    }

    private mutating func follow() {
        path = library.path(of: name)
        known = path.map(Self.sight)
    }

    private static func sight(of path: String) -> Sight {
        var status = stat()
        guard stat(path, &status) == 0 else { return .gone }
        return .file(
            Mark(
                device: UInt64(status.st_dev), node: UInt64(status.st_ino), size: Int64(status.st_size),
                seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec)))
    }
}
