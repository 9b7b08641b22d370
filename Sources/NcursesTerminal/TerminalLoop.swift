public import Host
public import TerminalUI

/// Waits for everything that can move a screen: keys, a wake from other threads, signals, the next deadline. One thread owns
/// it, the terminal and the model.
///
/// A new window size, Ctrl-Z and its return are dealt with here and arrive as `.terminal(.resize)`.
public final class TerminalLoop {
    public enum Event: Hashable, Sendable {
        case terminal(TerminalEvent)
        /// Somebody wrote to the wake descriptor; wakes collapse.
        case wake
        /// A signal that asks the program to end.
        case signal(WatchedSignal)
        case deadline
        /// The terminal hung up: nothing will ever come again. End the program.
        case inputClosed
    }

    private let terminal: NcursesTerminal
    private let signals: SignalWatch
    private let poller: Poller

    /// - Parameter wakeDescriptor: an eventfd that other threads write to.
    public init(terminal: NcursesTerminal, signals: SignalWatch, wakeDescriptor: Int32) {
        self.terminal = terminal
        self.signals = signals
        poller = Poller(input: terminal.inputDescriptor, wake: wakeDescriptor, signals: signals.descriptor)
    }

    /// Blocks until something happened; keys first, in the order typed.
    /// - Parameter deadline: when to come back at the latest; nil waits without end.
    public func wait(until deadline: ContinuousClock.Instant?) -> [Event] {
        let timeout = deadline.map { deadline -> Int in
            let left = ContinuousClock.now.duration(to: deadline).components
            // Rounded up, so that the deadline has passed when it is reported; a minute is waited at most.
            let milliseconds =
                min(left.seconds, 60) * 1000 + (left.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
            return max(0, Int(milliseconds))
        }
        let ready = poller.wait(timeoutMilliseconds: timeout)
        var events: [Event] = []
        if ready.contains(.input) { events += terminal.readEvents().map { .terminal($0) } }
        if ready.contains(.inputClosed) { events.append(.inputClosed) }
        if ready.contains(.signal) { events += takeSignals() }
        if ready.contains(.wake) { events.append(.wake) }
        if let deadline, ContinuousClock.now >= deadline { events.append(.deadline) }
        return events
    }

    private func takeSignals() -> [Event] {
        var events: [Event] = []
        var isResized = false
        for signal in signals.drain() {
            switch signal {
            case .hangUp, .interrupt, .quit, .terminate: events.append(.signal(signal))
            case .windowChanged: isResized = true
            case .stop:
                terminal.leave()
                signals.stopProcess()
                terminal.reenter()
                isResized = true
            case .continued:
                // Stopped by SIGSTOP, which nobody can catch: the shell has set modes of its own since.
                terminal.reenter()
                isResized = true
            }
        }
        if isResized {
            let (columns, rows) = terminal.resize()
            events.append(.terminal(.resize(columns: columns, rows: rows)))
        }
        return events
    }
}
