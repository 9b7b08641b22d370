import Dashboard
import Lab
import Operations
import Synchronization

/// A demo behind the screen: starts after the first frame, works until cancelled, leaves nothing behind.
final class DemoStage: Sendable {
    private let configuration: DemoFloor.Configuration
    private let mailbox: ScreenMailbox
    private let interpreter: ActInterpreter
    private let events: EventLog
    private let failed = Mutex<String?>(nil)
    private let kept = Mutex<String?>(nil)

    init(
        configuration: DemoFloor.Configuration, mailbox: ScreenMailbox, interpreter: ActInterpreter, events: EventLog
    ) {
        self.configuration = configuration
        self.mailbox = mailbox
        self.interpreter = interpreter
        self.events = events
    }

    /// Why the demo could not start.
    var failure: String? { failed.withLock { $0 } }

    /// How to come back to what `--keep` left, and how to end it.
    var keptSentence: String? { kept.withLock { $0 } }

    func run() async {
        let floor: DemoFloor
        do { floor = try await DemoFloor.start(configuration, events: events) } catch {
            guard !Task.isCancelled else { return }
            failed.withLock { $0 = "\(error)" }
            mailbox.close()
            return
        }
        defer { kept.withLock { $0 = floor.keptSentence } }
        interpreter.attach(service: floor.service, floor: floor)
        let sampler = WarRoomSampler(
            service: floor.service, witness: floor, topology: floor.topology, redisURL: floor.fleet.url,
            ordersURL: floor.ordersURL, thresholds: .inUse
        ) { [mailbox] in mailbox.put($0) }
        await withDiscardingTaskGroup { group in
            group.addTask { await floor.run() }
            group.addTask { await sampler.run() }
        }
        await floor.stop()
    }
}
