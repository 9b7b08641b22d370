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
    static func load(_ nameOrPath: String?) throws -> ChosenTheme {
        let (library, name) = (library, nameOrPath ?? ThemeLibrary.defaultName)
        // Who watches is made first: what changes after that is seen.
        let watch = ThemeWatch(name, library: library)
        return ChosenTheme(theme: try library.load(name), watch: watch)
    }

    static var library: ThemeLibrary { ThemeLibrary(folders: folders) }

    static var folders: [String] {
        let environment = ProcessInfo.processInfo.environment
        var folders: [String] = []
        if let config = environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map({ $0 + "/.config" }) {
            folders.append(config + "/sellout/themes")
        }
        var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<5 {
            folders.append(folder.appendingPathComponent("Themes").path)
            folder = folder.deletingLastPathComponent()
        }
        return folders
    }
}
