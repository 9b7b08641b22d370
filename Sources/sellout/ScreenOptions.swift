import ArgumentParser
import Foundation
import TerminalUI

/// How a screen looks; for every command that shows one.
struct ScreenOptions: ParsableArguments {
    @Option(help: "A theme's name, or the path of a base16 or base24 file. `sellout themes` lists them.")
    var theme: String?

    @Option(help: "One more folder of themes, looked in before all others.")
    var themes: String?

    @Option(
        name: [.customLong("colours"), .customLong("colors")],
        help: "auto (as TERM, COLORTERM and NO_COLOR say), full, 256, 16 or none.")
    var colours = ColourDepthChoice.auto

    @Flag(inversion: .prefixedNo, exclusivity: .chooseLast, help: "Draw with ASCII letters only.")
    var ascii = false

    @Option(help: "Frames a second at most, 1 to 30; a key is answered at once.")
    var refresh = 10

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Mark the place: a red frame and the word PROD, and names are typed to confirm.")
    var production = false

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "No screen: print changes as plain sentences, for screen readers and logs.")
    var linear = false

    func validate() throws {
        guard (1...30).contains(refresh) else { throw ValidationError("--refresh \(refresh): use 1 to 30") }
    }

    /// The theme that is asked for.
    func chosenTheme() throws -> ChosenTheme { try Themes.load(theme, folder: themes) }

    /// What the terminal can show, as far as environment and options tell.
    var capabilities: TerminalCapabilities {
        var capabilities = TerminalCapabilities(environment: ProcessInfo.processInfo.environment)
        if let depth = colours.depth { capabilities.depth = depth }
        if ascii { capabilities.glyphs = .ascii }
        return capabilities
    }

    var frameInterval: Duration { .microseconds(1_000_000 / max(1, refresh)) }
}
