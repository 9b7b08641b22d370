import ArgumentParser
import Foundation
import TerminalUI

/// Where themes are looked for: the user's config folder, then `Themes/` beside the binary and above it, then those built in.
enum Themes {
    static func load(_ nameOrPath: String?) throws -> Theme {
        try ThemeLibrary(folders: folders).load(nameOrPath ?? ThemeLibrary.defaultName)
    }

    private static var folders: [String] {
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
