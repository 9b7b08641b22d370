public import Inventory
public import OrderStore
public import Redis

/// The acts on a bucket that are not orders: state and freezes, restocks. Each is one script call behind the fence, under the
/// epoch that SQL names; SQL has decided it before.
///
/// State and freezes go together, as SQL has them at one moment, under the number of the last act in them. So it does not matter
/// who tells a bucket, how often, or in which order it hears: `state.lua` lets no older number undo a newer one.
public struct BucketActs: Sendable {
    public enum Outcome: Sendable, Hashable {
        /// Redis has it, or has a newer act.
        case applied
        /// The bucket is being recovered or cannot be reached; SQL has the act. The opening takes it from there, and so does the
        /// `ActKeeper`.
        case waitsForRecovery(String)
    }

    /// Pause between two attempts.
    static let pause = Duration.milliseconds(20)
    private static let noAnswer = "no answer"
    /// How long one call may take.
    static let callTimeout = Duration.milliseconds(500)

    let catalogue: Catalogue
    let cluster: any RedisPort
    private let scripts: Scripts
    private let store: any OrderStore
    let clock: SaleClock

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

    // MARK: State and freezes

    /// Tells every bucket its state and its frozen SKUs, all at once; at most `patience` for those that do not answer.
    public func tellAll(patience: Duration) async -> [BucketNumber: Outcome] {
        await tell(catalogue.buckets, patience: patience)
    }

    /// Tells the bucket of a SKU.
    public func tell(bucketOf sku: SKUNumber, patience: Duration) async -> Outcome {
        guard let entry = catalogue[sku], let bucket = catalogue[entry.bucket] else {
            return .waitsForRecovery("SKU number \(sku.rawValue) is not in this sale")
        }
        return await tell([bucket], patience: patience)[bucket.number] ?? .waitsForRecovery(Self.noAnswer)
    }

    /// Halts every bucket, all at once, before SQL has decided it: a halt only refuses, and must not wait for a store that is slow
    /// or locked. It is numbered as SQL's next act, so that nobody who reads SQL meanwhile undoes it.
    public func haltAhead(patience: Duration) async -> [BucketNumber: Outcome] {
        await tell(catalogue.buckets, patience: patience) { control in
            control.haltedAhead
        }
    }

    /// - Parameter change: what to tell instead of what SQL says.
    func tell(
        _ buckets: [Bucket], patience: Duration, change: @escaping @Sendable (BucketControl) -> BucketControl = { $0 }
    ) async -> [BucketNumber: Outcome] {
        let giveUpAt = clock.now + patience
        var outcomes: [BucketNumber: Outcome] = [:]
        var waiting = buckets
        repeat {
            do {
                // Read anew for each attempt: a newer act may have come, and a recovery a newer epoch.
                let controls = Dictionary(
                    uniqueKeysWithValues: try await store.bucketControls().map { ($0.record.bucket, $0) })
                let isCutShort = giveUpAt < clock.now + Self.callTimeout
                await withTaskGroup(of: (BucketNumber, Letter).self) { [waiting] group in
                    for bucket in waiting {
                        guard let control = controls[bucket.number] else {
                            outcomes[bucket.number] = .waitsForRecovery("bucket \(bucket.tag) is not in SQL")
                            continue
                        }
                        group.addTask {
                            let letter = await send(
                                change(control), to: bucket, deadline: min(giveUpAt, clock.now + Self.callTimeout))
                            return (bucket.number, letter)
                        }
                    }
                    for await (bucket, letter) in group {
                        // Cut short by whoever waits no longer, an attempt says less than what the bucket said before.
                        if case .unanswered = letter, isCutShort, outcomes[bucket] != nil { continue }
                        outcomes[bucket] = letter.outcome
                    }
                }
            } catch {
                for bucket in waiting { outcomes[bucket.number] = .waitsForRecovery("\(error)") }
            }
            waiting.removeAll { outcomes[$0.number] == .applied }
            if waiting.isEmpty { break }
            // Cancelled, the pause would be none, and the loop would spin until its patience ends.
            do { try await clock.sleep(for: Self.pause) } catch { break }
        } while clock.now < giveUpAt
        return outcomes
    }

    /// What a bucket answered.
    enum Letter: Sendable {
        /// Set now.
        case set
        /// Was so before, or something newer was.
        case known
        case obstacle(String)
        /// It answered nothing in time, or cannot be reached.
        case unanswered(String)

        var outcome: Outcome {
            switch self {
            case .set, .known: .applied
            case .obstacle(let text), .unanswered(let text): .waitsForRecovery(text)
            }
        }
    }

