import Deduction
import Foundation
import Glibc
import Host
import Inventory
import OrderStore
import Redis

/// Measures scripts with redis-benchmark: one order a call, 50 connections, 64 calls under way on each.
struct RedisBenchmark {
    static let connections = 50
    static let pipeline = 64
    /// Calls are made in steps of what is under way at once.
    static var step: Int { connections * pipeline }
    /// What the numbers that it draws are below: a larger range makes it draw far fewer distinct ones.
    private static let randomBelow = 2_000_000_000
    private static let random = "__rand_int__"

    /// The deduction that papers on flash sales print: is the order new, is there stock, take it, write it down. It knows no
    /// lines, no epochs and no outbox, and forgets everything with its server.
    static let papersScript = """
        if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
        local stock = tonumber(redis.call('GET', KEYS[1]))
        local quantity = tonumber(ARGV[1])
        if not stock or stock < quantity then return -1 end
        redis.call('DECRBY', KEYS[1], quantity)
        redis.call('HSET', KEYS[2], KEYS[3], quantity)
        redis.call('SET', KEYS[3], quantity)
        return 1
        """

    let bed: BenchBed
    /// Calls a second of the last measurement of a row, from which the next one takes its length.
    private var known: [BenchRow: Double] = [:]

    init(bed: BenchBed) { self.bed = bed }

    // MARK: Rows

    /// - Throws: `BenchError` also where the ledger did not grow by the number of calls: then whatever was fast was no sale.
    mutating func measurePapersScript(seconds: Double) async throws -> BenchMeasurement {
        let cluster = try await bed.emptied(.single)
        defer { cluster.close() }
        let script = try await cluster.load(RedisScript(name: "papers", source: Self.papersScript))
        _ = try await cluster.call(
            slot: 0, RedisCommand("SET", "stock", "1000000000000"), deadline: .now + .seconds(5))
        let measurement = try await measure(
            .papersScript, seconds: seconds, cluster: cluster,
            command: ["EVALSHA", script.sha, "3", "stock", "ledger", "\(Self.random)-\(Self.random)", "1"])
        let length = try await cluster.call(slot: 0, RedisCommand("HLEN", "ledger"), deadline: .now + .seconds(5)).int
        guard length == Int64(measurement.calls) else {
            throw BenchError(
                "papers-script: its ledger grew by \(length ?? 0), and redis-benchmark made \(measurement.calls) calls")
        }
        return measurement.result
    }

    mutating func measureOwnScript(seconds: Double) async throws -> BenchMeasurement {
        let cluster = try await bed.emptied(.single)
        defer { cluster.close() }
        let path = try await bed.newFile()
        let store = try SQLiteOrderStore.open(path: path)
        let result: Result<BenchMeasurement, any Error>
        do {
            result = .success(try await measureOwnScript(cluster, store, seconds: seconds))
        } catch {
            result = .failure(error)
        }
        await store.close()
        await bed.removeFile(path)
        return try result.get()
    }

    private mutating func measureOwnScript(
        _ cluster: RedisCluster, _ store: SQLiteOrderStore, seconds: Double
    ) async throws -> BenchMeasurement {
        let sale = try await BenchSale.open(EngineLoad(), cluster: cluster, store: store)
        let bucket = sale.catalogue.buckets[0]
        let keys = BucketKeys(bucket: bucket, catalogue: sale.catalogue)
        let epoch = try await store.buckets()[0].epoch
        let script = try await cluster.load(Self.ownScript(bucket: bucket))
        let text = { (key: [UInt8]) in String(decoding: key, as: UTF8.self) }
        let measurement = try await measure(
            .ownScriptRedisBenchmark, seconds: seconds, cluster: cluster,
            command: [
                "EVALSHA", script.sha, "4", text(keys.control), text(keys.outbox), text(keys.stocks[0]),
                text(keys.ledgers[0]), "\(epoch.rawValue)", "0", "flow\(Self.random)", "\(bucket.skus[0].rawValue)",
            ])
        let length = try await cluster.call(
            slot: keys.slot, RedisCommand("HLEN", text(keys.ledgers[0])), deadline: .now + .seconds(5)
        ).int
        // Its one draw a flow repeats itself now and then.
        guard let length, Double(length) > Double(measurement.calls) * 0.99 else {
            throw BenchError(
                "own-script-redis-benchmark: its ledger grew by \(length ?? 0) in \(measurement.calls) calls")
        }
        return measurement.result
    }

