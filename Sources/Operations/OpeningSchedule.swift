public import Inventory
import Synchronization
public import Telemetry

/// When this process is to open the sale. It lives in this process alone: SQL does not know of it, and whoever ends the process ends
/// it.
public final class OpeningSchedule: Sendable {
    /// A moment to come.
    public enum Moment: Sendable, Hashable {
        /// By the wall clock, Unix milliseconds: what a person means by 12:00.
        case at(milliseconds: UInt64)
        /// So long from now, by a clock that nobody sets.
        case after(Duration)
    }

    /// How long before the moment the list is gone through again.
    public static let checkLead = Duration.seconds(3)
    /// Pause between two looks at the clock.
    static let pause = Duration.milliseconds(50)

    private struct State {
        var number = 0
        var isSet = false
        var wall: UInt64?
        var deadline: SaleClock.Instant?
    }

    private let clock: SaleClock
    private let state = Mutex(State())

    init(clock: SaleClock) { self.clock = clock }

    /// Sets the moment, in place of any before.
    /// - Returns: what `wait` takes; a later `set`, or `cancel`, ends its waiting.
    public func set(_ moment: Moment) -> Int {
        let now = clock.now
        return state.withLock { state in
            state.number += 1
            state.isSet = true
            switch moment {
            case .at(let milliseconds): (state.wall, state.deadline) = (milliseconds, nil)
            case .after(let span): (state.wall, state.deadline) = (nil, now + span)
            }
            return state.number
        }
    }

    /// Takes the opening back. False: there was none.
    @discardableResult
    public func cancel() -> Bool {
        state.withLock { state in
            defer { state.isSet = false }
            state.number += 1
            return state.isSet
        }
    }

    /// What is to come; `nil`: nothing.
    public var present: ScheduledOpening? {
        let (wall, deadline) = state.withLock { $0.isSet ? ($0.wall, $0.deadline) : (nil, nil) }
        let now = clock.unixMilliseconds
        if let wall {
            return ScheduledOpening(
                atMilliseconds: wall, secondsLeft: max(0, (Double(wall) - Double(now)) / 1_000))
        }
        guard let deadline else { return nil }
        let left = max(0, clock.now.duration(to: deadline).milliseconds)
        return ScheduledOpening(atMilliseconds: now + UInt64(left), secondsLeft: left / 1_000)
    }

    /// Waits until `lead` before the moment. False: it was cancelled, set anew, or this task was cancelled.
    public func wait(_ number: Int, lead: Duration = .zero) async -> Bool {
        while !Task.isCancelled {
            guard state.withLock({ $0.isSet && $0.number == number }), let left = present?.secondsLeft else {
                return false
            }
            let rest = Duration.seconds(left) - lead
            if rest <= .zero { return true }
            do { try await clock.sleep(for: min(rest, Self.pause)) } catch { return false }
        }
        return false
    }

    /// The moment came: it is no longer to come. False: it was taken back meanwhile.
    func finish(_ number: Int) -> Bool {
        state.withLock { state in
            guard state.isSet, state.number == number else { return false }
            state.isSet = false
            return true
        }
    }
}

extension SaleService {
    /// Opens the sale at a moment, if the list then says GO. The list is gone through `checkLead` before; whatever it says is told.
    ///
    /// It waits here: cancelled, or its process ended, nothing opens.
    /// - Returns: `nil` if it was taken back.
    public func open(
        at moment: OpeningSchedule.Moment, _ tell: @Sendable (PreflightReport) -> Void = { _ in }
    ) async -> SaleControl.Report? {
        let number = schedule.set(moment)
        defer { _ = schedule.finish(number) }
        if let opening = schedule.present {
            events.add(
                .info,
                "the sale opens in \(Duration.seconds(opening.secondsLeft).formatted), as long as this process lives; X takes it back"
            )
        }
        guard await schedule.wait(number, lead: OpeningSchedule.checkLead) else { return takenBack() }
        let list = await preflight(tell)
        if list.decision != .go {
            let report = await control.open(after: list)
            events.add(.bad, "the sale does not open by itself: \(list.sentence)")
            return report
        }
        guard await schedule.wait(number), schedule.finish(number) else { return takenBack() }
        return await control.open(after: list)
    }

    private func takenBack() -> SaleControl.Report? {
        events.add(.warning, "the opening was taken back: nothing opens by itself")
        return nil
    }
}

extension OpeningTime {
    /// The moment that is meant, seen from `now`: a time of day that has passed is tomorrow's.
    /// - Parameters:
    ///   - now: Unix milliseconds.
    ///   - offset: seconds that this place is ahead of UTC.
    public func moment(now: UInt64, offset: Int) -> OpeningSchedule.Moment {
        switch kind {
        case .after(let seconds): return .after(.seconds(seconds))
        case .clock(let wanted):
            let local = Int64(now / 1_000) + Int64(offset)
            let midnight = local - local % 86_400
            var target = midnight + Int64(wanted)
            if target <= local { target += 86_400 }
            return .at(milliseconds: UInt64(max(0, target - Int64(offset))) * 1_000)
        }
    }
}
