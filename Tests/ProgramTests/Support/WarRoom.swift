import Testing

/// What a person reads off the war room.
extension Terminal {
    /// Types the command and waits for the first frame.
    func open(_ command: String) async throws {
        try await type("stty -g >modes-before; clear")
        try await press("Enter")
        try await run(command)
    }

    /// The war room is over: this status, the terminal as it was before, nothing left behind.
    func expectClosed(status: Int32, within limit: Duration = .seconds(10)) async throws {
        try await expectEnd(status: status, within: limit)
        try await type("clear; stty -g >modes-after; echo writ\"\"ten")
        try await press("Enter")
        try await expect("written")
        #expect(scratch.read("modes-before") != "")
        #expect(scratch.read("modes-after") == scratch.read("modes-before"))
        try await scratch.expectNothingLeft()
    }

    /// A figure of the header, by its label: the cell below it.
    static func figure(_ label: String, in screen: String) -> String? {
        let lines = screen.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
        guard lines.count > 2 else { return nil }
        let (labels, values) = (lines[1], lines[2])
        let wanted = Array(label)
        guard
            let column = labels.indices.first(where: {
                labels[$0...].starts(with: wanted)
                    || labels[$0...].starts(with: Array(label.uppercased()))
            }), column < values.count
        else { return nil }
        return String(values[column...].prefix { $0 != " " && $0 != "│" })
    }

    func figure(_ label: String) async throws -> String? { Self.figure(label, in: try await text) }

    /// The stock table's row of a SKU.
    static func row(_ sku: String, in screen: String) -> String? {
        screen.split(separator: "\n").map(String.init).first { line in
            (line.hasPrefix("│▸ ") || line.hasPrefix("│  ")) && line.dropFirst(3).hasPrefix(sku)
        }
    }
}
