import Deduction
import Inventory
import OrderStore
import Redis
import Synchronization

// The decorators of the planted bugs: each does one thing wrong.

/// Says that the sale promises `memory`.
struct StoreThatPromisesLess: OrderStoreDecorator {
    let base: any OrderStore
    func sale() async throws -> Sale? {
        try await base.sale().map {
            Sale(
                id: $0.id, name: $0.name, durability: .memory, state: $0.state,
                openedAtMilliseconds: $0.openedAtMilliseconds)
        }
    }
    func commit(_ batch: CommitBatch) async throws -> CommitResult { try await base.commit(batch) }
}

/// Commits the orders of stale entries as if their epoch were the present one.
struct StoreWithoutEpochs: OrderStoreDecorator {
    let base: any OrderStore
    func commit(_ batch: CommitBatch) async throws -> CommitResult {
        let result = try await base.commit(batch)
        guard batch.claim == nil else { return result }
        let epochs = Dictionary(uniqueKeysWithValues: try await base.buckets().map { ($0.bucket, $0.epoch) })
        var entries = result.entries
        for (position, entry) in batch.entries.enumerated() {
            guard case .stale = entries[position], case .deduct(let orders) = entry.action,
                let epoch = epochs[entry.bucket]
            else { continue }
            let again = CommitBatch(
                duplicates: orders.map {
                    DuplicateSettlement(order: $0, id: OutboxID(epoch: epoch, n: entry.id.n))
                })
            let settled = try await base.commit(again)
            var exceptions: [FlowID: OrderSettlement] = [:]
            for (order, outcome) in zip(orders, settled.duplicates) {
                if case .settled(let settlement) = outcome, settlement != .committed {
                    exceptions[order.flow] = settlement
                }
            }
            entries[position] = .settled(exceptions: exceptions)
        }
        return CommitResult(entries: entries, duplicates: result.duplicates, payments: result.payments)
    }
}

/// Adds each SKU's restocks to a fold that contains them.
struct StoreThatRestocksAgain: OrderStoreDecorator {
    let base: any OrderStore
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
        let fold = try await base.fold(bucket: bucket, claim: claim)
        return BucketFold(
            skus: fold.skus.map {
                .init(
                    sku: $0.sku, allocated: $0.allocated + $0.version, version: $0.version, taken: $0.taken,
                    frozen: $0.frozen)
            }, ledger: fold.ledger, saleState: fold.saleState)
    }
    func commit(_ batch: CommitBatch) async throws -> CommitResult { try await base.commit(batch) }
}

/// Gives the units of failed payments back in Redis before SQL decides.
final class StoreThatGivesBackFirst: OrderStoreDecorator {
    let base: any OrderStore
    private let redis: any RedisPort
    private let scripts = Mutex<(Scripts, Catalogue)?>(nil)

    init(base: any OrderStore, redis: any RedisPort) {
        self.base = base
        self.redis = redis
    }

    func commit(_ batch: CommitBatch) async throws -> CommitResult {
        for payment in batch.payments where !payment.succeeded { try? await release(payment.order) }
        return try await base.commit(batch)
    }

    private func release(_ order: Order) async throws {
        let (scripts, catalogue) = try await known()
        guard let bucket = catalogue[order.bucket],
            let record = try await base.buckets().first(where: { $0.bucket == order.bucket })
        else { return }
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        var call = ScriptCall(keyCount: 2 + 2 * order.lines.count)
        call.append(keys.control)
        call.append(keys.outbox)
        for line in order.lines {
            guard let position = keys.position(of: line.sku) else { return }
            call.append(keys, at: position)
        }
        call.append(record.epoch.rawValue)
        call.append(record.drainedN)
        call.append(OutboxBlob(milliseconds: 0, payload: .release([order])).bytes)
        for line in order.lines { call.append(Int64(line.sku.rawValue)) }
        _ = try await redis.evaluate(scripts.release, call, slot: keys.slot, deadline: .now + .seconds(86_400))
    }

    private func known() async throws -> (Scripts, Catalogue) {
        if let known = scripts.withLock({ $0 }) { return known }
        let made = (try await Scripts.load(on: redis), try await base.catalogue())
        scripts.withLock { $0 = made }
        return made
    }
}

/// Closes a bucket only when its rebuilding begins.
final class RedisClosedLate: RedisPortDecorator {
    private struct Held {
        let script: LoadedScript
        let call: ScriptCall
    }
    let base: any RedisPort
    private let held = Mutex<[Int: Held]>([:])

