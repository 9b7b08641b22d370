import Deduction
import Inventory
import Redis
import Telemetry

/// A sale too large to be cut whole each second: what is in sight or sells is read each second between two cuts of everything.
extension WarRoomSampler {
    /// One row as it was last read by itself.
    struct FreshRow {
        let taken: Int64
        let at: Double
    }

    private static let refreshPause = Duration.seconds(1)
    /// What would end right before a cut of everything is left to that.
    private static let refreshMargin = Duration.milliseconds(300)

    /// How long everything takes to be read once, one cut of everything after another.
    ///
    /// - Parameter skusPerSecond: that are cut, where a test wants fewer.
    public static func sweepSeconds(of skus: Int, skusPerSecond: Double = skusPerSecond) -> Double {
        max(0.1, Double(skus) / skusPerSecond)
    }

    /// Reads what is in sight or sells, each second until `end`.
    func keepFresh(until end: ContinuousClock.Instant) async {
        var next = clock.now + Self.refreshPause
        while next < end - Self.refreshMargin, !Task.isCancelled {
            try? await clock.sleep(until: next)
            guard !Task.isCancelled else { return }
            await refresh()
            publish(snapshot)
            next = max(next + Self.refreshPause, clock.now)
        }
    }

    /// Positions in sight, then those that sell, hottest first.
    private var wanted: [Int] {
        let skus = snapshot.skus
        let visible = (sight?.positions ?? []).prefix(SweepPlan.visibleMax).filter { skus.indices.contains($0) }
        let hot = skus.indices.filter { skus[$0].unitsPerSecond > 0 }
            .sorted { skus[$0].unitsPerSecond > skus[$1].unitsPerSecond }
        return visible + hot.prefix(SweepPlan.hotMax)
    }

    /// Reads these rows alone, and puts what they say into the snapshot.
    func refresh() async {
        let deadline = clock.now + .milliseconds(400)
        let (cluster, scripts, catalogue) = (service.cluster, service.scripts, service.catalogue)
        let groups = Dictionary(grouping: Set(wanted)) { catalogue.entries[$0].bucket }
        let parts = groups.compactMap { number, positions -> Bucket? in
            guard let bucket = catalogue[number] else { return nil }
            return Bucket(
                number: number, tag: bucket.tag, skus: positions.map { catalogue.entries[$0].number }.sorted())
        }
        let read = await withTaskGroup(of: BucketCut?.self) { group in
            for part in parts {
                group.addTask {
                    let cut = try? await BucketCut.read(
                        part, BucketKeys(bucket: part, catalogue: catalogue), by: scripts, on: cluster,
                        deadline: deadline)
                    return cut
                }
            }
            var all: [BucketCut.SKU] = []
            for await cut in group { all += cut?.skus ?? [] }
            return all
        }
        let seconds = start.duration(to: clock.now) / .seconds(1)
        var skus = snapshot.skus
        snapshot.skus = []
        for sku in read {
            guard let position = catalogue.position(of: sku.sku), skus.indices.contains(position),
                let control = sku.control
            else { continue }
            if let before = freshRows[sku.sku], seconds > before.at, seconds - before.at < 3 {
                skus[position].unitsPerSecond = Double(max(0, control.taken - before.taken)) / (seconds - before.at)
            }
            freshRows[sku.sku] = FreshRow(taken: control.taken, at: seconds)
            skus[position].stock = sku.stock
            skus[position].taken = control.taken
            skus[position].allocated = control.allocated
            skus[position].frozen = control.frozen
            skus[position].ledgerEntries = sku.ledgerEntries
        }
        snapshot.skus = skus
        // Who is neither in sight nor sells any more is forgotten.
        freshRows = freshRows.filter { seconds - $0.value.at < 3 }
    }
}
