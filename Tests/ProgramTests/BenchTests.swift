import Foundation
import Testing

/// `sellout bench` as scripts meet it.
@Suite("The bench", .serialized, .timeLimit(.minutes(5))) struct BenchTests {
    static let names: Set<String> = [
        "name", "deductionsPerSecond", "p50Milliseconds", "p99Milliseconds", "serverMicrosecondsPerDeduction",
        "ratioToPapersScript",
    ]

    @Test("--json prints the rows that were asked for, with the documented names")
    func json() async throws {
        let scratch = try Scratch()
        let asked = ["papers-script", "combined-64", "sold-out", "sqlite-conditional-update"]
        let result = try await Program.run(
            "bench", "--json", "--seconds", "3", "--rounds", "1", "--rows", asked.joined(separator: ","), in: scratch)
        #expect(result.status == 0, "\(result)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let rows = try #require(json["rows"] as? [[String: Any]])
        #expect(rows.compactMap { $0["name"] as? String } == asked)
        for row in rows {
            #expect(Set(row.keys) == Self.names)
            for name in Self.names.subtracting(["name"]) where !(row[name] is NSNull) {
                #expect(try #require(row[name] as? Double) >= 0, "\(name) of \(row)")
            }
            #expect(row["deductionsPerSecond"] as? Double ?? 0 > 0)
        }
        #expect(rows[0]["ratioToPapersScript"] as? Double == 1)
        #expect(rows.map { $0["serverMicrosecondsPerDeduction"] is NSNull } == [false, false, false, true])
        #expect(result.errorLines.count >= asked.count, "no progress: \(result.error)")
        try await scratch.expectNothingLeft()
    }

    @Test("--memory weighs a sale, in Redis and in Sellout")
    func memory() async throws {
        let scratch = try Scratch()
        let result = try await Program.run("bench", "--memory", "--skus", "2000", "--json", in: scratch)
        #expect(result.status == 0, "\(result)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        for name in [
            "redisBytesPerSKU", "ledgerBytesPerEntry", "outboxBytesPerEntry", "loadSeconds", "comparedSKUsPerSecond",
        ] {
            #expect(json[name] as? Double ?? 0 > 0, "\(name) of \(json)")
        }
        #expect(json["skus"] as? Int == 2_000)
        try await scratch.expectNothingLeft()
    }

    @Test(
        "bad arguments are one line and 64",
        arguments: [
            ["--seconds", "0.5"], ["--seconds", "121"], ["--rounds", "0"], ["--rows", "combined-65"], ["--rows", ""],
            ["--fast"], ["--memory", "--skus", "999"], ["--memory", "--rows", "memory"],
            ["--minutes", "5"], ["--ui", "--minutes", "0"], ["--ui", "--memory"], ["--ui", "--rows", "sold-out"],
        ])
    func badArguments(arguments: [String]) async throws {
        let scratch = try Scratch()
        let result = try await Program.start(["bench"] + arguments, in: scratch).result()
        #expect(result.status == 64 && result.output.isEmpty && result.errorLines.count == 1, "\(result)")
    }
}