    /// deduct.lua that is handed a flow and puts the packed order around it: a program's arguments hold no NUL.
    private static func ownScript(bucket: Bucket) -> RedisScript {
        let flow = FlowID(high: 0x666c_6f77_5f5f_7261, low: 0x6e64_5f69_6e74_5f5f)
        let order = Order(
            trustedFlow: flow, bucket: bucket.number, sortedLines: [OrderLine(sku: bucket.skus[0], quantity: 1)])
        let blob = OutboxBlob(milliseconds: WallClock.milliseconds, payload: .deduct([order])).bytes
        let head = blob[..<OutboxBlob.headerBytes]
        let tail = blob[(OutboxBlob.headerBytes + 16)...]
        func quoted(_ bytes: ArraySlice<UInt8>) -> String {
            "'" + bytes.map { "\\" + (($0 < 100 ? $0 < 10 ? "00" : "0" : "") + "\($0)") }.joined() + "'"
        }
        return RedisScript(
            name: "deduct one",
            source: "local ARGV = {ARGV[1], ARGV[2], \(quoted(head)) .. ARGV[3] .. \(quoted(tail)), ARGV[4]}\n"
                + Scripts.deductSource)
    }

    // MARK: The program

    private mutating func measure(
        _ row: BenchRow, seconds: Double, cluster: RedisCluster, command: [String]
    ) async throws -> (result: BenchMeasurement, calls: Int) {
        var made = 0
        if known[row] == nil {
            // How long should it run? It is told in calls.
            let first = try await run(calls: Self.step * 6, command: command)
            known[row] = first.perSecond
            made += first.calls
        }
        let steps = max(1, Int(known[row]! * seconds / Double(Self.step)))
        let before = try await ServerReading.processorMicroseconds(cluster)
        let second = try await run(calls: Self.step * steps, command: command)
        let after = try await ServerReading.processorMicroseconds(cluster)
        made += second.calls
        known[row] = second.perSecond
        return (
            BenchMeasurement(
                perSecond: second.perSecond, p50Milliseconds: second.p50, p99Milliseconds: second.p99,
                serverMicroseconds: (after - before) / Double(second.calls)),
            made
        )
    }

    private func run(
        calls: Int, command: [String]
    ) async throws -> (perSecond: Double, p50: Double, p99: Double, calls: Int) {
        let fleet = try await bed.fleet(.single)
        let path = try await bed.newFile() + ".csv"
        let output = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw BenchError("cannot write \(path): \(String(cString: strerror(errno)))") }
        defer {
            close(output)
            unlink(path)
        }
        let child: ChildProcess
        do {
            child = try await ChildProcess.start(
                .init(
                    executable: try Self.program(),
                    arguments: [
                        "-p", "\(fleet.nodes[0].address.port)", "-n", "\(calls)", "-c", "\(Self.connections)", "-P",
                        "\(Self.pipeline)", "-r", "\(Self.randomBelow)", "--csv",
                    ] + command, directory: "/", output: output))
        } catch let error as HostError {
            throw BenchError(error.message)
        }
        let ending = await withTaskCancellationHandler {
            await child.waitForEnd()
        } onCancel: {
            child.kill(SIGKILL)
        }
        try Task.checkCancellation()
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
        let figures = text.split(whereSeparator: \.isNewline).last?.split(separator: ",").dropFirst().map {
            Double($0.filter { $0 != "\"" })
        }
        guard ending == .exited(code: 0), let figures, figures.count >= 7, let perSecond = figures[figures.count - 7],
            let p50 = figures[figures.count - 4], let p99 = figures[figures.count - 2]
        else { throw BenchError("redis-benchmark ended with \(ending): \(text.prefix(200))") }
        return (perSecond, p50, p99, calls)
    }

    private static func program() throws -> String {
        let folders = (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin").split(separator: ":")
        guard
            let path = folders.lazy.map({ "\($0)/redis-benchmark" as String }).first(where: {
                access($0 as String, X_OK) == 0
            })
        else { throw BenchError("redis-benchmark is not installed; run `apt-get install redis-tools`") }
        return path
    }
}
