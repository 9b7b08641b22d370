public import Inventory
public import OrderStore
public import Redis
import Synchronization
public import Telemetry

/// Writes to SQL what Redis did and no engine committed: reads each bucket's outbox from where SQL stands, settles the entries
/// (idempotently), and trims below what SQL holds.
///
/// Under `durable` engines commit their own entries; the worker takes only a bucket whose position has not moved between two
/// looks, which is what an engine that died leaves behind.
public final class OutboxWorker: Sendable {
    public struct Configuration: Sendable {
        /// Pause between two looks.
        public var interval = Duration.milliseconds(20)
        /// Entries of one bucket in one look.
        public var entriesMax = 512
        /// Take only what no engine committed.
        public var onlyAbandoned = false
        /// Pause between two trims of a bucket.
        public var trimInterval = Duration.seconds(1)
        /// The longest pause while SQL fails; pauses double from `interval` on.
        public var failurePauseMax = Duration.seconds(1)
        /// A missing entry is reported after this long.
        public var gapPatience = Duration.seconds(1)
        public init() {}
    }

    public struct Status: Sendable, Hashable {
        /// Age of the oldest entry that was read and is not in SQL yet; zero when there is none.
        public var oldestMilliseconds: Int64 = 0
        /// When that entry was made, in Unix milliseconds.
        var oldestMadeAt: UInt64?
        /// Entries settled since start.
        public var settledEntries: Int64 = 0
        /// Orders beyond capacity or under a used flow that were drained since start.
        public var exceptions: Int64 = 0
        /// What SQL or Redis last said; `nil` while all is well.
        public var lastError: String?
        /// Looks in a row at which SQL failed.
        public var failures = 0
    }

    private struct Progress {
        var drained: OutboxID
        var trimmedAt: ContinuousClock.Instant
        var gapSince: ContinuousClock.Instant?
    }

    /// From the forming of a call in an engine to its entry being in SQL.
    public let lag = LatencyRecorder()
    private let catalogue: Catalogue
    private let cluster: any RedisPort
    private let store: any OrderStore
    private let configuration: Configuration
    private let keys: [BucketKeys]
    private let onGap: @Sendable (BucketNumber, Epoch) -> Void
    private let state = Mutex(Status())
    private let clock: SaleClock

    /// - Parameters:
    ///   - store: where entries are settled; a decorator may delay it.
    ///   - onGap: called when an entry is gone from the outbox before SQL had it.
    public init(
        catalogue: Catalogue, cluster: any RedisPort, store: any OrderStore,
        configuration: Configuration = Configuration(), clock: SaleClock = .system,
        onGap: @escaping @Sendable (BucketNumber, Epoch) -> Void = { _, _ in }
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.store = store
        self.configuration = configuration
        self.clock = clock
        self.onGap = onGap
        keys = catalogue.buckets.map { BucketKeys(bucket: $0.withoutSKUs, catalogue: catalogue) }
    }

    public var status: Status {
        var status = state.withLock { $0 }
        // The age grows while a slow store settles what was read.
        status.oldestMilliseconds = status.oldestMadeAt.map { Int64(clock.unixMilliseconds) - Int64($0) } ?? 0
        return status
    }

    /// Drains until cancelled.
    public func run() async {
        var progress: [BucketNumber: Progress] = [:]
        var known: [BucketRecord] = []
        while !Task.isCancelled {
            await look(&progress, &known)
            let failures = state.withLock { $0.failures }
            try? await clock.sleep(
                for: failures == 0
                    ? configuration.interval
                    : Backoff.pause(failures, configuration.interval, configuration.failurePauseMax))
        }
    }

