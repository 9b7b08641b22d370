import Deduction
import Inventory
import OrderStore
import Redis
import Telemetry

/// What the large screens show beyond the overview.
extension WarRoomSampler {
    func assembleBuckets(
        _ bucketRates: [Double], _ skus: [WarRoomSnapshot.SKU], node: (Int) -> Int?, fenced: Set<Int>,
        reasons: [BucketNumber: FenceReason]
    ) {
        let catalogue = service.catalogue
        snapshot.buckets = catalogue.buckets.indices.map { position in
            let bucket = catalogue.buckets[position]
            let slot = keys[position].slot
            let record = records[bucket.number]
            let cut = cuts[position]
            var backlog: Int64 = 0
            if let record, let id = cut?.id, id.epoch == record.drainedThrough.epoch {
                backlog = max(0, id.n - record.drainedThrough.n)
            }
            let reason = fenced.contains(position) ? reasons[bucket.number] ?? cut?.damage : nil
            return WarRoomSnapshot.Bucket(
                tag: bucket.tag, slot: slot, node: node(slot), ordersPerSecond: bucketRates[position],
                skuCount: bucket.skus.count, skus: hottest(of: bucket, skus), fenced: fenced.contains(position),
                fence: fenced.contains(position) ? reason?.sentence ?? "its server does not answer" : nil,
                epoch: record?.epoch.rawValue, backlog: backlog)
        }.sorted { $0.slot < $1.slot }
        var counts = WarRoomSnapshot.OrderCounts()
        if let totals {
            counts.reserved = totals.reserved
            counts.sold = totals.sold
            counts.cancelled = totals.cancelled
            counts.expired = totals.expired
            counts.void = totals.void
            counts.overCapacity = totals.overCapacity
            counts.partial = totals.partial
        }
        snapshot.counts = counts
    }

    /// At most four, hottest first, in one pass.
    private func hottest(of bucket: Bucket, _ skus: [WarRoomSnapshot.SKU]) -> [String] {
        var best: [Int] = []
        for number in bucket.skus {
            guard let position = service.catalogue.position(of: number) else { continue }
            let rate = skus[position].unitsPerSecond
            guard best.count < 4 || rate > skus[best[3]].unitsPerSecond else { continue }
            let place = best.firstIndex { skus[$0].unitsPerSecond < rate } ?? best.count
            best.insert(position, at: place)
            if best.count > 4 { best.removeLast() }
        }
        return best.map { skus[$0].sku }
    }

    func assembleSeries(comparedAt: ContinuousClock.Instant?, _ now: ContinuousClock.Instant) {
        let seconds = start.duration(to: now).milliseconds / 1_000
        seriesBook.add(
            at: seconds, backlog: snapshot.ledger.backlogEntries, lag: snapshot.ledger.lagP99Milliseconds)
        if let comparison = service.lastComparisons.last { seriesBook.add(comparison) }
        snapshot.series.backlog = seriesBook.backlog
        snapshot.series.lag = seriesBook.lag
        snapshot.series.drift = seriesBook.drift
        snapshot.series.memory = memory.history
        snapshot.ledger.memoryLimitBytes = memory.limitBytes
        // The first server that is full stops its buckets.
        let limits = memory.limits
        snapshot.ledger.memoryFullSeconds = snapshot.nodes.compactMap { node in
            limits[node.address].flatMap { trends.secondsUntilFull(node.address, limit: $0) }
        }.min()
    }
}
