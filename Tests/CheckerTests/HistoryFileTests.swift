import Checker
import Foundation
import Inventory
import Testing

@Suite("A history's file")
struct HistoryFileTests {
    static let events: [HistoryEvent] = [
        .asking(
            TinyRun.flow(1), TinyRun.lines(2) + TinyRun.lines(1, sku: 2), at: 5, process: 3, isRetry: true, buyer: 8),
        .heard(.done(duplicate: true), TinyRun.flow(1), at: 9, process: 3),
        .heard(.refused(.soldOut), TinyRun.flow(1), at: 10, process: 3),
        .heard(.unknown(.replyLost), TinyRun.flow(1), at: 11, process: 3),
        HistoryEvent(
            at: 12, process: 0, .fault, .invoke, subject: "masterKill", detail: "\"node 1\" \\ \u{1}\n and an ä"),
        HistoryEvent(at: 13, process: 0, .pay, .invoke, flow: TinyRun.flow(2), flag: false),
    ]

    private func withFile(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("history-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test("gives back what was written, and writes what Codable would")
    func roundTrip() throws {
        try withFile { path in
            let writer = try HistoryWriter(path: path)
            for event in Self.events { writer.add(event) }
            writer.close()
            let history = try History.read(path: path)
            #expect(history.events == Self.events)
            #expect(history.unreadable == 0)
        }
        for event in Self.events {
            var line: [UInt8] = []
            event.appendLine(to: &line)
            #expect(try JSONDecoder().decode(HistoryEvent.self, from: Data(line)) == event)
            #expect(try JSONDecoder().decode(HistoryEvent.self, from: JSONEncoder().encode(event)) == event)
        }
    }

    @Test("ignores a last line whose writer died in it, and mends it when it is written on")
    func tornLine() throws {
        try withFile { path in
            let writer = try HistoryWriter(path: path)
            for event in Self.events { writer.add(event) }
            writer.close()
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            try whole.dropLast(7).write(to: URL(fileURLWithPath: path))
            let torn = try History.read(path: path)
            #expect(torn.events == Self.events.dropLast())
            #expect(torn.unreadable == 0)
            let next = try HistoryWriter(path: path)
            next.add(Self.events[0])
            next.close()
            let mended = try History.read(path: path)
            #expect(mended.events == Self.events.dropLast() + [Self.events[0]])
        }
    }

    @Test("keeps a final state whole")
    func finalState() throws {
        let final = CheckerTests.goodRun().final
        let copy = try JSONDecoder().decode(FinalState.self, from: JSONEncoder().encode(final))
        #expect(try JSONEncoder.sorted.encode(copy) == JSONEncoder.sorted.encode(final))
    }
}

extension JSONEncoder {
    fileprivate static var sorted: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return encoder
    }
}
