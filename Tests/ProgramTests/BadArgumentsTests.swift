import Testing

/// A command line with something wrong in it, and what is said then.
struct BadLine: Sendable, CustomTestStringConvertible {
    let text: String
    let words: String
    init(_ text: String, _ words: String) { (self.text, self.words) = (text, words) }
    var testDescription: String { text }
}

extension CommandTests {
    private static let badLines = [
        BadLine("torture --seconds 4", "use at least 5"),
        BadLine("torture --seconds x", "'x' is invalid"),
        BadLine("torture --topology ring", "'single', 'replicated' or 'cluster'"),
        BadLine("torture --durability replicated:1", "needs --topology replicated"),
        BadLine("torture --durability replicated:3 --topology replicated", "the rig's master has 2 replicas"),
        BadLine("torture --plant nope", "no planted bug nope"),
        BadLine("torture --sim --plant nope", "no planted bug nope"),
        BadLine("torture --seeds 5", "--seeds needs --sim"),
        BadLine("torture --sim --seeds 0", "use 1 to 100000000"),
        BadLine("torture --sim --seconds 30", "for real processes"),
        BadLine("torture --sim --topology cluster", "for real processes"),
        BadLine("refunds --redis redis://127.0.0.1:1 --orders sqlite:x --limit 0", "use 1 to 1000000"),
        BadLine("refunds --redis redis://127.0.0.1:1", "see `sellout refunds --help`"),
        BadLine("dead-letters --redis redis://127.0.0.1:1 --orders sqlite:x --settle 1", "go together"),
        BadLine("watch --redis redis://127.0.0.1:99999 --orders sqlite:x", "the port must be a number"),
        BadLine("reconcile --redis nope --orders sqlite:x", "does not begin with redis://"),
        BadLine("reconcile --redis redis://127.0.0.1:1 --orders foo:/x", "write sqlite:PATH"),
        BadLine("dead-letters", "see `sellout dead-letters --help`"),
        BadLine("demo --no-ui --while-fenced sql:5 --durability memory", "needs --durability durable"),
        BadLine("demo --no-ui --durability replicated:2 --replicas 1", "give --replicas 2"),
    ]

    @Test("wrong arguments are refused in one line, before anything is started", arguments: badLines)
    func badArguments(_ line: BadLine) async throws {
        let scratch = try Scratch()
        try await Program.start(line.text.split(separator: " ").map(String.init), in: scratch).result()
            .expectOneLine(line.words, status: 64)
        try await scratch.expectNothingLeft()
    }

    @Test("the planted bugs are listed, simulated or not")
    func listedPlants() async throws {
        let scratch = try Scratch()
        for arguments in [["torture", "--plant", "list"], ["torture", "--sim", "--plant", "list"]] {
            let result = try await Program.start(arguments, in: scratch).result()
            #expect(result.status == 0 && result.output.contains("no-dedupe") && result.error.isEmpty)
        }
    }

    @Test("with --json a simulation prints nothing but JSON")
    func simulatedJSON() async throws {
        let scratch = try Scratch()
        let result = try await Program.start(
            ["torture", "--sim", "--seeds", "2", "--json"], in: scratch
        ).result()
        #expect(result.output.hasPrefix("{") && result.output.hasSuffix("}\n"))
    }
}
