import Glibc
import Synchronization

/// The step at which the process kills itself, and how often it was reached so far.
///
/// Steps are names: `before NAME` and `after NAME` of a method of the order store; `asked NAME` (the client handed it out, the
/// server has not got it), `sent NAME`, `answered NAME` (the server did it, the client does not know) of a script or command.
final class DeathStep: Sendable {
    private let step: String
    private let left: Mutex<Int>

    /// Reads `STEP:COUNT`, such as `answered deduct:3`; an empty text is never reached.
    init?(_ text: String) {
        guard !text.isEmpty else {
            step = ""
            left = Mutex(1)
            return
        }
        let parts = text.split(separator: ":")
        guard parts.count == 2, let count = Int(parts[1]), count > 0 else { return nil }
        step = String(parts[0])
        left = Mutex(count)
    }

    /// Dies here, by SIGKILL, if this is the step and its time has come.
    func reached(_ name: String) {
        guard name == step else { return }
        let isLast = left.withLock { left in
            left -= 1
            return left == 0
        }
        guard isLast else { return }
        kill(getpid(), SIGKILL)
        // The signal ends every thread; this one must not go on until it does.
        while true { pause() }
    }
}
