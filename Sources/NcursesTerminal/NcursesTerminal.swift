import CNcurses
import Glibc
public import TerminalUI

/// Why the screen could not be opened; one line that says what to do.
public struct TerminalError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}

/// The terminal, drawn and read through ncurses. The only place that does either.
///
/// ncurses holds one state for the whole process and guards none of it: open, use and close this on one thread, one at a
/// time. The class is not `Sendable`, so the compiler holds the first; ``open(capabilities:errorLog:)`` refuses a second.
/// While it is open nothing else may write to the terminal; file descriptor 2 goes to a file.
public final class NcursesTerminal {
    /// What the terminal turned out to show, at most what was asked for.
    public private(set) var capabilities: TerminalCapabilities
    /// Where standard error goes while the screen is open; nil when it already went elsewhere than to a terminal.
    public private(set) var errorLogPath: String?
    /// The descriptor to poll for keys.
    public let inputDescriptor: Int32

    /// What ncurses writes to: the terminal, or the pump's entrance while the screen is open.
    private let outputDescriptor: Int32
    /// The terminal itself.
    private let terminalDescriptor: Int32
    private var pump: OutputPump?
    private var hasMouse = false
    /// How long a terminal that takes nothing is waited for before it is left as it is.
    private static let drainLimit = Duration.seconds(1)
    private var screen: OpaquePointer?
    private var files: (input: UnsafeMutablePointer<FILE>, output: UnsafeMutablePointer<FILE>)
    private var savedModes: termios
    private var savedError: Int32 = -1
    private var ownsErrorLog = false

    // Drawing state: see NcursesTerminal+present.swift.
    var shown: Canvas?
    var shownTheme: Theme?
    var styles: [Style: CursesStyle] = [:]
    var pairs: [UInt64: Int32] = [:]
    var row: UnsafeMutableBufferPointer<cchar_t>

    // Input state: see NcursesTerminal+input.swift.
    var paste: String?

    /// Opens the screen on standard input and output.
    ///
    /// To reach full colour it changes TERMINFO_DIRS for a moment: call it where no other thread reads the environment.
    /// - Parameters:
    ///   - capabilities: what to use at most; normally from the environment.
    ///   - errorLog: the file that takes what is written to standard error meanwhile (appended, mode 0600); nil makes one in
    ///     the temporary folder, which close removes again when it stayed empty.
    /// - Throws: ``TerminalError`` when there is no terminal, or none that can be drawn on.
    public init(capabilities wanted: TerminalCapabilities, errorLog: String? = nil) throws(TerminalError) {
        for (descriptor, name) in [(Int32(1), "standard output"), (0, "standard input")] where isatty(descriptor) == 0 {
            throw TerminalError(
                description: "\(name) is not a terminal; open the screen in one, "
                    + "or use demo --no-ui, watch --linear or snapshot")
        }
        guard !Emergency.isArmed else { throw TerminalError(description: "the screen is open already") }
        var modes = termios()
        guard tcgetattr(0, &modes) == 0 else {
            throw TerminalError(
                description: "the terminal does not tell its modes: \(String(cString: strerror(errno)))")
        }
        savedModes = modes
        guard let input = fdopen(Self.keysDescriptor(), "r"), let output = fdopen(dup(1), "w") else {
            throw TerminalError(description: "the terminal cannot be opened: \(String(cString: strerror(errno)))")
        }
        files = (input, output)
        inputDescriptor = fileno(input)
        outputDescriptor = fileno(output)
        terminalDescriptor = fcntl(1, F_DUPFD_CLOEXEC, 3)
        capabilities = wanted
        row = .allocate(capacity: 0)

        // Wide characters need a UTF-8 locale; where the environment names none, the one that every glibc has.
        if setlocale(LC_CTYPE, "") == nil || (wanted.glyphs.isUnicode && sellout_bytes_per_character_max() < 4) {
            setlocale(LC_CTYPE, "C.UTF-8")
        }
        if sellout_bytes_per_character_max() < 4 { capabilities.glyphs = .ascii }
        Emergency.arm(descriptor: terminalDescriptor, modes: modes)
        keepStopSignal()
        set_escdelay(25)
        use_env(false)
        use_tioctl(true)
        guard let opened = Self.newScreen(&capabilities, input: input, output: output) else {
            Emergency.disarm()
            throw TerminalError(
                description: "no terminal description for TERM=\(SafeText.visible(wanted.term)) is installed; "
                    + "set TERM=xterm-256color, or use demo --no-ui, watch --linear or snapshot")
        }
        screen = opened
        setUpScreen()
        // Without a thread for it, ncurses goes on writing by itself.
        pump = try? OutputPump(to: terminalDescriptor)
        pumpOutput(true)
        redirectError(to: errorLog)
        resize()
    }

