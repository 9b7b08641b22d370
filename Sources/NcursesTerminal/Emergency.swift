import Glibc

// ─── The way out when the program is no longer itself ───────────────────────────────────────────────────────────────
// A trap, an abort or a bad access ends the process without unwinding. Then only what is safe in a signal handler may
// run: write(2), stat(2), unlink(2), tcsetattr(3), sigaction(2), raise(3), on memory that was prepared before.

// Set on the thread that owns the terminal, before the handlers are installed; read by handlers only.
private nonisolated(unsafe) var armed: Int32 = 0
private nonisolated(unsafe) var terminalDescriptor: Int32 = -1
private nonisolated(unsafe) var terminalModes = termios()
private nonisolated(unsafe) var farewell: UnsafeMutablePointer<UInt8>?
private nonisolated(unsafe) var farewellCount = 0
/// Where standard error went, and what to say of it; a file of our own that stayed empty is taken away instead.
private nonisolated(unsafe) var lastWordsPath: UnsafeMutablePointer<CChar>?
private nonisolated(unsafe) var lastWords: UnsafeMutablePointer<UInt8>?
private nonisolated(unsafe) var lastWordsCount = 0
private nonisolated(unsafe) var ownsLastWords = false
private nonisolated(unsafe) var previousActions: UnsafeMutablePointer<sigaction>?
private nonisolated(unsafe) var keepsPrevious = false
private nonisolated(unsafe) var isExitHookSet = false

/// What ends a process unless somebody handles it, and is not read as an event: faults of the program itself, then what others
/// send. A C array, so that a handler may look through it.
private nonisolated(unsafe) let fatalSignals: UnsafeBufferPointer<Int32> = {
    let all = [
        SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGTRAP, SIGFPE, SIGSYS, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
        SIGXCPU,
        SIGXFSZ, SIGPOLL, SIGPWR, SIGSTKFLT,
    ]
    let copy = UnsafeMutableBufferPointer<Int32>.allocate(capacity: all.count)
    _ = copy.initialize(from: all)
    return UnsafeBufferPointer(copy)
}()

/// Mouse off, paste off, plain letters, cursor shown, keypad off, the ordinary screen.
private let resetSequence =
    "\u{1B}[?1000l\u{1B}[?1002l\u{1B}[?1006l\u{1B}[?2004l\u{1B}[0m\u{1B}[?25h\u{1B}[?1l\u{1B}>\u{1B}[?1049l\r"

/// Restores the terminal at once, as far as that is possible from anywhere, a signal handler included. Does nothing when no
/// screen is open. The screen cannot be used afterwards.
public func restoreTerminalNow() {
    guard armed != 0 else { return }
    armed = 0
    if let farewell { _ = write(terminalDescriptor, farewell, farewellCount) }
    if let lastWordsPath, let lastWords {
        var status = stat()
        if stat(lastWordsPath, &status) == 0, status.st_size > 0 {
            _ = write(terminalDescriptor, lastWords, lastWordsCount)
        } else if ownsLastWords {
            unlink(lastWordsPath)
        }
    }
    _ = tcsetattr(terminalDescriptor, TCSANOW, &terminalModes)
}

private func fatal(_ signal: Int32) {
    restoreTerminalNow()
    // The default action ends the process with the true signal. What stood before is Swift's interactive backtracer, which
    // would print over the user's shell and wait for a key; it comes back only for who asked for it by SWIFT_BACKTRACE.
    if keepsPrevious, let previousActions, slot(signal) >= 0 {
        sigaction(signal, previousActions + slot(signal), nil)
    } else {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = SIG_DFL
        sigaction(signal, &action, nil)
    }
    raise(signal)
}

private func atExit() { restoreTerminalNow() }

private func slot(_ signal: Int32) -> Int {
    for index in 0..<fatalSignals.count where fatalSignals[index] == signal { return index }
    return -1
}

/// Installs and removes the handlers.
enum Emergency {
    static var isArmed: Bool { armed != 0 }

    static func arm(descriptor: Int32, modes: termios) {
        terminalDescriptor = descriptor
        terminalModes = modes
        setFarewell(resetSequence)
        keepsPrevious = getenv("SWIFT_BACKTRACE") != nil
        if previousActions == nil { previousActions = .allocate(capacity: fatalSignals.count) }
        if !isExitHookSet {
            atexit(atExit)
            isExitHookSet = true
        }
        armed = 1
        for signal in fatalSignals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = fatal
            action.sa_flags = Int32(bitPattern: UInt32(SA_NODEFER))
            if let previousActions { sigaction(signal, &action, previousActions + slot(signal)) }
        }
    }

    /// Adds where standard error went to what a dying program says, if it said anything.
    /// - Parameter isOwn: the file was made for this, and goes if it stays empty.
    static func tell(lastWordsIn path: String?, isOwn: Bool) {
        // Nothing of before must be told of while it changes.
        lastWordsCount = 0
        guard let path else { return }
        let text = Array("sellout stopped unexpectedly; what it said last is in \(path)\r\n".utf8)
        let words = UnsafeMutablePointer<UInt8>.allocate(capacity: text.count)
        words.initialize(from: text, count: text.count)
        let oldWords = lastWords
        (lastWords, ownsLastWords) = (words, isOwn)
        let oldPath = lastWordsPath
        lastWordsPath = strdup(path)
        lastWordsCount = text.count
        oldWords?.deallocate()
        free(oldPath)
    }

    static func disarm() {
        guard armed != 0 else { return }
        armed = 0
        for signal in fatalSignals {
            if let previousActions { sigaction(signal, previousActions + slot(signal), nil) }
        }
    }

    private static func setFarewell(_ text: String) {
        let bytes = Array(text.utf8)
        let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        buffer.initialize(from: bytes, count: bytes.count)
        let old = farewell
        (farewell, farewellCount) = (buffer, bytes.count)
        old?.deallocate()
    }
}