    init(base: any RedisPort) { self.base = base }

    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        if script.name == "close" {
            held.withLock { $0[slot] = Held(script: script, call: call) }
            completion(.success(.array([.integer(1), .bulk([]), .bulk([])])))
            return
        }
        if script.name == "rebuild", let close = held.withLock({ $0.removeValue(forKey: slot) }) {
            base.evaluate(close.script, close.call, slot: slot, deadline: deadline) { _ in }
        }
        base.evaluate(script, call, slot: slot, deadline: deadline, completion: completion)
    }
}

/// Calls a lost answer a refusal.
struct RedisThatRefuses: RedisPortDecorator {
    let base: any RedisPort
    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        base.evaluate(script, call, slot: slot, deadline: deadline) { result in
            guard case .failure(let error) = result, error.outcome == .unknown else { return completion(result) }
            completion(.failure(RedisError(.refused, error.kind, error.message)))
        }
    }
}

/// Trims all but the newest entry.
struct RedisThatTrims: RedisPortDecorator {
    let base: any RedisPort
    func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        let words = command.words
        guard words.first == Array("XTRIM".utf8), words.count > 1 else {
            return base.send(slot: slot, command: command, deadline: deadline, completion: completion)
        }
        var trim = RedisCommand("XTRIM")
        trim.append(words[1])
        trim.append("MAXLEN")
        trim.append("1")
        base.send(slot: slot, command: trim, deadline: deadline, completion: completion)
    }
}

/// Repairs, and then sets stock and control to what they were before, but for the repair.
struct RedisRepairedBySet: RedisPortDecorator {
    let base: any RedisPort
    /// Reads before the repair: the longer it is thought about, the more is overwritten.
    private static let readsBefore = 80

    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        guard script.name == "repair" else {
            return base.evaluate(script, call, slot: slot, deadline: deadline, completion: completion)
        }
        // The count of keys, four keys, epoch, n, blob, results, repair id, delta.
        let words = call.words
        let (stock, ledger) = (words[3], words[4])
        let delta = Int64(String(decoding: words[10], as: UTF8.self)) ?? 0
        read(stock, ledger, slot, deadline, [], Self.readsBefore) { before in
            base.evaluate(script, call, slot: slot, deadline: deadline) { result in
                completion(result)
                guard let (units, control) = before else { return }
                var fields = control.split(separator: " ").map(String.init)
                guard fields.count >= 5, let taken = Int64(fields[2]) else { return }
                fields[2] = "\(taken + delta)"
                var set = RedisCommand("SET")
                set.append(stock)
                set.append("\(units - delta)")
                base.send(slot: slot, command: set, deadline: deadline) { _ in }
                var write = RedisCommand("HSET")
                write.append(ledger)
                write.append("#")
                write.append(fields.joined(separator: " "))
                base.send(slot: slot, command: write, deadline: deadline) { _ in }
            }
        }
    }

    private static func control(of ledger: [UInt8]) -> RedisCommand {
        var field = RedisCommand("HGET")
        field.append(ledger)
        field.append("#")
        return field
    }

    private func read(
        _ stock: [UInt8], _ ledger: [UInt8], _ slot: Int, _ deadline: ContinuousClock.Instant,
        _ seen: [(Int64, String)], _ left: Int, _ done: @escaping @Sendable ((Int64, String)?) -> Void
    ) {
        guard left > 0 else { return done(seen.first) }
        var get = RedisCommand("GET")
        get.append(stock)
        let field = Self.control(of: ledger)
        base.send(slot: slot, command: get, deadline: deadline) { units in
            base.send(slot: slot, command: field, deadline: deadline) { control in
                var seen = seen
                if let units = try? units.get().int, let control = try? control.get().string {
                    seen.append((units, control))
                }
                read(stock, ledger, slot, deadline, seen, left - 1, done)
            }
        }
    }
}

/// Names each bucket's act to this process once.
final class StoreThatNamesActsOnce: OrderStoreDecorator {
    let base: any OrderStore
    private let named = Mutex<[BucketNumber: Int64]>([:])

    init(base: any OrderStore) { self.base = base }

    func bucketControls() async throws -> [BucketControl] {
        let controls = try await base.bucketControls()
        return named.withLock { named in
            controls.filter { control in
                defer { named[control.record.bucket] = control.act }
                return named[control.record.bucket, default: -1] < control.act
            }
        }
    }
}
