import Dashboard
import Foundation
import Synchronization
import Telemetry

/// Prints what a teller says, a line each, with the time of day: no escape codes, nothing drawn twice.
final class LinearPrinter: Sendable {
    private struct State {
        var teller = LinearTeller()
        var isOver = false
        var last: WarRoomSnapshot?
    }

    private let state = Mutex(State())
    private let start = ContinuousClock.now

    /// Nobody reads any more.
    var isOver: Bool { state.withLock { $0.isOver } }

    func take(_ snapshot: WarRoomSnapshot) {
        state.withLock { state in
            state.last = snapshot
            let lines = state.teller.tell(snapshot, seconds: start.duration(to: .now) / .seconds(1))
            guard !lines.isEmpty, !state.isOver else { return }
            if !Self.write(lines) { state.isOver = true }
        }
    }

    /// How the books stand in the end.
    func sum() {
        state.withLock { state in
            guard let last = state.last, !state.isOver else { return }
            _ = Self.write(state.teller.sum(last, seconds: start.duration(to: .now) / .seconds(1)))
        }
    }

    /// A sentence of the command's own.
    func say(_ text: String) {
        state.withLock { state in
            if !Self.write([.init(severity: .info, text: PlainText.line(text))]) { state.isOver = true }
        }
    }

    /// Returns once nobody reads any more, or when cancelled.
    func waitForEnd() async {
        while !isOver, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(200)) }
    }

    private static func write(_ lines: [LinearTeller.Line]) -> Bool {
        var time = time(nil)
        var parts = tm()
        localtime_r(&time, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        let text = lines.map { line in
            let word =
                switch line.severity {
                case .info, .good: ""
                case .warning: "WARNING "
                case .bad: "BAD "
                }
            return "\(clock) \(word)\(line.text)\n"
        }.joined()
        // A pipe that is closed is the end, not an error.
        return (try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))) != nil
    }
}
