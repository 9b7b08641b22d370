import Lab
import Redis
import SaleRig
import Testing

/// A fresh server and the model beside it, for commands by hand.
struct Twin {
    let port: TwinPort

    /// Runs `body` on a fresh server; what the two say differently is an issue.
    static func with(_ body: (Twin) async throws -> Void) async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 1))
        let outcome: Result<Void, any Error>
        do {
            let port = try await TwinPort(try await RedisCluster.connect(to: RedisURL(fleet.url)))
            let twin = Twin(port: port)
            do {
                try await body(twin)
                try await port.compareContents()
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            port.close()
        } catch {
            outcome = .failure(error)
        }
        await fleet.stop()
        try outcome.get()
    }

    /// Sends a command to both. An error reply is an answer like any other.
    func tell(_ words: [[UInt8]]) async {
        var command = RedisCommand(String(decoding: words[0], as: UTF8.self))
        for word in words.dropFirst() { command.append(word) }
        _ = try? await port.call(slot: 0, command, deadline: .now + .seconds(5))
    }

    func tell(_ words: String...) async { await tell(words.map { Array($0.utf8) }) }

    /// Sends many at once down one connection, and waits for the last.
    func tell(all commands: [[[UInt8]]]) async {
        await withTaskGroup { group in
            for words in commands { group.addTask { await tell(words) } }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed everywhere.
struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func one<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }
}
