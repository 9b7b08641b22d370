import ArgumentParser
import Foundation
import TerminalUI

/// Themes without a screen: which there are, what they look like, what is wrong with one.
struct ThemesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "themes",
        abstract: "List themes, show one, or check base16 and base24 files.",
        discussion: """
            A theme is a base16 or base24 scheme, as the tinted-theming project writes them. They are looked for in the config
            folder (sellout/themes below $XDG_CONFIG_HOME or ~/.config), then in Themes/ beside the program, then among those
            built in. An optional map roles: refines which colour means what here.

            sellout themes list
            sellout themes preview nord okabe-ito-light
            sellout themes check ~/.config/sellout/themes/*.yaml
            """,
        subcommands: [List.self, Preview.self, Check.self], defaultSubcommand: List.self)
}

extension ThemesCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every theme with its name, kind and place.",
            discussion: "sellout themes list --json")

        @Option(help: "One more folder to look in, before all others.")
        var themes: String?

        @Flag(help: "Print one JSON array.")
        var json = false

        private struct Row: Encodable {
            var theme: String
            var name: String?
            var author: String?
            var system: String?
            var variant: String?
            var place: String
            var problem: String?
        }

        func run() throws {
            let library = Themes.library(first: themes)
            let rows = library.names.map { name in
                let place = library.path(of: name) ?? "built in"
                do {
                    let scheme = try library.scheme(name)
                    return Row(
                        theme: name, name: scheme.name, author: scheme.author, system: scheme.system,
                        variant: Theme(scheme).isDark ? "dark" : "light", place: place)
                } catch {
                    return Row(theme: name, place: place, problem: "\(error)")
                }
            }
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
                print(String(decoding: try encoder.encode(rows), as: UTF8.self))
                return
            }
            let width = rows.map { SafeText.width(SafeText.visible($0.theme)) }.max() ?? 0
            for row in rows {
                let kind = row.problem == nil ? "\(row.system ?? "") \(row.variant ?? "")" : "BROKEN"
                let place = row.problem ?? row.place
                print(
                    Formats.leading(SafeText.visible(row.theme), width), Formats.leading(kind, 12),
                    PlainText.line(place), separator: "  ")
            }
        }
    }

    struct Preview: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what themes look like: in colour on a terminal, as figures in a pipe.",
            discussion: """
                sellout themes preview nord
                sellout themes preview ./mine.yaml --colour always | less -R
                """)

        @Argument(help: "Names or paths. Without any: every theme.")
        var names: [String] = []

        @Option(help: "One more folder to look in, before all others.")
        var themes: String?

        @Option(name: [.customLong("colour"), .customLong("color")], help: "auto, always or never.")
        var colour = ColourChoice.auto

        func run() throws {
            let library = Themes.library(first: themes)
            var environment = ProcessInfo.processInfo.environment
            if colour == .always, environment["TERM"] ?? "" == "" { environment["TERM"] = "xterm-256color" }
            var capabilities = TerminalCapabilities(environment: environment)
            if colour == .always { capabilities.depth = max(capabilities.depth, .palette256) }
            let isColourful = colour == .always || colour == .auto && isatty(1) != 0 && capabilities.depth > .mono
            for name in names.isEmpty ? library.names : names {
                let scheme: BaseScheme
                do { scheme = try library.scheme(name) } catch {
                    // Of all themes a broken one is told among the others; one that was asked for is an error.
                    guard names.isEmpty else {
                        FileHandle.standardError.write(Data("sellout: \(PlainText.line(error.description))\n".utf8))
                        throw ExitCode(error.isUnreadable ? 2 : 1)
                    }
                    print(error.description)
                    continue
                }
                if isColourful {
                    let canvas = Canvas.sample(of: scheme, name: name, glyphs: capabilities.glyphs)
                    print(canvas.terminalText(Theme(scheme), depth: capabilities.depth))
                } else {
                    print(Self.figures(of: scheme, name: name))
                }
            }
        }

        /// What each meaning's colour is, and how far it stands off the background.
        static func figures(of scheme: BaseScheme, name: String) -> String {
            let theme = Theme(scheme)
            var lines = [
                "\(SafeText.visible(name)): \(SafeText.visible(scheme.name)), \(scheme.system), "
                    + "\(theme.isDark ? "dark" : "light")"
            ]
            for role in Role.allCases {
                let contrast = theme[role].contrast(with: theme[.background])
                lines.append(
                    "  \(Formats.leading("\(role)", 14))  \(theme[role])  contrast \(Formats.decimals(contrast, 1))")
            }
            let palette = scheme.palette.map(\.description).joined(separator: " ")
            lines.append("  palette \(palette)")
            lines.append("  heat    \(theme.heat[0]) to \(theme.heat[Theme.heatSteps - 1])")
            return lines.joined(separator: "\n")
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check scheme files: FILE:LINE:KEY for what is wrong.",
            discussion: """
                Exit codes: 0 every file is a theme, 1 one is not, 2 one could not be read.

                sellout themes check Themes/*.yaml
                """)

        @Argument(help: "Files.")
        var files: [String]

        @Flag(help: "Say nothing of files that are good.")
        var quiet = false

        func run() throws {
            var code: Int32 = 0
            for file in files {
                do {
                    let scheme = try ThemeLibrary.scheme(at: file)
                    let theme = Theme(scheme)
                    if quiet { continue }
                    let contrast = theme[.text].contrast(with: theme[.background])
                    let remark = contrast < 4.5 ? ", low" : ""
                    print(
                        "\(PlainText.line(file)): good: “\(PlainText.line(scheme.name))”, \(scheme.system), "
                            + "\(theme.isDark ? "dark" : "light"), text contrast \(Formats.decimals(contrast, 1))\(remark)"
                    )
                } catch {
                    print(error.description)
                    // Bad outweighs unread: it is what was looked for.
                    code = error.isUnreadable ? max(code, code == 1 ? 1 : 2) : 1
                }
            }
            if code != 0 { throw ExitCode(code) }
        }
    }
}

/// Whether to print colours.
enum ColourChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never
}
