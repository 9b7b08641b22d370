import Deduction
import Inventory
import Reconciliation
import Redis
import Synchronization
import Telemetry

/// Tells recoveries as a person would: one sentence when a node's buckets are fenced, one when the last of them is back.
final class RecoveryNarrator: Sendable {
    private struct Story {
        var fenced: Set<BucketNumber> = []
        var recovered = 0
        var rebuilt = 0
        var ledgerEntries = 0
        var survivors = 0
        var overCapacity = 0
        var since: ContinuousClock.Instant
    }

    private let catalogue: Catalogue
    private let cluster: any RedisPort
    private let events: EventLog
    private let clock: SaleClock
    private let stories = Mutex<[String: Story]>([:])

    init(catalogue: Catalogue, cluster: any RedisPort, events: EventLog, clock: SaleClock) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.events = events
        self.clock = clock
    }

    private func node(of bucket: BucketNumber) -> String {
        guard let tag = catalogue[bucket]?.tag, let address = cluster.master(ofSlot: HashSlot.of("{\(tag)}")) else {
            return "?"
        }
        let number = cluster.status.firstIndex { $0.address == address }.map { "\($0 + 1) " } ?? ""
        return "\(number)(\(address))"
    }

    func hear(_ event: RecoverySupervisor.Event) {
        switch event {
        case .fenced(let bucket, let reason, let finding):
            let node = node(of: bucket)
            let isFirst = stories.withLock { stories in
                let isFirst = stories[node] == nil
                stories[node, default: Story(since: clock.now)].fenced.insert(bucket)
                return isFirst
            }
            if let finding {
                // A comparison names one bucket and what is wrong with it.
                let tag = catalogue[bucket]?.tag ?? "?"
                events.add(
                    .warning, "\(finding); bucket \(tag) is fenced, nothing is sold from it until rebuilt from SQL",
                    of: .fenced)
            } else if isFirst {
                events.add(
                    .warning,
                    "node \(node): \(reason.sentence); its buckets are fenced, nothing is sold from them until rebuilt from SQL",
                    of: .fenced)
            }
        case .recovered(let report, _):
            let node = node(of: report.bucket)
            let finished = stories.withLock { stories -> Story? in
                let key =
                    stories[node]?.fenced.contains(report.bucket) == true
                    ? node : stories.first { $0.value.fenced.contains(report.bucket) }?.key
                guard let key, var story = stories[key] else { return nil }
                story.fenced.remove(report.bucket)
                story.recovered += 1
                if report.isRebuilt { story.rebuilt += 1 }
                story.ledgerEntries += report.ledgerEntries
                story.survivors += report.survivors
                story.overCapacity += report.overCapacity
                stories[key] = story.fenced.isEmpty ? nil : story
                return story.fenced.isEmpty ? story : nil
            }
            guard let story = finished else { return }
            let took = story.since.duration(to: clock.now).formatted
            var sentence =
                story.rebuilt == 0
                ? "node \(node): nothing was lost; \(story.recovered.counted("bucket")) open again after \(took), not rebuilt"
                : "node \(node): \(story.recovered.counted("bucket")) rebuilt from SQL (\(story.ledgerEntries.inGroups) ledger entries) and open again"
                    + " after \(took)"
            if story.survivors > 0 {
                sentence += "; \(story.survivors) outbox \(story.survivors == 1 ? "entry" : "entries") had survived"
            }
            events.add(story.overCapacity > 0 ? .bad : .good, sentence, of: .fenced)
            if story.overCapacity > 0 {
                events.add(
                    .bad,
                    "\(story.overCapacity.counted("surviving order")) beyond capacity: whoever has one of them would lose"
                )
            }
        case .failed(let bucket, let why):
            events.add(.warning, "bucket \(catalogue[bucket]?.tag ?? "?") stays closed: \(why); trying again")
        }
    }
}
