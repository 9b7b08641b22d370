import Dispatch
import Foundation
import Host
import Synchronization

/// Waits on the main thread for work elsewhere; nothing else may need that thread meanwhile.
enum Blocking {
    static func wait(for work: @escaping @Sendable () async -> Void) {
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            await work()
            done.signal()
        }
        done.wait()
    }

    /// How long a screen that was left may take to end what works behind it.
    private static let endingPatience = Duration.seconds(10)

    /// Waits for the end of what worked behind a screen that is closed already. Somebody who asks again, and who waits for
    /// ever, is let go: the kernel takes the embedded servers along, the next start sweeps their folder.
    static func end(signals: SignalWatch, _ work: @escaping @Sendable () async -> Void) {
        guard let notifier = try? EventNotifier() else { return wait(for: work) }
        let done = Box<Void>()
        Task.detached {
            await work()
            done.set(.success(()))
            notifier.notify()
        }
        let poller = Poller(input: -1, wake: notifier.fileDescriptor, signals: signals.descriptor)
        let giveUpAt = ContinuousClock.now + endingPatience
        while !done.isSet {
            let left = ContinuousClock.now.duration(to: giveUpAt) / .milliseconds(1)
            let ready = poller.wait(timeoutMilliseconds: Int(max(0, left)))
            if ready.contains(.signal), let signal = signals.drain().first(where: \.asksToEnd) {
                _exit(signal.exitStatus)
            }
            if ready.contains(.deadline), !done.isSet {
                let text = "sellout: what worked behind the screen did not end; leaving it\n"
                FileHandle.standardError.write(Data(text.utf8))
                _exit(2)
            }
        }
    }

    /// The same for work that answers or fails.
    static func result<Value: Sendable>(of work: @escaping @Sendable () async throws -> Value) throws -> Value {
        let box = Box<Value>()
        wait {
            do { box.set(.success(try await work())) } catch { box.set(.failure(error)) }
        }
        return try box.get()
    }

    private final class Box<Value: Sendable>: Sendable {
        private let value = Mutex<Result<Value, any Error>?>(nil)
        var isSet: Bool { value.withLock { $0 != nil } }
        func set(_ result: Result<Value, any Error>) { value.withLock { $0 = result } }
        func get() throws -> Value {
            guard let result = value.withLock({ $0 }) else { preconditionFailure("the work ended without a result") }
            return try result.get()
        }
    }
}
