import Checker
import Inventory
import Operations
import OrderStore
import Synchronization
import Telemetry

/// Who closes the sale for good.
extension SimulatedOperator {
    /// How often a closing that did not end well is done once more.
    private static let closingsMax = 6

    /// Orders stop in the middle of everything; now and then whoever did it dies when SQL has it and Redis has not.
    func closeInTheRush() async {
        var random = SeededRandom(seed: scenario.seed, stream: 9)
        await sleep(random.duration(.zero, scenario.rush))
        await closeState(untilDone: false, &random)
    }

    func closeState(untilDone: Bool, _ random: inout SeededRandom) async {
        let dies = random.chance(scenario.actorDies)
        await act(.halt, untilDone: untilDone, &random) { service in
            if dies {
                return (try? await service.store.setSaleState(from: [.warmed, .open, .halted], to: .closed)) != nil
            }
            if (try? await service.store.sale())??.state == .closed { return true }
            return await service.control.close().succeeded
        }
    }

    /// Closes the sale and sees it through, as often as it takes: whoever does it may die anywhere.
    ///
    /// - Returns: the books that were printed at last, and whether all was well; `nil`: nobody heard any.
    func closeForGood() async -> FinalState.ClosedBooks? {
        var random = SeededRandom(seed: scenario.seed, stream: 10)
        // What has no deadline would be waited for in vain.
        let expires = scenario.reservationTimeout == nil || random.chance(0.5)
        var last: FinalState.ClosedBooks?
        for attempt in 0..<Self.closingsMax {
            let dies = attempt < 2 && random.chance(0.4)
            let steps = random.pick(1...150)
            let heard = Mutex<ClosingReport?>(nil)
            let asker = recorder.asker()
            // Who died comes back.
            while parties().isEmpty { await sleep(.milliseconds(50)) }
            let party = random.element(parties())
            if dies { party.life.die(inSteps: steps) }
            recorder.add(asker, .close, .invoke)
            let report = await party.ask(patience: .seconds(90)) { service in
                await service.close(reservations: expires ? .expire : .wait) { report in heard.withLock { $0 = report }
                }
            }
            guard let report, let books = report.books else {
                recorder.add(asker, .close, .info, detail: report == nil ? "notHeard" : "noBooks")
                await sleep(.milliseconds(300))
                continue
            }
            recorder.add(asker, .close, .ok, detail: books.sentence)
            last = FinalState.ClosedBooks(
                allocated: books.allocated, sold: books.sold, reserved: books.reserved, stock: books.stock,
                soldOrders: books.soldOrders, isClean: report.isClean, sentence: books.sentence)
            if report.isClean { break }
            await sleep(.seconds(1))
        }
        return last
    }
}
