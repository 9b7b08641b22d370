import ArgumentParser
import Foundation
import TerminalUI

/// A theme as it was asked for, and who looks after its file.
struct ChosenTheme: Sendable {
    let theme: Theme
    let watch: ThemeWatch

    /// What a chooser offers: all names, and the path that was asked for.
    var names: [String] {
        let names = watch.library.names
        return names.contains(watch.name) ? names : [watch.name] + names
    }
}

/// Where themes are looked for: the user's config folder, then `Themes/` beside the binary and above it, then those built in.
enum Themes {
    /// The theme that is asked for, else the standard one.
    static func load(_ nameOrPath: String?, folder: String? = nil) throws -> ChosenTheme {
        let (library, name) = (library(first: folder), nameOrPath ?? ThemeLibrary.defaultName)
        // Who watches is made first: what changes after that is seen.
        let watch = ThemeWatch(name, library: library)
        return ChosenTheme(theme: try library.load(name), watch: watch)
    }

    /// - Parameter folder: looked in before all others.
    static func library(first folder: String? = nil) -> ThemeLibrary {
        ThemeLibrary(folders: (folder.map { [$0] } ?? []) + folders)
    }

    static var folders: [String] {
        var folders: [String] = []
        if let folder = ConfigFolder.path { folders.append(folder + "/themes") }
        var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<5 {
            folders.append(folder.appendingPathComponent("Themes").path)
            folder = folder.deletingLastPathComponent()
        }
        return folders
    }
}