    /// - Parameter known: what SQL said last of its buckets.
    private func look(_ progress: inout [BucketNumber: Progress], _ known: inout [BucketRecord]) async {
        let records: [BucketRecord]
        do {
            records = try await store.buckets()
            known = records
        } catch {
            fail(error)
            // SQL is out, and what waits for it grows older: the outbox says since when.
            noteOldest(await read(known.filter { $0.state == .open }))
            return
        }
        var wanted: [BucketRecord] = []
        for record in records where record.state == .open {
            let before = progress[record.bucket]
            let moved = before?.drained != record.drainedThrough
            if before == nil {
                progress[record.bucket] = Progress(drained: record.drainedThrough, trimmedAt: clock.now)
            } else {
                progress[record.bucket]!.drained = record.drainedThrough
                if moved { progress[record.bucket]!.gapSince = nil }
            }
            if moved && clock.now - progress[record.bucket]!.trimmedAt >= configuration.trimInterval {
                progress[record.bucket]!.trimmedAt = clock.now
                trim(record)
            }
            if !(configuration.onlyAbandoned && moved) { wanted.append(record) }
        }
        let entries = await read(wanted)
        reportGaps(wanted, entries, &progress)
        noteOldest(entries)
        guard !entries.isEmpty else {
            state.withLock {
                $0.failures = 0
                $0.lastError = nil
            }
            return
        }
        await settle(entries)
    }

    private func noteOldest(_ entries: [OutboxEntry]) {
        let now = clock.unixMilliseconds
        let oldest = entries.compactMap(\.milliseconds).min()
        state.withLock { $0.oldestMadeAt = oldest.map { min($0, now) } }
    }

    private func fail(_ error: any Error) {
        state.withLock {
            $0.lastError = "\(error)"
            $0.failures += 1
        }
    }

    /// Reads all buckets at once; the commands travel together.
    private func read(_ records: [BucketRecord]) async -> [OutboxEntry] {
        await withTaskGroup(of: [OutboxEntry].self) { group in
            for record in records {
                guard let position = catalogue.position(of: record.bucket) else { continue }
                let keys = keys[position]
                let command = OutboxEntry.readCommand(
                    keys: keys, after: record.drainedThrough, sameEpoch: true, limit: configuration.entriesMax)
                group.addTask { [cluster, clock] in
                    guard
                        let reply = try? await cluster.call(
                            slot: keys.slot, command, deadline: clock.now + .seconds(1))
                    else { return [] }
                    return OutboxEntry.read(reply, bucket: record.bucket)
                }
            }
            var all: [OutboxEntry] = []
            for await some in group { all.append(contentsOf: some) }
            return all
        }
    }

    private func settle(_ entries: [OutboxEntry]) async {
        do {
            let result = try await store.commit(CommitBatch(entries: entries.map(\.settlement)))
            let now = clock.unixMilliseconds
            var settled: Int64 = 0
            var exceptions: Int64 = 0
            for (entry, outcome) in zip(entries, result.entries) {
                guard case .settled(let odd) = outcome else { continue }
                settled += 1
                exceptions += Int64(odd.values.count { $0 != .partial })
                if let milliseconds = entry.milliseconds {
                    lag.record(.milliseconds(Int64(now) - Int64(min(milliseconds, now))))
                }
            }
            state.withLock {
                $0.settledEntries += settled
                $0.exceptions += exceptions
                $0.lastError = nil
                $0.failures = 0
            }
        } catch {
            // Nothing is lost: the entries stay in the outbox and are read again.
            fail(error)
        }
    }

    /// An outbox whose first entry lies beyond the next id has lost one, unless an engine settled those in between.
    private func reportGaps(
        _ records: [BucketRecord], _ entries: [OutboxEntry], _ progress: inout [BucketNumber: Progress]
    ) {
        var first: [BucketNumber: Int64] = [:]
        for entry in entries { first[entry.bucket] = min(first[entry.bucket] ?? .max, entry.id.n) }
        for record in records {
            guard let n = first[record.bucket], n > record.drainedThrough.n + 1 else {
                progress[record.bucket]?.gapSince = nil
                continue
            }
            if let since = progress[record.bucket]?.gapSince {
                if clock.now - since >= configuration.gapPatience {
                    progress[record.bucket]?.gapSince = nil
                    onGap(record.bucket, record.epoch)
                }
            } else {
                progress[record.bucket]?.gapSince = clock.now
            }
        }
    }

    /// Drops what SQL holds. The newest drained entry stays.
    private func trim(_ record: BucketRecord) {
        guard let position = catalogue.position(of: record.bucket) else { return }
        var command = RedisCommand("XTRIM")
        command.append(keys[position].outbox)
        command.append("MINID")
        command.append("\(record.drainedThrough)")
        cluster.send(slot: keys[position].slot, command: command, deadline: clock.now + .seconds(1)) { _ in }
    }
}
