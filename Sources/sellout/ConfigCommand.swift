import ArgumentParser
import Foundation
import Settings
import TerminalUI

/// What holds, and where each value came from.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print the settings that hold, and where each came from.",
        discussion: """
            Arguments win over the environment (SELLOUT_THEME, SELLOUT_ALERTS_OUTBOX_AGE), that over the profile, that over the
            file, that over the defaults. One setting is a mark: production, set by profile or file, is lifted only there. The file is sellout/config.yaml in $XDG_CONFIG_HOME or ~/.config:

              theme: nord
              alerts:
                outboxAge: 5s
              profiles:
                live:
                  redis: redis://10.0.0.1:6379
                  orders: sqlite:/srv/sale/books.sqlite
                  production: true

            sellout config
            sellout config --profile live --json
            sellout config --keys
            sellout config --theme dracula --read-only
            """)

    @OptionGroup var options: SettingOptions

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Flag(help: "Print every setting that there is: key, environment, option, what it does.")
    var keys = false

    @Argument(
        parsing: .allUnrecognized, help: "Options of other commands, to see what would hold with them: --theme nord.")
    var others: [String] = []

    private struct Report: Encodable {
        struct Value: Encodable {
            var value: JSONValue
            var source: String
            var place: String?
            var ignored: String?
        }
        var file: String?
        var profile: String?
        var settings: [String: Value]
    }

    func run() throws {
        if keys { return printKeys() }
        var arguments = try given()
        if let profile = options.profile { arguments["profile"] = profile }
        let effective = try SettingsInUse.load(profile: options.profile, config: options.config, arguments: arguments)
        if json { try printJSON(effective) } else { printText(effective) }
    }

    private func printText(_ effective: EffectiveSettings) {
        print(
            "file     \(effective.path.map(PlainText.line) ?? "none; looked for \(SettingsInUse.standardPath ?? "it nowhere")")"
        )
        print("profile  \(effective.profile.map(PlainText.line) ?? "none")\n")
        let rows = effective.settings.map { setting -> (String, String, String) in
            let value = effective.values[setting.key]
            let text = value?.text.map { PlainText.line(setting.shown($0)) } ?? "-"
            let source = value?.source ?? .standard
            let place = value?.place ?? ""
            let ignored = value?.ignored.map { "  (a mark: \($0) does not lift it)" } ?? ""
            return (setting.key, text, source.rawValue + (place.isEmpty ? "" : "  " + PlainText.line(place)) + ignored)
        }
        let first = rows.map { $0.0.count }.max() ?? 0
        let second = min(44, rows.map { SafeText.width($0.1) }.max() ?? 0)
        for row in rows { print(Formats.leading(row.0, first), Formats.leading(row.1, second), row.2, separator: "  ") }
    }

    private func printJSON(_ effective: EffectiveSettings) throws {
        var settings: [String: Report.Value] = [:]
        for setting in effective.settings {
            guard let value = effective.values[setting.key] else { continue }
            settings[setting.key] = Report.Value(
                value: JSONValue(setting, value.text), source: value.source.rawValue,
                place: value.place.isEmpty ? nil : value.place, ignored: value.ignored)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let report = Report(file: effective.path, profile: effective.profile, settings: settings)
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
    }

    private func printKeys() {
        for setting in SettingTable.all {
            let option = setting.option.map { "--\($0)" } ?? "-"
            print("\(setting.key)  \(setting.environmentName)  \(option)")
            print("    \(setting.help); default: \(setting.standard ?? "none")")
        }
    }

    /// Reads options of other commands by the table.
    private func given() throws -> [String: String] {
        var result: [String: String] = [:]
        var rest = others[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else { throw ValidationError("unexpected argument “\(word)”") }
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            let plain = name.hasPrefix("no-") ? String(name.dropFirst(3)) : name
            guard let setting = SettingTable.all.first(where: { $0.option == name || $0.option == plain }) else {
                let near = Nearest.of(name, among: SettingTable.all.compactMap(\.option)).map {
                    "; the nearest is --\($0)"
                }
                throw ValidationError("there is no option --\(name)\(near ?? "")")
            }
            if case .flag = setting.shape {
                result[setting.key] = name == plain ? "true" : "false"
                continue
            }
            guard let text = parts.count > 1 ? String(parts[1]) : rest.popFirst() else {
                throw ValidationError("--\(name) wants a value")
            }
            if let problem = setting.problem(with: text) {
                throw ValidationError("--\(name) \(setting.shown(text)): \(problem)")
            }
            result[setting.key] = text
        }
        return result
    }
}

/// A value as JSON has it.
private enum JSONValue: Encodable {
    case none
    case flag(Bool)
    case whole(Int)
    case number(Double)
    case text(String)

    init(_ setting: Setting, _ text: String?) {
        guard let text else {
            self = .none
            return
        }
        self =
            switch setting.shape {
            case .flag: Setting.flag(text).map { .flag($0) } ?? .text(text)
            case .whole: Int(text).map { .whole($0) } ?? .text(text)
            case .number: Double(text).map { .number($0) } ?? .text(text)
            case .text: .text(setting.shown(text))
            }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .none: try container.encodeNil()
        case .flag(let value): try container.encode(value)
        case .whole(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        }
    }
}
