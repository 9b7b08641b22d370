/// An error reply, in the server's own words.
struct CommandError: Error {
    let text: String

    init(_ text: String) { self.text = text }

    static let wrongType = CommandError("WRONGTYPE Operation against a key holding the wrong kind of value")
    static let syntax = CommandError("ERR syntax error")
    static let notAnInteger = CommandError("ERR value is not an integer or out of range")
    static let badStreamID = CommandError("ERR Invalid stream ID specified as stream command argument")

    static func argumentCount(_ command: String) -> CommandError {
        CommandError("ERR wrong number of arguments for '\(command)' command")
    }

    static func unknownSubcommand(_ word: [UInt8], of command: String) -> CommandError {
        CommandError("ERR unknown subcommand '\(String(decoding: word, as: UTF8.self))'. Try \(command) HELP.")
    }
}