    deinit {
        close()
        row.deallocate()
    }

    /// The terminal's size in cells, from the kernel; 80 × 24 when it does not say.
    public func size() -> (columns: Int, rows: Int) {
        var window = winsize()
        guard ioctl(terminalDescriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// Takes the terminal's present size: after SIGWINCH.
    @discardableResult
    public func resize() -> (columns: Int, rows: Int) {
        let (columns, rows) = size()
        guard screen != nil else { return (columns, rows) }
        resizeterm(Int32(rows), Int32(columns))
        row.deallocate()
        row = .allocate(capacity: columns + 2)
        shown = nil
        return (columns, rows)
    }

    /// Draws everything anew at the next present: after something else wrote to the terminal.
    public func invalidate() {
        shown = nil
        if screen != nil { clearok(sellout_curscr(), true) }
    }

    /// Rings the terminal's bell.
    public func ring() { if screen != nil { beep() } }

    /// Gives the terminal back for a while, as it was: before the process stops.
    public func leave() {
        guard screen != nil else { return }
        write(ownModes(false))
        let isOut = pumpOutput(false)
        endwin()
        tcsetattr(inputDescriptor, isOut ? TCSADRAIN : TCSANOW, &savedModes)
    }

    /// Takes the terminal again after ``leave()``.
    public func reenter() {
        guard screen != nil else { return }
        reset_prog_mode()
        wrefresh(sellout_stdscr())
        write(ownModes(true))
        pumpOutput(true)
        resize()
        invalidate()
    }

    /// Whether what was drawn last has left, so that a next frame may begin; waits a moment for it.
    func isReadyToDraw() -> Bool { pump?.isDrained(within: .milliseconds(10)) ?? true }

    /// Leads what ncurses writes through the pump, or straight to the terminal, whose modes ncurses then can set.
    /// - Returns: whether that is so now: not where the terminal takes nothing, which would then stop this thread.
    @discardableResult
    private func pumpOutput(_ isPumped: Bool) -> Bool {
        guard let pump else { return true }
        fflush(files.output)
        if !isPumped, !pump.isDrained(within: Self.drainLimit) { return false }
        return dup2(isPumped ? pump.entrance : terminalDescriptor, outputDescriptor) >= 0
    }

    /// Restores the terminal as it was before. Harmless when called again.
    public func close() {
        guard let opened = screen else { return }
        let isOut = pumpOutput(false)
        mousemask(0, nil)
        write(ownModes(false))
        endwin()
        delscreen(opened)
        screen = nil
        tcsetattr(inputDescriptor, isOut ? TCSADRAIN : TCSANOW, &savedModes)
        Emergency.disarm()
        restoreError()
        fclose(files.input)
        // The pump ends when nobody holds its entrance any more; what it could not deliver by then is dropped.
        fclose(files.output)
        pump?.close()
        pump = nil
        Glibc.close(terminalDescriptor)
    }

    // MARK: Opening

    /// Opens the richest screen that works, and lowers `capabilities` to it.
    private static func newScreen(
        _ capabilities: inout TerminalCapabilities, input: UnsafeMutablePointer<FILE>,
        output: UnsafeMutablePointer<FILE>
    ) -> OpaquePointer? {
        if capabilities.depth == .direct, !capabilities.term.hasSuffix("-direct") {
            for base in [capabilities.term, "xterm-256color"] {
                let found = DirectColour.withEntry(basedOn: base) { newterm($0, output, input) }
                if let found { return found }
            }
            capabilities.depth = .palette256
        }
        // A terminal that calls itself dumb gets no colour and ASCII, but is taken to know where its cursor goes.
        let names = capabilities.term == "dumb" ? ["vt100", "ansi"] : [capabilities.term, "xterm-256color", "vt100"]
        for name in names {
            if let found = newterm(name, output, input) { return found }
        }
        return nil
    }

    private func setUpScreen() {
        cbreak()
        noecho()
        nonl()
        let window = sellout_stdscr()
        keypad(window, true)
        nodelay(window, true)
        leaveok(window, true)
        scrollok(window, false)
        curs_set(0)
        if capabilities.depth > .mono && has_colors() {
            start_color()
            use_default_colors()
            let colours = Int(sellout_colors())
            let reachable: TerminalCapabilities.ColourDepth =
                colours >= 0x100_0000 ? .direct : colours >= 256 ? .palette256 : colours >= 8 ? .sixteen : .mono
            capabilities.depth = min(capabilities.depth, reachable)
        } else {
            capabilities.depth = .mono
        }
        mouseinterval(0)
        hasMouse = mousemask(sellout_mouse_mask(), nil) != 0
        definePasteKeys()
        write(ownModes(true))
    }

    /// A description of the terminal of our own, in which reading never blocks. The kernel throws typed keys away when Ctrl-C,
    /// Ctrl-\ or Ctrl-Z follows them: if that is between its word that there are keys and ncurses's reading them, ncurses would
    /// wait for the next one, and no signal would reach the program until it came.
    private static func keysDescriptor() -> Int32 {
        let own = open("/proc/self/fd/0", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        return own >= 0 ? own : dup(0)
    }

    /// Modes that ncurses does not know: brackets around pastes; and mouse places in numbers, which reach beyond column 223
    /// where the terminal's description knows only the old form.
    private func ownModes(_ isOn: Bool) -> String {
        let letter = isOn ? "h" : "l"
        return "\u{1B}[?2004\(letter)" + (hasMouse ? "\u{1B}[?1006\(letter)" : "")
    }

    /// Writes bytes past ncurses, which has flushed what it had: only for modes that ncurses does not know.
    private func write(_ text: String) {
        fflush(files.output)
        var bytes = Array(text.utf8)
        _ = Glibc.write(outputDescriptor, &bytes, bytes.count)
    }

    // MARK: Standard error

    private func redirectError(to path: String?) {
        guard isatty(2) != 0 else { return }
        let descriptor: Int32
        if let path {
            descriptor = Glibc.open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
            errorLogPath = path
        } else {
            let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
            var template = Array((folder + "/sellout-errors-XXXXXX").utf8CString)
            descriptor = mkstemp(&template)
            errorLogPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            ownsErrorLog = true
        }
        let target = descriptor >= 0 ? descriptor : Glibc.open("/dev/null", O_WRONLY | O_CLOEXEC)
        if descriptor < 0 { errorLogPath = nil }
        guard target >= 0 else { return }
        savedError = fcntl(2, F_DUPFD_CLOEXEC, 3)
        dup2(target, 2)
        Glibc.close(target)
        Emergency.tell(lastWordsIn: errorLogPath, isOwn: ownsErrorLog)
    }

    private func restoreError() {
        guard savedError >= 0 else { return }
        dup2(savedError, 2)
        Glibc.close(savedError)
        savedError = -1
        guard ownsErrorLog, let path = errorLogPath else { return }
        var status = stat()
        if stat(path, &status) == 0 && status.st_size == 0 {
            unlink(path)
            errorLogPath = nil
        }
    }
}

/// Keeps ncurses away from SIGTSTP. Where it finds the default action it takes the signal over and ignores it while it
/// draws; the kernel then discards one that waits to be read, and Ctrl-Z is lost. Where it finds a handler it never looks
/// at the signal again. This one does nothing: the signal is blocked, and read as an event.
private func keepStopSignal() { signal(SIGTSTP) { _ in } }
