import Dashboard
import Foundation
import Host
import NcursesTerminal
import Operations
import Settings
import Telemetry
import TerminalUI

/// The war room on a terminal: one thread owns the model and curses, waits for keys, signals, messages and the next frame, and
/// draws the difference.
final class Screen {
    /// Under load the screen is drawn this often; a key is answered at once.
    private let frameInterval: Duration
    private static let pauseWithoutNews = Duration.milliseconds(1_250)

    enum Ending {
        case quit
        case signal(WatchedSignal)
        /// The terminal went away.
        case hungUp

        var exitCode: Int32 {
            switch self {
            case .quit: 0
            case .signal(let signal): signal.exitStatus
            case .hungUp: WatchedSignal.hangUp.exitStatus
            }
        }
    }

    private let terminal: NcursesTerminal
    private let loop: TerminalLoop
    private let mailbox: ScreenMailbox
    private let signals: SignalWatch
    private var model: Model
    private let start = ContinuousClock.now
    private var themes: ThemeWatch
    private let events: EventLog
    private var alertNews = AlertNews()
    private let ringsForAlerts = SettingsInUse.current.flag("alerts.bell")
    private var lastLook = ContinuousClock.now
    /// Told after each frame which rows are in sight: positions in the snapshot's SKUs.
    var onSight: (([Int]) -> Void)?

    /// Opens the terminal; from here on nothing else may print.
    /// - Parameter events: what the screen itself has to tell, such as a theme's file that broke.
    init(
        snapshot: WarRoomSnapshot, permissions: Permissions, theme: ChosenTheme, options: ScreenOptions,
        mailbox: ScreenMailbox, signals: SignalWatch, events: EventLog, proposedBuyersPerSecond: Int = 5_000,
        proposedSeconds: Int = 60
    ) throws {
        terminal = try NcursesTerminal(capabilities: options.capabilities)
        frameInterval = options.frameInterval
        loop = TerminalLoop(
            terminal: terminal, signals: signals, wakeDescriptor: mailbox.notifier.fileDescriptor)
        self.mailbox = mailbox
        self.signals = signals
        self.events = events
        themes = theme.watch
        let size = terminal.size()
        model = Model(
            snapshot: snapshot, columns: size.columns, rows: size.rows, permissions: permissions, theme: theme.theme,
            capabilities: terminal.capabilities, proposedBuyersPerSecond: proposedBuyersPerSecond,
            proposedSeconds: proposedSeconds, utcOffsetSeconds: TimeZone.current.secondsFromGMT())
        model.themeName = theme.watch.name
        model.themeNames = theme.names
    }

    /// Shows the war room until somebody or something ends it; the terminal is as it was when this returns.
    func run(interpret: (Effect) -> Void) -> Ending {
        defer { terminal.close() }
        var lastFrame = ContinuousClock.now - .seconds(1)
        var isDirty = true
        while true {
            let now = ContinuousClock.now
            if isDirty, now - lastFrame >= frameInterval {
                isDirty = !draw(interpret)
                lastFrame = now
            }
            // Without news the clocks on the screen still move. News comes once a second: waiting no longer than that, each second
            // would be drawn twice, just before its news and with it.
            let deadline = isDirty ? lastFrame + frameInterval : lastFrame + Self.pauseWithoutNews
            var isUrgent = false
            for event in loop.wait(until: deadline) {
                switch event {
                case .terminal(let event):
                    isUrgent = true
                    if let ending = handle(Self.message(event), interpret) { return ending }
                case .wake:
                    for message in mailbox.take() {
                        if let ending = handle(message, interpret) { return ending }
                    }
                    if mailbox.isOver { return .quit }
                    isDirty = true
                case .signal(let signal): return .signal(signal)
                case .deadline: isDirty = true
                case .inputClosed: return .hungUp
                }
            }
            if isUrgent {
                isDirty = !draw(interpret)
                lastFrame = .now
            }
        }
    }

    private static func message(_ event: TerminalEvent) -> Message {
        switch event {
        case .key(let key): .key(key)
        case .mouse(let mouse): .mouse(mouse)
        case .paste(let text): .paste(text)
        case .resize(let columns, let rows): .resized(columns: columns, rows: rows)
        }
    }

    private func handle(_ message: Message, _ interpret: (Effect) -> Void) -> Ending? {
        if ringsForAlerts, case .snapshot(let snapshot) = message,
            alertNews.take(snapshot.alerts, seconds: start.duration(to: .now) / .seconds(1))
        {
            terminal.ring()
        }
        for effect in model.update(message) {
            switch effect {
            case .quit: return .quit
            case .suspend:
                terminal.leave()
                signals.stopProcess()
                terminal.reenter()
                let (columns, rows) = terminal.resize()
                _ = model.update(.resized(columns: columns, rows: rows))
            case .redraw: terminal.invalidate()
            case .bell: break
            case .previewTheme(let name): _ = model.update(.themePreview(name, preview(name)))
            case .chooseTheme(let name): _ = model.update(choose(name))
            default: interpret(effect)
            }
        }
        return nil
    }

    // MARK: Themes

    private func preview(_ name: String) -> ThemePreview {
        do { return .theme(try themes.library.load(name)) } catch { return .problem(error.description) }
    }

    private func choose(_ name: String) -> Message {
        do { return .themeChosen(name, try themes.choose(name)) } catch {
            return .notice("\(error); the theme stays", .bad)
        }
    }

    /// A theme's file that changed is seen within this time and one frame.
    private static let lookInterval = Duration.milliseconds(450)

    private func lookAtTheme() {
        let now = ContinuousClock.now
        guard now - lastLook >= Self.lookInterval else { return }
        lastLook = now
        switch themes.look() {
        case .changed(let theme)?:
            _ = model.update(.themeChanged(theme))
            _ = model.update(.notice("theme \(PlainText.line(themes.name)) was read anew", .good))
        case .broken(let why)?:
            events.add(.warning, "\(why); the theme stays as it was")
            _ = model.update(.notice("\(why); the theme stays as it was", .bad))
        case nil: break
        }
    }

    /// - Returns: whether it is on its way to the terminal; not while that takes nothing.
    private func draw(_ interpret: (Effect) -> Void) -> Bool {
        lookAtTheme()
        // A tick asks for what the open screen wants to know; it never ends the program.
        _ = handle(.tick(seconds: start.duration(to: .now) / .seconds(1)), interpret)
        let written = terminal.present(view(model), theme: model.theme)
        onSight?(model.rowsInSight)
        return written
    }
}