    /// One call: `state.lua` with all of a bucket's SKUs.
    func send(_ control: BucketControl, to bucket: Bucket, deadline: SaleClock.Instant) async -> Letter {
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        var call = ScriptCall(keyCount: 2 + 2 * bucket.skus.count, capacity: 64 * (4 + 3 * bucket.skus.count))
        call.append(keys.control)
        call.append(keys.outbox)
        call.append(keys, at: bucket.skus.indices)
        call.append(control.record.epoch.rawValue)
        call.append(control.record.drainedN)
        call.append(OutboxBlob(milliseconds: clock.unixMilliseconds, payload: .state).bytes)
        call.append(control.saleState.nameInRedis)
        call.append(control.act)
        for sku in bucket.skus { call.append(control.frozen.contains(sku) ? "1" : "0") }
        do {
            let reply = try await cluster.evaluate(scripts.state, call, slot: keys.slot, deadline: deadline)
            switch ScriptAnswer(reply) {
            case .done(_, let results, _, _): return results == [UInt8(ascii: "R")] ? .set : .known
            case .fenced(let reason, _): return .obstacle("bucket \(bucket.tag): \(reason.sentence)")
            case .unreadable: return .obstacle("bucket \(bucket.tag) answered something unreadable")
            }
        } catch {
            return .unanswered("\(error)")
        }
    }

    // MARK: Restocks

    /// Applies a restock that SQL has numbered. Units that are to be taken back, Redis takes or refuses, once for all movements of this
    /// number; SQL is told of it at once, for only then do they count: `OrderStore.outcome(of:)` has the answer.
    public func apply(_ restock: Restock, patience: Duration) async -> Outcome {
        guard let entry = catalogue[restock.sku], let bucket = catalogue[entry.bucket] else {
            return .waitsForRecovery("SKU number \(restock.sku.rawValue) is not in this sale")
        }
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        guard let position = keys.position(of: restock.sku) else {
            return .waitsForRecovery("SKU number \(restock.sku.rawValue) is not in bucket \(bucket.tag)")
        }
        let blob = OutboxBlob(
            milliseconds: clock.unixMilliseconds,
            payload: .restock(sku: restock.sku, fromVersion: restock.fromVersion, units: restock.units)
        ).bytes
        let giveUpAt = clock.now + patience
        var obstacle = Self.noAnswer
        repeat {
            let isCutShort = giveUpAt < clock.now + Self.callTimeout
            do {
                guard let record = try await store.buckets().first(where: { $0.bucket == bucket.number }) else {
                    return .waitsForRecovery("bucket \(bucket.tag) is not in SQL")
                }
                var call = ScriptCall(keyCount: 4)
                call.append(keys.control)
                call.append(keys.outbox)
                call.append(keys, at: position)
                call.append(record.epoch.rawValue)
                call.append(record.drainedN)
                call.append(blob)
                call.append(restock.fromVersion)
                call.append(restock.units)
                let reply = try await cluster.evaluate(
                    scripts.restock, call, slot: keys.slot, deadline: min(giveUpAt, clock.now + Self.callTimeout))
                switch ScriptAnswer(reply) {
                case .done(let n, let results, _, _):
                    if results == [UInt8(ascii: "G")] {
                        obstacle = "bucket \(bucket.tag): an earlier restock has not arrived yet"
                        break
                    }
                    if restock.units < 0, results != [UInt8(ascii: "r")] {
                        let entry = OutboxEntry(
                            bucket: bucket.number, id: OutboxID(epoch: record.epoch, n: n), blob: blob, results: results
                        )
                        // Where this fails, whoever drains the outbox brings it.
                        _ = try? await store.commit(CommitBatch(entries: [entry.settlement]))
                    }
                    return .applied
                case .fenced(let reason, _): obstacle = "bucket \(bucket.tag): \(reason.sentence)"
                case .unreadable: obstacle = "bucket \(bucket.tag) answered something unreadable"
                }
            } catch {
                // Cut short by whoever waits no longer, it says less than what was said before.
                if !isCutShort || obstacle == Self.noAnswer { obstacle = "\(error)" }
            }
            // Cancelled, the pause would be none, and the loop would spin until its patience ends.
            do { try await clock.sleep(for: Self.pause) } catch { break }
        } while clock.now < giveUpAt
        return .waitsForRecovery(obstacle)
    }
}

extension BucketControl {
    /// This bucket halted by the act that SQL will have next.
    var haltedAhead: BucketControl {
        BucketControl(record: record, act: act + 1, saleState: .halted, frozen: frozen)
    }
}

extension SaleState {
    /// A bucket's state in Redis while the sale is in this one: what is only warmed lets no orders in.
    public var nameInRedis: String { self == .warmed ? SaleState.halted.rawValue : rawValue }
}
