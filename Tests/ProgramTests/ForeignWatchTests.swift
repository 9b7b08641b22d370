import Foundation
import Glibc
import Host
import Lab
import Redis
import Testing

/// Keys that are not ours, as a person watches them; and where passwords come from.
@Suite("Watching what exists", .serialized, .timeLimit(.minutes(5)))
struct ForeignWatchTests {
    private func withServer(
        lines: [String] = [], _ body: (_ url: RedisURL, RedisConnection) async throws -> Void
    ) async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 1, extraLines: lines))
        let url = try RedisURL(fleet.url)
        let connection = try RedisConnection(address: url.address, password: url.password)
        let outcome: Result<Void, any Error>
        do {
            try await body(url, connection)
            outcome = .success(())
        } catch { outcome = .failure(error) }
        connection.close()
        await fleet.stop()
        try outcome.get()
    }

    @discardableResult
    private func call(_ connection: RedisConnection, _ name: String, _ words: String...) async throws -> RedisReply {
        var command = RedisCommand(name)
        for word in words { command.append(word) }
        return try await connection.call(command, deadline: .now + .seconds(30))
    }

    @Test("plain stock:123 keys: rates show, what nobody knows is said, and nothing is written")
    func screen() async throws {
        try await withServer { url, connection in
            for sku in 1...40 { try await call(connection, "SET", "stock:\(sku)", "5000") }
            try await Terminal.open(120, 40) { terminal in
                try await terminal.run("sellout watch --redis redis://\(url.address) --stock-key stock:sku")
                try await terminal.expect("WATCHED")
                try await terminal.expect("40 SKUs")
                try await terminal.expect("no SQL: sales are not compared")
                // Somebody buys until it shows.
                try await terminal.expect("a rate on the row of SKU 17") { screen in
                    screen.split(separator: "\n").contains { line in
                        guard let row = line.firstMatch(of: #/17 +stock:17 +(\S+) +(\S+)/#) else { return false }
                        return row.1 != "5,000" && row.2 != "0"
                    }
                } during: {
                    try await call(connection, "DECRBY", "stock:17", "3")
                }
                try await terminal.press("z")
                try await terminal.expect("READ-ONLY")
                try await terminal.press("R")
                try await terminal.expect("nothing to compare")
                try await terminal.press("Escape")
                try await terminal.expectGone("nothing to compare")
                try await terminal.press("q")
                try await terminal.expectEnd(status: 0)
            }
            let stats = try await call(connection, "INFO", "commandstats").string ?? ""
            for word in ["cmdstat_set:calls=40,", "cmdstat_scan:", "cmdstat_mget:"] { #expect(stats.contains(word)) }
            for word in ["cmdstat_eval", "cmdstat_del", "cmdstat_hset", "cmdstat_script"] {
                #expect(!stats.contains(word))
            }
        }
    }

    @Test("a snapshot for scripts without SQL: every key once, null for what only SQL could tell, nothing written")
    func snapshot() async throws {
        try await withServer { url, connection in
            for sku in 1...30 { try await call(connection, "SET", "stock:\(sku)", "\(sku % 3 == 0 ? 0 : sku)") }
            try await call(connection, "SET", "another", "1")
            let scratch = try Scratch()
            let place = ["snapshot", "--redis", "redis://\(url.address)", "--stock-key"]
            let made = try await Program.start(place + ["stock:sku", "--json"], in: scratch).result()
            #expect(made.status == 0, "\(made)")
            let json = try #require(try JSONSerialization.jsonObject(with: Data(made.output.utf8)) as? [String: Any])
            let skus = try #require(json["skus"] as? [[String: Any]])
            #expect(skus.map { $0["sku"] as? String } == (1...30).map { "\($0)" })
            #expect(skus.map { $0["stockUnits"] as? Int } == (1...30).map { $0 % 3 == 0 ? 0 : $0 })
            #expect(skus[2]["state"] as? String == "SOLD OUT")
            #expect(
                Set(skus[0].keys)
                    == [
                        "sku", "name", "state", "allocatedUnits", "stockUnits", "soldUnits", "deductionsPerSecond",
                        "tag", "slot", "node",
                    ])
            #expect(skus[0]["allocatedUnits"] is NSNull && skus[0]["soldUnits"] is NSNull)
            for key in ["durability", "orders"] { #expect(json[key] is NSNull) }
            let none = try await Program.start(place + ["goods:sku"], in: scratch).result()
            #expect(none.status == 2 && none.error.contains("no key that is made as goods:sku"), "\(none)")
            let act = try await Program.start(["freeze", "1", "--redis", "redis://\(url.address)"], in: scratch)
                .result()
            #expect(act.status == 64 && act.error.contains("freeze works on a sale's books: give --orders"), "\(act)")
            let stats = try await call(connection, "INFO", "commandstats").string ?? ""
            #expect(stats.contains("cmdstat_set:calls=31,") && !stats.contains("cmdstat_eval"), "\(stats)")
        }
    }

    @Test("a password comes from the environment, a private file or a prompt; never from the command line")
    func passwords() async throws {
        try await withServer(lines: ["requirepass geheim"]) { url, _ in
            let scratch = try Scratch()
            let address = "redis://\(url.address)"
            func doctor(_ arguments: String..., environment: [String: String?] = [:]) async throws -> Program.Result {
                try await Program.start(["doctor"] + arguments, in: scratch, environment: environment).result()
            }
            for typed in ["redis://:geheim@\(url.address)", "redis://ann:geheim@nowhere:x"] {
                for form in [["--redis", typed], ["--redis=\(typed)"], [typed]] {
                    let refused = try await Program.start(["watch"] + form, in: scratch).result()
                    refused.expectOneLine("SELLOUT_REDIS_PASSWORD", status: 64)
                    #expect(!refused.error.contains("geheim"))
                }
            }
            try await doctor("--redis", address).expectOneLine("wants a password", "SELLOUT_REDIS_PASSWORD", status: 2)
            try await doctor("--redis", "redis://ann@\(url.address)").expectOneLine("for ann", status: 2)
            let good = try await doctor("--redis", address, environment: ["SELLOUT_REDIS_PASSWORD": "geheim"])
            #expect(good.output.contains("user default"), "\(good)")
            let whole = try await doctor(environment: ["SELLOUT_REDIS": "redis://:geheim@\(url.address)"])
            #expect(whole.output.contains("user default"), "\(whole)")
            let file = try scratch.write("geheim\n", to: "secret")
            chmod(file, 0o644)
            try await doctor("--redis", address, "--redis-password-file", file).expectOneLine("chmod 600", status: 2)
            chmod(file, 0o600)
            let privateFile = try await doctor("--redis", address, "--redis-password-file", file)
            #expect(privateFile.output.contains("user default"), "\(privateFile)")
            let wrong = try await doctor("--redis", address, environment: ["SELLOUT_REDIS_PASSWORD": "falsch"])
            wrong.expectOneLine("refused the login", status: 2)
            for result in [good, whole, privateFile, wrong] {
                for secret in ["geheim", "falsch"] {
                    #expect(!result.output.contains(secret) && !result.error.contains(secret))
                }
            }
            try await Terminal.open(100, 30, in: scratch) { terminal in
                try await terminal.run("sellout doctor --redis \(address) | head -1")
                try await terminal.expect("Password of \(url.address):")
                try await terminal.type("geheim")
                try await terminal.press("Enter")
                try await terminal.expect("user default")
                #expect(try await !terminal.text.contains("geheim"))
                // Whoever gives up has an echo again.
                try await terminal.run("clear; sellout doctor --redis \(address)")
                // The one before asked for a password as well: it must be gone.
                try await terminal.expect("the second prompt") {
                    $0.contains("Password of") && !$0.contains("user default")
                }
                try await terminal.press("C-c")
                try await terminal.expect("no password was given")
                try await terminal.run("echo seen-again")
                try await terminal.expect("echo seen-again")
            }
        }
    }
}

extension Terminal {
    /// Waits until the screen looks right, while somebody does something between two looks.
    func expect(
        _ what: String, within limit: Duration = .seconds(10), _ isRight: (String) throws -> Bool,
        during: () async throws -> Void
    ) async throws {
        let deadline = ContinuousClock.now + limit * patience
        while true {
            try await during()
            let text = try await text
            if try isRight(text) { return }
            if ContinuousClock.now >= deadline {
                throw Missing(description: "expected \(what) within \(limit); the screen:\n\(text)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
