public import Deduction
public import Inventory
public import OrderStore
public import Redis

/// Recovers one bucket that may have lost data: a new epoch in SQL, the bucket closed under it, what survived drained, the
/// books folded, Redis rebuilt, the bucket opened. Nobody else opens a bucket; loading a warmed sale is the same walk.
///
/// Every write to Redis is a script that requires this recovery's epoch and the state `recovering`, so a recoverer that stalls
/// while another overtakes it writes nowhere.
public struct Recoverer: Sendable {
    /// Fields in one rebuilding call.
    public static let fieldsMax = 2_000
    /// SKUs whose keys one call clears.
    static let clearedMax = 500
    /// Entries in one read of the outbox.
    public static let entriesMax = 512

    public struct Report: Sendable {
        public let bucket: BucketNumber
        public let epoch: Epoch
        /// Entries found in the outbox that SQL did not have.
        public let survivors: Int
        /// Surviving orders beyond capacity: rows outside the counters.
        public let overCapacity: Int
        /// Ledger entries written.
        public let ledgerEntries: Int
        /// False: nothing was lost, and the bucket was opened as it was.
        public let isRebuilt: Bool
        public let duration: Duration
    }

    /// What stopped a recovery.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
        /// Another recovery has a newer epoch: leave the bucket to it, then look again.
        public let overtaken: Bool
    }

    let catalogue: Catalogue
    let cluster: any RedisPort
    let scripts: Scripts
    let store: any OrderStore
    private let claimant: String
    /// How long one call to Redis may take; rebuilding is sent in bounded steps.
    let callTimeout = Duration.seconds(5)
    let clock: SaleClock

    /// - Parameter claimant: who recovers, for the record: host and process.
    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore, claimant: String,
        clock: SaleClock = .system
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.claimant = claimant
        self.clock = clock
    }

    /// The whole walk for one bucket.
    ///
    /// - Parameters:
    ///   - known: the last id that an engine has seen answered, where one reported the bucket.
    ///   - settle: changes what SQL holds of the bucket, once it is closed and drained and before Redis is built from SQL. If it
    ///     throws, the bucket is opened as it is, and the error is thrown then.
    ///   - onBuilt: called when Redis holds what it must, before any wait for the leases of engines to end.
    /// - Throws: `Failure`, `RedisError` or `OrderStoreError`; the bucket then stays closed, and a new attempt takes a new epoch.
    public func recover(
        _ number: BucketNumber, known: OutboxID? = nil, onBuilt: () -> Void = {},
        settle: ((Epoch) async throws -> Void)? = nil
    ) async throws -> Report {
        try await recover(number, onlyUnder: nil, known: known, onBuilt: onBuilt, settle: settle)
    }

    /// The walk, unless the bucket has another epoch than `expected` by now.
    func recover(
        _ number: BucketNumber, onlyUnder expected: Epoch?, known: OutboxID? = nil, onBuilt: () -> Void = {},
        settle: ((Epoch) async throws -> Void)? = nil
    ) async throws -> Report {
        guard let bucket = catalogue[number] else {
            throw Failure(description: "bucket number \(number.rawValue) is not in this sale", overtaken: false)
        }
        let start = clock.now
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        // Redis is asked first: a bucket that cannot be reached, or is another sale's, takes no epoch. Its SKUs do not matter yet.
        let cut = try await readCut(
            bucket.withoutSKUs, BucketKeys(bucket: bucket.withoutSKUs, catalogue: catalogue))
        if let refusal = SaleMark.refusal(bucket, holds: cut?.sale, in: catalogue) {
            throw Failure(description: refusal, overtaken: false)
        }
        let seen = max(cut?.id?.epoch ?? .none, cut?.outboxEnd?.epoch ?? .none)
        let record = try await store.bucket(number)
        if let expected, let record, record.epoch != expected {
            throw Self.overtaken(bucket, expected, by: record.epoch)
        }
        let claim = try await store.claimEpoch(bucket: number, above: seen, by: claimant)
        return try await walk(
            bucket, keys, claim, record: record, known: known, start: start, onBuilt: onBuilt, settle: settle)
    }

    private static func overtaken(_ bucket: Bucket, _ claim: Epoch, by present: Epoch) -> Failure {
        Failure(
            description:
                "bucket \(bucket.tag): epoch \(claim.rawValue) was overtaken by epoch \(present.rawValue); left to that recovery",
            overtaken: true)
    }

    /// From the claim to the opening.
    private func walk(
        _ bucket: Bucket, _ keys: BucketKeys, _ claim: Epoch, record: BucketRecord?, known: OutboxID?,
        start: ContinuousClock.Instant, onBuilt: () -> Void, settle: ((Epoch) async throws -> Void)?
    ) async throws -> Report {
        let number = bucket.number
        let claimedAt = clock.now
        do {
            let closing = try await close(keys, claim)
            let (survivors, overCapacity) = try await drain(
                bucket, keys, claim, from: record?.drainedThrough ?? OutboxID(epoch: .none, n: 0))
            var held: [SKUNumber: Held] = [:]
            var refusal: (any Error)?
            if let settle {
                do { try await settle(claim) } catch { refusal = error }
            }
            let whole = settle == nil ? try await unharmed(bucket, keys, claim, closing, known: known) : nil
            if let whole {
                held = whole
            } else {
                let fold = try await store.fold(bucket: number, claim: claim)
                held = try await rebuild(bucket, keys, claim, fold)
            }
            onBuilt()
            // What was never open has nobody who could say yes for it.
            if record?.epoch != Epoch.none { try await outwaitLeases(closing, since: claimedAt) }
            let opening = try await store.markOpened(bucket: number, claim: claim)
            try await open(bucket, keys, claim, held, opening)
            if let refusal { throw refusal }
            return Report(
                bucket: number, epoch: claim, survivors: survivors, overCapacity: overCapacity,
                ledgerEntries: whole == nil ? held.values.reduce(0) { $0 + $1.entries } : 0, isRebuilt: whole == nil,
                duration: start.duration(to: clock.now))
        } catch let error as OrderStoreError {
            throw await told(error, bucket, claim)
        }
    }

    /// What SQL refused because a newer claim stands is for that one to finish. Whoever claims again at once only overtakes it in
    /// turn: where recoveries wait for leases, two did so for ever.
    private func told(_ error: OrderStoreError, _ bucket: Bucket, _ claim: Epoch) async -> any Error {
        let present = try? await store.bucket(bucket.number)?.epoch
        guard let present, present > claim else { return error }
        return Self.overtaken(bucket, claim, by: present)
    }

    /// `nil`: a replica answered.
    func readCut(_ bucket: Bucket, _ keys: BucketKeys) async throws -> BucketCut? {
        try await BucketCut.read(bucket, keys, by: scripts, on: cluster, deadline: clock.now + callTimeout)
    }

    func close(_ keys: BucketKeys, _ claim: Epoch) async throws -> Closing {
        var call = ScriptCall(keyCount: 2)
        call.append(keys.control)
        call.append(keys.outbox)
        call.append(claim.rawValue)
        call.append(catalogue.sale?.rawValue ?? "")
        return Closing(try await require(scripts.close, call, keys))
    }

    /// Step 3: what the outbox still holds becomes orders where it fits, rows outside the counters where it does not.
    private func drain(
        _ bucket: Bucket, _ keys: BucketKeys, _ claim: Epoch, from start: OutboxID
    ) async throws -> (survivors: Int, overCapacity: Int) {
        var position = start
        var survivors = 0
        var overCapacity = 0
        while true {
            let command = OutboxEntry.readCommand(
                keys: keys, after: position, sameEpoch: false, limit: Self.entriesMax)
            let reply: RedisReply
            do {
                reply = try await cluster.call(slot: keys.slot, command, deadline: clock.now + callTimeout)
            } catch {
                // A key of another type where the outbox should be holds no survivors; the opening replaces it.
                guard error.kind == .wrongType else { throw error }
                return (survivors, overCapacity)
            }
            let entries = OutboxEntry.read(reply, bucket: bucket.number).filter { $0.id.epoch < claim }
            guard let last = entries.last else { return (survivors, overCapacity) }
            let result = try await store.commit(CommitBatch(entries: entries.map(\.settlement), claim: claim))
            for outcome in result.entries {
                switch outcome {
                case .settled(let exceptions):
                    survivors += 1
                    overCapacity += exceptions.values.count { $0 == .overCapacity }
                case .already: break
                case .stale:
                    throw Failure(
                        description: "bucket \(bucket.tag): epoch \(claim.rawValue) was overtaken while draining",
                        overtaken: true)
                }
            }
            position = last.id
        }
    }

    /// What each SKU's keys hold when the bucket is opened.
    struct Held: Sendable {
        let allocated: Int64
        let version: Int64
        let taken: Int64
        /// Fields of its ledger, as the opening must find them.
        var entries: Int
    }

    /// Step 5. Returns what each SKU must hold, and how many fields its ledger has now.
    private func rebuild(
        _ bucket: Bucket, _ keys: BucketKeys, _ claim: Epoch, _ fold: BucketFold
    ) async throws -> [SKUNumber: Held] {
        var callsBySKU: [[ScriptCall]] = []
        var held: [SKUNumber: Held] = [:]
        for sku in fold.skus {
            held[sku.sku] = Held(allocated: sku.allocated, version: sku.version, taken: sku.taken, entries: 0)
        }
        let rows = Dictionary(grouping: fold.ledger, by: \.sku)
        let buyers = Dictionary(grouping: fold.held, by: \.sku)
        for (position, sku) in bucket.skus.enumerated() {
            // A multi-line order has one row in each SKU's ledger; a flow stands once in each.
            let fields =
                (rows[sku] ?? []).map { (name: $0.flow.bytes, value: LedgerEntry($0).bytes) }
                + (buyers[sku] ?? []).map { (name: HeldField.name($0.buyer), value: HeldField.value($0.units)) }
            held[sku]?.entries = fields.count
            guard !fields.isEmpty else { continue }
            var calls: [ScriptCall] = []
            for first in stride(from: 0, to: fields.count, by: Self.fieldsMax) {
                let last = min(first + Self.fieldsMax, fields.count)
                var call = step("fill", positions: position..<position + 1, keys, claim, fields: last - first)
                for (name, value) in fields[first..<last] {
                    call.append(name)
                    call.append(value)
                }
                calls.append(call)
            }
            callsBySKU.append(calls)
        }
        // All cleared before any is filled, then SKUs side by side, the steps of one SKU in turn: child tasks start in any order,
        // and a ledger that is cleared after a part of it was filled would be short.
        for first in stride(from: 0, to: bucket.skus.count, by: Self.clearedMax) {
            let last = min(first + Self.clearedMax, bucket.skus.count)
            try await require(scripts.rebuild, step("clear", positions: first..<last, keys, claim), keys)
        }
        try await withThrowingTaskGroup { group in
            for calls in callsBySKU {
                group.addTask { for call in calls { try await require(scripts.rebuild, call, keys) } }
            }
            try await group.waitForAll()
        }
        return held
    }

    /// The beginning of a call of rebuild.lua for the SKUs at some positions of a bucket.
    private func step(
        _ name: String, positions: Range<Int>, _ keys: BucketKeys, _ claim: Epoch, fields: Int = 0
    ) -> ScriptCall {
        var call = ScriptCall(
            keyCount: 2 + 2 * positions.count, capacity: 64 * (fields + 2 * positions.count + 4))
        call.append(keys.control)
        call.append(keys.outbox)
        call.append(keys, at: positions)
        call.append(claim.rawValue)
        call.append(Int64(0))
        call.append(name)
        return call
    }

    private func open(
        _ bucket: Bucket, _ keys: BucketKeys, _ claim: Epoch, _ held: [SKUNumber: Held], _ opening: OpeningState
    ) async throws {
        var call = ScriptCall(
            keyCount: 2 + 2 * bucket.skus.count, capacity: 256 + keys.encodedBytes + 64 * bucket.skus.count)
        call.append(all: keys)
        call.append(claim.rawValue)
        call.append(Int64(0))
        call.append(opening.saleState.nameInRedis)
        call.append(opening.act)
        for sku in bucket.skus {
            guard let held = held[sku] else {
                throw Failure(description: "SQL has no counters for SKU number \(sku.rawValue)", overtaken: false)
            }
            call.append(held.allocated)
            call.append(held.version)
            call.append(held.taken)
            call.append(opening.frozen.contains(sku) ? "1" : "0")
            call.append(held.entries)
        }
        call.append(opening.watermark?.bytes ?? [])
        for sku in bucket.skus { call.append(catalogue[sku]?.limitPerBuyer.map { "\($0)" } ?? "") }
        try await require(scripts.open, call, keys)
    }

    @discardableResult
    private func require(
        _ script: LoadedScript, _ call: ScriptCall, _ keys: BucketKeys
    ) async throws -> [RedisReply] {
        let reply = try await cluster.evaluate(script, call, slot: keys.slot, deadline: clock.now + callTimeout)
        guard let values = reply.array, values.first?.int == 1 else {
            let reason = reply.array.flatMap { $0.count > 1 ? $0[1].string : nil } ?? "unreadable"
            let sentence = FenceReason(rawValue: reason)?.sentence ?? reason
            throw Failure(
                description: "bucket \(keys.tag): Redis let the recovery's \(script.name) not through: \(sentence)",
                overtaken: reason == FenceReason.epoch.rawValue)
        }
        return values
    }
}

/// A ledger entry as Redis holds it: `<quantity><t|c><n>.<digest>`.
public struct LedgerEntry: Sendable, Hashable {
    public let quantity: Int64
    public let cancelled: Bool
    public let n: Int64
    public let digest: OrderDigest

    public init(_ row: LedgerRow) {
        quantity = row.quantity
        cancelled = row.cancelled
        n = row.n
        digest = row.digest
    }

    /// Reads what a script wrote; `nil` for anything else.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= 10, bytes[bytes.count - 7] == UInt8(ascii: "."),
            let digest = OrderDigest(bytes: bytes.suffix(6)),
            let mark = bytes.firstIndex(where: { $0 == UInt8(ascii: "t") || $0 == UInt8(ascii: "c") }),
            let quantity = Int64(String(decoding: bytes[..<mark], as: UTF8.self)),
            let n = Int64(String(decoding: bytes[(mark + 1)..<(bytes.count - 7)], as: UTF8.self))
        else { return nil }
        self.quantity = quantity
        self.n = n
        self.digest = digest
        cancelled = bytes[mark] == UInt8(ascii: "c")
    }

    public var bytes: [UInt8] {
        Array("\(quantity)\(cancelled ? "c" : "t")\(n).".utf8) + digest.bytes
    }
}
