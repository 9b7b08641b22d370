import Dispatch
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
        func set(_ result: Result<Value, any Error>) { value.withLock { $0 = result } }
        func get() throws -> Value {
            guard let result = value.withLock({ $0 }) else { preconditionFailure("the work ended without a result") }
            return try result.get()
        }
    }
}
