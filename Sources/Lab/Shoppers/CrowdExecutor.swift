import Glibc
import Host
import Synchronization

/// Runs the tasks of many callers on one thread of their own, as the event loop of a web server does.
///
/// A reply answers hundreds of callers at once. On the shared pool each of them is queued and woken by itself, which costs more
/// than the order; here they are one append, and one wake-up for all. Nobody else waits in line with them.
final class CrowdExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        /// The thread sleeps, or is about to, and must be woken by whoever brings work.
        var isParked = false
        var isEnding = false
    }

    /// How often the thread lets others run and looks again before it sleeps: it takes jobs faster than one thread brings them, and
    /// being woken for every few costs that thread more than all else it does for them. Not often: where two threads share a core,
    /// as a rented machine's two mostly do, looking slows the server down.
    private static let looksMax = 20

    private let state = Mutex(State())
    private let hasJobs = Atomic<Bool>(false)
    private let notifier: EventNotifier

    init() throws(HostError) {
        notifier = try EventNotifier()
        try OSThread.start(name: "crowd", stackBytes: 8 << 20) { self.run() }
    }

    /// Lets the thread end once it has nothing left. What is enqueued later never runs.
    func end() {
        state.withLock { $0.isEnding = true }
        notifier.notify()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let wakes = state.withLock { state in
            state.jobs.append(job)
            hasJobs.store(true, ordering: .relaxed)
            defer { state.isParked = false }
            return state.isParked
        }
        if wakes { notifier.notify() }
    }

    private func run() {
        let executor = asUnownedTaskExecutor()
        var batch: [UnownedJob] = []
        while true {
            var looks = 0
            while !hasJobs.load(ordering: .relaxed), looks < Self.looksMax {
                looks += 1
                sched_yield()
            }
            let isOver = state.withLock { state in
                swap(&state.jobs, &batch)
                hasJobs.store(false, ordering: .relaxed)
                state.isParked = batch.isEmpty
                return batch.isEmpty && state.isEnding
            }
            if isOver { return }
            if batch.isEmpty {
                notifier.wait()
                continue
            }
            for job in batch { job.runSynchronously(on: executor) }
            batch.removeAll(keepingCapacity: true)
        }
    }
}
