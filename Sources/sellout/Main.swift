import ArgumentParser
import Foundation
import Host
import Operations
import Synchronization

/// The way in: it blocks the signals before any thread exists, then lets the command work, and ends with an exit code that
/// means something.
@main
enum Main {
    /// When the program began to work: what a halt took is counted from here.
    static let startedAt = ContinuousClock.now

    static func main() {
        _ = startedAt
        // A closed pipe is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        do {
            let command = try Sellout.parseAsRoot(SettingsInUse.merged(Array(CommandLine.arguments.dropFirst())))
            // Before there is a thread: this may start the program again.
            if (command as? TortureCommand)?.sim == true { try ReproducibleHashing.require() }
            switch command {
            case let screen as any ScreenCommand where screen.wantsScreen: exit(try screen.runScreen())
            case let worker as any WorkerCommand: end(try Worker.run(worker))
            default:
                var command = command
                try command.run()
                end(0)
            }
        } catch let error as ExitCode {
            exit(error.rawValue)
        } catch let error as SettingsInUse.Problem {
            FileHandle.standardError.write(Data("sellout: \(oneLine("\(error)"))\n".utf8))
            exit(error.code)
        } catch let error where Sellout.exitCode(for: error) == .validationFailure {
            // What is wrong, in one line; the usage is a page of its own.
            var message = Sellout.message(for: error)
            if message.hasSuffix(".") { message.removeLast() }
            message = plainer(message, Array(CommandLine.arguments.dropFirst()))
            let names = Sellout.configuration.subcommands.compactMap { $0.configuration.commandName }
            let help = CommandLine.arguments.dropFirst().first.map { names.contains($0) ? " \($0)" : "" }
            FileHandle.standardError.write(
                Data("sellout: \(oneLine(message)); see `sellout\(help ?? "") --help`\n".utf8))
            exit(ExitCode.validationFailure.rawValue)
        } catch let error where Sellout.exitCode(for: error) != .failure || error is CleanExit {
            Sellout.exit(withError: error)
        } catch {
            FileHandle.standardError.write(Data("sellout: \(Remedies.line(error))\n".utf8))
            exit(2)
        }
    }

    /// Ends once everything printed has arrived: a script that takes half a file for the whole would act on it. Nobody who closed
    /// the pipe wants to hear of that.
    private static func end(_ code: Int32) -> Never {
        if fflush(nil) != 0, errno != EPIPE {
            let reason = HostError.reason(errno)
            FileHandle.standardError.write(
                Data("sellout: standard output: \(reason); what was printed is not whole\n".utf8))
            exit(code == 0 ? 2 : code)
        }
        exit(code)
    }

    /// What is missing, in the words of who misses it.
    private static func plainer(_ message: String, _ arguments: [String]) -> String {
        let command = arguments.first ?? ""
        if message.hasSuffix("'--orders <orders>'") {
            return
                "\(command) works on a sale's books: give --orders sqlite:PATH (watch, snapshot and doctor can do without)"
        }
        if message.hasSuffix("'--redis <redis>'") {
            return "\(command) must know where Redis is: give --redis redis://HOST:PORT, or a profile that says it"
        }
        if message.hasSuffix("'<units>'"), let units = arguments.first(where: { Int64($0).map { $0 < 0 } ?? false }) {
            return "\(units) units: use 1 to \(SaleControl.restockUnitsMax); with --reverse they go off sale again"
        }
        return message
    }

    /// Errors carry text from servers and files: one line, nothing that moves a terminal.
    static func oneLine(_ text: String) -> String { PlainText.line(text) }
}

/// A command that opens the war room; it owns the main thread, which owns the terminal.
protocol ScreenCommand: ParsableCommand {
    var wantsScreen: Bool { get }
    /// Returns the exit code.
    func runScreen() throws -> Int32
}

/// A command that works without a screen.
protocol WorkerCommand: ParsableCommand, Sendable {
    /// Returns the exit code. Cancelled when a signal asks to end: it then cleans up and returns.
    func work() async throws -> Int32
}

/// Runs asynchronous work from the main thread and turns signals into cancellation.
enum Worker {
    private final class Outcome: Sendable {
        let result = Mutex<Result<Int32, any Error>?>(nil)
        let notifier: EventNotifier
        init() throws { notifier = try EventNotifier() }
    }

    static func run(_ command: some WorkerCommand) throws -> Int32 {
        let signals = try SignalWatch()
        let outcome = try Outcome()
        let task = Task.detached {
            let result: Result<Int32, any Error>
            do { result = .success(try await command.work()) } catch { result = .failure(error) }
            outcome.result.withLock { $0 = result }
            outcome.notifier.notify()
        }
        let poller = Poller(input: -1, wake: outcome.notifier.fileDescriptor, signals: signals.descriptor)
        var ending: WatchedSignal?
        while true {
            let ready = poller.wait(timeoutMilliseconds: nil)
            if ready.contains(.signal) {
                for signal in signals.drain() where signal.asksToEnd {
                    // Asked twice: go at once. The kernel takes the embedded servers along.
                    if ending != nil { _exit(signal.exitStatus) }
                    ending = signal
                    task.cancel()
                }
            }
            if let result = outcome.result.withLock({ $0 }) {
                if let ending { return ending.exitStatus }
                return try result.get()
            }
        }
    }
}
