import Deduction
import Inventory
import OrderStore

/// Many buckets at once: their cuts are on their way together, then one snapshot of SQL has the books beside all of them, and
/// only numbers are compared. It can only say that a bucket agrees; whatever else it meets is for `compare(_:since:)`, which cuts
/// anew. So a sale of a million SKUs of which few moved costs little more than reading it.
extension Reconciler {
    static let batchBucketsMax = 64

    enum Look: Sendable {
        case agrees
        /// Redis did not answer for it, or something that is no bucket of the sale did.
        case unread(any Error)
        case mayDiffer
    }

    /// Looks at every bucket, and tells what it found in the order in which it did.
    func compareInBatches(
        _ known: [BucketNumber: BucketControl], _ tell: (Bucket, Look) -> Void
    ) async {
        await withTaskGroup(of: (ArraySlice<Bucket>, [Result<BucketCut, any Error>]).self) { group in
            var next = 0
            func addOne() {
                guard next < catalogue.buckets.count else { return }
                let batch = catalogue.buckets[next..<endOfBatch(from: next)]
                next = batch.endIndex
                group.addTask {
                    let cuts = await readCuts(batch)
                    return (batch, cuts)
                }
            }
            for _ in 0..<configuration.batchesMax { addOne() }
            for await (batch, cuts) in group {
                addOne()
                // SQL is read here, one batch at a time: each reader has pages of its own, and Redis is what is waited for.
                for (bucket, look) in await look(at: batch, cuts, known) { tell(bucket, look) }
            }
        }
    }

    private func endOfBatch(from start: Int) -> Int {
        var (end, skus) = (start, 0)
        while end < catalogue.buckets.count, end - start < Self.batchBucketsMax {
            skus += catalogue.buckets[end].skus.count
            if end > start, skus > configuration.batchSKUsMax { break }
            end += 1
        }
        return end
    }

    private func look(
        at batch: ArraySlice<Bucket>, _ cuts: [Result<BucketCut, any Error>], _ known: [BucketNumber: BucketControl]
    ) async -> [(Bucket, Look)] {
        var looks: [(Bucket, Look)] = []
        var sound: [(bucket: Bucket, cut: BucketCut, position: CutPosition)] = []
        for (bucket, cut) in zip(batch, cuts) {
            switch cut {
            case .failure(let error): looks.append((bucket, .unread(error)))
            case .success(let cut):
                guard let id = cut.id, isSound(bucket, cut, known[bucket.number]) else {
                    looks.append((bucket, .mayDiffer))
                    continue
                }
                sound.append((bucket, cut, CutPosition(bucket: bucket.number, id: id)))
            }
        }
        // SQL is read after every cut; an id that it has not reached yet is waited for one by one.
        let books = (try? await store.books(for: sound.map(\.position))) ?? []
        for (index, (bucket, cut, _)) in sound.enumerated() {
            let sayTheSame = index < books.count && books[index].map { agrees(cut, $0) } == true
            looks.append((bucket, sayTheSame ? .agrees : .mayDiffer))
        }
        return looks
    }

    private func readCuts(_ batch: ArraySlice<Bucket>) async -> [Result<BucketCut, any Error>] {
        await withTaskGroup(of: (Int, Result<BucketCut, any Error>).self) { group in
            for (position, bucket) in batch.enumerated() {
                group.addTask {
                    let result = await attemptCut(bucket)
                    return (position, result)
                }
            }
            var results = [Result<BucketCut, any Error>?](repeating: nil, count: batch.count)
            for await (position, result) in group { results[position] = result }
            return results.map { $0! }
        }
    }

    private func attemptCut(_ bucket: Bucket) async -> Result<BucketCut, any Error> {
        do {
            let cut = try await readCut(bucket, BucketKeys(bucket: bucket, catalogue: catalogue))
            return .success(cut)
        } catch {
            return .failure(error)
        }
    }

    /// Whether a cut by itself, and beside what SQL said of the bucket before it, gives no reason to look closer.
    private func isSound(_ bucket: Bucket, _ cut: BucketCut, _ known: BucketControl?) -> Bool {
        guard SaleMark.refusal(bucket, holds: cut.sale, in: catalogue) == nil, cut.damage == nil, let id = cut.id
        else { return false }
        guard let known else { return true }
        if known.record.state == .open, id < known.record.drainedThrough { return false }
        return !cut.missedAct(of: known) && cut.act <= known.act
    }

    /// Whether both stores say the same of every SKU, and SQL of itself.
    private func agrees(_ cut: BucketCut, _ books: CutBooks) -> Bool {
        guard books.record.state == .open, books.skus.count == cut.skus.count else { return false }
        for (reading, books) in zip(cut.skus, books.skus) {
            guard reading.sku == books.sku, let control = reading.control, control.allocated == books.allocated,
                control.version == books.version, control.taken == books.taken, books.isBalanced
            else { return false }
        }
        return true
    }
}
