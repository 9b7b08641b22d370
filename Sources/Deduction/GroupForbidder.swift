import Inventory
import OrderStore
import Redis

/// Tells a bucket to forbid the groups that are absent there, and asks of the others which entry took them (`forbid`, the
/// release script that keeps what is taken).
struct GroupForbidder: Sendable {
    typealias Answers = [FlowID: [BucketNumber: GroupAnswer]]

    let catalogue: Catalogue
    let cluster: any RedisPort
    let scripts: Scripts
    let callTimeout: Duration
    let clock: SaleClock

    /// - Returns: what Redis said of each group (those without an answer are missing), and the tombstones' entry for SQL to settle.
    func forbid(
        _ orders: [Order], in bucket: Bucket, epoch: Epoch, n seenN: Int64
    ) async -> (Answers, EntrySettlement?) {
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        let skus = Set(orders.flatMap(\.lines).map(\.sku)).sorted()
        let positions = skus.compactMap { keys.position(of: $0) }
        guard positions.count == skus.count else { return ([:], nil) }
        let blob = OutboxBlob(milliseconds: clock.unixMilliseconds, payload: .release(orders)).bytes
        var call = ScriptCall(keyCount: 2 + 2 * positions.count, capacity: blob.count + 64 * (positions.count + 4))
        call.append(keys.control)
        call.append(keys.outbox)
        for position in positions { call.append(keys, at: position) }
        call.append(epoch.rawValue)
        call.append(seenN)
        call.append(blob)
        for sku in skus { call.append(Int64(sku.rawValue)) }
        guard
            let reply = try? await cluster.evaluate(
                scripts.forbid, call, slot: keys.slot, deadline: clock.now + callTimeout),
            case .done(let n, let results, let kept, _) = ScriptAnswer(reply), results.count == orders.count
        else { return ([:], nil) }
        var answers: Answers = [:]
        var tombstones: [Order] = []
        for (position, order) in orders.enumerated() {
            let answer: GroupAnswer
            switch results[position] {
            case UInt8(ascii: "K"): answer = .taken(OutboxID(epoch: epoch, n: kept[position] ?? 0))
            case UInt8(ascii: "T"):
                tombstones.append(order)
                answer = .forbidden
            case UInt8(ascii: "r"): answer = .forbidden
            case UInt8(ascii: "C"): answer = .another
            default: continue
            }
            answers[order.flow, default: [:]][order.bucket] = answer
        }
        guard !tombstones.isEmpty else { return (answers, nil) }
        let entry = EntrySettlement(
            bucket: bucket.number, id: OutboxID(epoch: epoch, n: n),
            action: .release(givenBack: [], tombstones: tombstones))
        return (answers, entry)
    }
}
