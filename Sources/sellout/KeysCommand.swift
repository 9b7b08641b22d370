import ArgumentParser
import Dashboard

/// The screen's keys, from the table that dispatches them.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Print every key of the war room: the same table that the screen dispatches by.",
        discussion: """
            sellout keys
            sellout keys --markdown
            """)

    @Flag(help: "As a Markdown table: the README's is this one.")
    var markdown = false

    func run() { print(markdown ? KeyList.markdown : KeyList.text, terminator: "") }
}
