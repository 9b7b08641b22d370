public import Inventory
public import OrderStore
public import Redis

/// The acts on a bucket that are not orders: state, freeze, restock. Each is one script call behind the fence, under the
/// epoch that SQL names; SQL has decided it before.
public struct BucketActs: Sendable {
    public enum Outcome: Sendable, Hashable {
        /// Redis has it.
        case applied
        /// The bucket is being recovered or cannot be reached; SQL has the act, and the opening takes it from there.
        case waitsForRecovery(String)
    }

    private let catalogue: Catalogue
    private let cluster: any RedisPort
    private let scripts: Scripts
    private let store: any OrderStore
    private let clock: SaleClock

    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore,
        clock: SaleClock = .system
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.clock = clock
    }

    /// Sets the state of every bucket, all at once; at most `patience` for those that do not answer.
    public func setState(_ state: SaleState, patience: Duration) async -> [BucketNumber: Outcome] {
        let name = state == .warmed ? SaleState.halted.rawValue : state.rawValue
        let blob = OutboxBlob(milliseconds: clock.unixMilliseconds, payload: .state).bytes
        return await withTaskGroup(of: (BucketNumber, Outcome).self) { group in
            for bucket in catalogue.buckets {
                group.addTask {
                    let outcome = await attempt(bucket: bucket, script: scripts.state, patience: patience) { call in
                        call.append(blob)
                        call.append(name)
                    }
                    return (bucket.number, outcome)
                }
            }
            var all: [BucketNumber: Outcome] = [:]
            for await (bucket, outcome) in group { all[bucket] = outcome }
            return all
        }
    }

    /// Freezes or thaws a SKU.
    public func setFrozen(_ sku: SKUNumber, _ frozen: Bool, patience: Duration) async -> Outcome {
        let blob = OutboxBlob(milliseconds: clock.unixMilliseconds, payload: .freeze(sku: sku, frozen: frozen)).bytes
        return await attempt(sku: sku, script: scripts.freeze, patience: patience) { call in
            call.append(blob)
            call.append(frozen ? "1" : "0")
        }
    }

    /// Applies a restock that SQL has numbered.
    public func apply(_ restock: Restock, patience: Duration) async -> Outcome {
        let blob = OutboxBlob(
            milliseconds: clock.unixMilliseconds,
            payload: .restock(sku: restock.sku, fromVersion: restock.fromVersion, units: restock.units)
        ).bytes
        return await attempt(sku: restock.sku, script: scripts.restock, patience: patience) { call in
            call.append(blob)
            call.append(restock.fromVersion)
            call.append(restock.units)
        }
    }

    private func attempt(
        sku: SKUNumber, script: LoadedScript, patience: Duration, arguments: (inout ScriptCall) -> Void
    ) async -> Outcome {
        guard let entry = catalogue[sku], let bucket = catalogue[entry.bucket] else {
            return .waitsForRecovery("SKU number \(sku.rawValue) is not in this sale")
        }
        return await attempt(bucket: bucket, script: script, sku: sku, patience: patience, arguments: arguments)
    }

    private func attempt(
        bucket: Bucket, script: LoadedScript, sku: SKUNumber? = nil, patience: Duration,
        arguments: (inout ScriptCall) -> Void
    ) async -> Outcome {
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        let giveUpAt = clock.now + patience
        var obstacle = "no answer"
        repeat {
            do {
                guard let record = try await store.buckets().first(where: { $0.bucket == bucket.number }) else {
                    return .waitsForRecovery("bucket \(bucket.tag) is not in SQL")
                }
                let position = sku.flatMap { keys.position(of: $0) }
                var call = ScriptCall(keyCount: position == nil ? 2 : 4)
                call.append(keys.control)
                call.append(keys.outbox)
                if let position {
                    call.append(keys.stocks[position])
                    call.append(keys.ledgers[position])
                }
                call.append(record.epoch.rawValue)
                call.append(record.drainedN)
                arguments(&call)
                let reply = try await cluster.evaluate(
                    script, call, slot: keys.slot, deadline: min(giveUpAt, clock.now + .milliseconds(500)))
                switch ScriptAnswer(reply) {
                case .done(_, let results, _, _):
                    guard results == [UInt8(ascii: "G")] else { return .applied }
                    obstacle = "bucket \(bucket.tag): an earlier restock has not arrived yet"
                case .fenced(let reason, _): obstacle = "bucket \(bucket.tag): \(reason.sentence)"
                case .unreadable: obstacle = "bucket \(bucket.tag) answered something unreadable"
                }
            } catch {
                obstacle = "\(error)"
            }
            // Cancelled, the pause would be none, and the loop would spin until its patience ends.
            do { try await clock.sleep(for: .milliseconds(20)) } catch { break }
        } while clock.now < giveUpAt
        return .waitsForRecovery(obstacle)
    }
}
