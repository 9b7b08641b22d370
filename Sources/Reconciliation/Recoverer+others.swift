import Deduction
public import Inventory
import OrderStore

/// Several processes that find the same bucket unfit at once: one recovers it, the others wait for that one.
///
/// For who mends by hand. The supervisors of engines need none of it: they meet a bucket that another recovered as soon as SQL
/// calls it open.
extension Recoverer {
    /// Another's recovery that shows no progress for so long is dead. The pause for leases is shorter.
    public static let othersPatience = Duration.seconds(5)
    /// Pause between two looks.
    private static let lookPeriod = Duration.milliseconds(50)

    /// Recovers a bucket, unless another has done so since it was found unfit.
    ///
    /// - Parameters:
    ///   - found: the epoch under which it was found unfit; `nil`: the present one.
    ///   - patience: how long another's recovery may show no progress.
    /// - Returns: `nil`: another recovered it.
    /// - Throws: as `recover` does, but nothing because another is at it.
    public func recover(
        _ number: BucketNumber, foundUnder found: Epoch?, patience: Duration = Recoverer.othersPatience
    ) async throws -> Report? {
        var present = try await self.present(number)
        let found = found ?? present.epoch
        while true {
            // Nobody has come since, nor was anybody at it: else whoever was has to be dead first.
            if present.epoch != found || present.state == .recovering {
                guard
                    let dead = try await waitForOthers(
                        number, since: found, wasBegun: present.state == .recovering, patience: patience)
                else { return nil }
                present = dead
            }
            do {
                return try await recover(number, onlyUnder: present.epoch)
            } catch let failure as Failure where failure.overtaken {
                present = try await self.present(number)
            }
        }
    }

    /// Waits for another's recovery of a bucket that was in epoch `found`, and is in a newer one or being recovered now. False:
    /// nobody works at it any more.
    public func isOpenedByAnother(_ number: BucketNumber, since found: Epoch, wasBegun: Bool) async -> Bool {
        do {
            return try await waitForOthers(number, since: found, wasBegun: wasBegun, patience: Self.othersPatience)
                == nil
        } catch {
            return false
        }
    }

    /// Waits until a bucket that others are recovering is open, in SQL and in Redis: under a newer epoch than `found`, or under that
    /// one where its recovery had begun.
    ///
    /// - Returns: `nil`: it is; else the bucket as whoever was at it left it.
    func waitForOthers(
        _ number: BucketNumber, since found: Epoch, wasBegun: Bool, patience: Duration
    ) async throws -> BucketRecord? {
        guard let bucket = catalogue[number] else { return nil }
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        var last: Progress?
        var movedAt = clock.now
        while true {
            let record = try await present(number)
            let cut = try? await readCut(bucket, keys)
            if let cut, record.state == .open, record.epoch > found || wasBegun, cut.id?.epoch == record.epoch,
                cut.state != BucketState.recovering.rawValue
            {
                return nil
            }
            let now = Progress(record: record, id: cut?.id, state: cut?.state, skus: cut?.skus)
            if now != last {
                last = now
                movedAt = clock.now
            } else if clock.now - movedAt >= patience {
                return record
            }
            try await clock.sleep(for: Self.lookPeriod)
        }
    }

    /// What changes while somebody recovers a bucket.
    private struct Progress: Equatable {
        let record: BucketRecord
        let id: OutboxID?
        let state: String?
        let skus: [BucketCut.SKU]?
    }

    private func present(_ number: BucketNumber) async throws -> BucketRecord {
        guard let record = try await store.buckets().first(where: { $0.bucket == number }) else {
            throw Failure(description: "bucket number \(number.rawValue) is not in this sale", overtaken: false)
        }
        return record
    }
}
