import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// The keys, from the table; then what the words mean and where this sale is found.
    func helpSections(_ glyphs: Glyphs) -> [HelpSection] {
        var sections = Keys.table(permissions).help(glyphs: glyphs).map { section in
            // Backticks are for the README.
            HelpSection(
                title: section.title,
                lines: section.lines.filter { !$0.help.isEmpty }.map {
                    .init(keys: $0.keys, help: $0.help.replacing("`", with: ""))
                })
        }
        sections.append(
            HelpSection(
                title: "States",
                lines: [
                    .init(keys: "HOT", help: "sells out within 30 s at this rate"),
                    .init(keys: "LOW", help: "\(lowShareWords) or less is left"),
                    .init(keys: "FROZEN", help: "stopped by a person"),
                    .init(keys: "FENCED", help: "its bucket takes no orders until it is rebuilt from SQL"),
                    .init(keys: "OVERSOLD", help: "units acknowledged beyond the allocation"),
                ]))
        sections.append(
            HelpSection(
                title: "Filter",
                lines: [
                    .init(keys: "camp", help: "part of a SKU, name, tag or state; !camp: not"),
                    .init(keys: "/^10.[02]/", help: "a regular expression: . [a-z] * + ? | ( ) ^ $ \\d \\w"),
                    .init(keys: "left<100", help: "columns: " + StockFilter.columns.joined(separator: ", ")),
                    .init(keys: "rate>1.5k", help: "< <= > >= = !=, numbers with k, m or %"),
                    .init(keys: "state=hot", help: "one of " + StockFilter.states.joined(separator: ", ")),
                ]))
        sections.append(
            HelpSection(
                title: "This sale",
                lines: [
                    .init(keys: shown.durability.rawValue, help: shown.durability.promise),
                    .init(keys: "Redis", help: shown.redisURL), .init(keys: "orders", help: shown.ordersURL),
                ].filter { !$0.help.isEmpty }))
        return sections
    }

    /// The share at which a SKU is low, as this sale is configured.
    private var lowShareWords: String {
        let share = shown.skus.first?.lowShare ?? WarRoomSnapshot.SKU.lowShareStandard
        return share == 0.1 ? "a tenth" : Formats.percent(share)
    }

    /// How far the help scrolls at this size.
    var helpScrollLimit: Int {
        var canvas = blankCanvas
        return canvas.within(dialogArea) { $0.help(helpSections(capabilities.glyphs), title: "help") }
    }
}
