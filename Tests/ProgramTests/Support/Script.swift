import Foundation
import Glibc
import Synchronization
import Testing

/// One thing that a person does at a terminal, or looks for on it.
struct Step: Sendable {
    /// How a failure names it: `press F`, `expect "GO"`.
    let what: String
    let play: @Sendable (Terminal) async throws -> Void

    init(_ what: String, _ play: @escaping @Sendable (Terminal) async throws -> Void) {
        self.what = what
        self.play = play
    }
}

@resultBuilder enum ScriptBuilder {
    static func buildExpression(_ step: Step) -> [Step] { [step] }
    static func buildExpression(_ steps: [Step]) -> [Step] { steps }
    static func buildBlock(_ parts: [Step]...) -> [Step] { parts.flatMap { $0 } }
    static func buildArray(_ parts: [[Step]]) -> [Step] { parts.flatMap { $0 } }
    static func buildOptional(_ part: [Step]?) -> [Step] { part ?? [] }
    static func buildEither(first: [Step]) -> [Step] { first }
    static func buildEither(second: [Step]) -> [Step] { second }
}

/// Plays a script: the steps one after another in one terminal, each waiting for what it expects, none for a fixed time. A step
/// that fails says its scene, its number and what stood on the screen.
///
///     try await script("demo --skus 50") {
///         open(80, 24)
///         press("F")
///         expect("GO")
///         resize(40, 10)
///         signal(SIGTSTP)
///     }
///
/// - Parameter command: what `sellout` is called with, run by the first `open`.
func script(
    _ command: String, environment: [String: String?] = [:], in scratch: Scratch? = nil,
    @ScriptBuilder _ steps: () -> [Step]
) async throws {
    let steps = steps()
    try await Terminal.open(80, 24, in: scratch, environment: environment) { terminal in
        terminal.command.withLock { $0 = command }
        for (number, step) in steps.enumerated() {
            do { try await step.play(terminal) } catch {
                let scene = terminal.scene.withLock { $0 }
                throw Terminal.Missing(
                    description: "\(scene.isEmpty ? "" : "in “\(scene)”: ")step \(number + 1), \(step.what): \(error)")
            }
        }
    }
}

// MARK: Hands

/// Runs the script's command in a terminal of this size.
func open(_ columns: Int, _ rows: Int) -> Step {
    Step("open \(columns)×\(rows)") { terminal in
        try await terminal.resize(columns, rows)
        try await terminal.open("sellout " + terminal.command.withLock { $0 })
    }
}

/// A line of the shell; its exit status appears as `status=N`.
func shell(_ line: String) -> Step { Step("shell \(line)") { try await $0.run(line) } }

/// Keys by tmux's names, in one breath.
func press(_ keys: String...) -> Step { Step("press \(keys.joined(separator: " "))") { try await $0.press(keys) } }

func type(_ text: String) -> Step { Step("type \(text)") { try await $0.type(text) } }

/// Pastes as a terminal does: in brackets where the program asked for them.
func paste(_ text: String) -> Step { Step("paste") { try await $0.paste(text) } }

func resize(_ columns: Int, _ rows: Int) -> Step {
    Step("resize to \(columns)×\(rows)") { try await $0.resize(columns, rows) }
}

func signal(_ number: Int32) -> Step { Step("signal \(number)") { try await $0.signal(number) } }

/// A click in the middle of this text; the first place in sight counts.
func click(_ text: String, times: Int = 1) -> Step {
    Step("click \(text)") { terminal in
        let place = try await terminal.place(of: text)
        for _ in 0..<times { try await terminal.mouse(0, at: place) }
    }
}

enum Wheel: Int, Sendable {
    case up = 64
    case down = 65
}

func wheel(_ direction: Wheel, over text: String, times: Int = 1) -> Step {
    Step("wheel \(direction) over \(text)") { terminal in
        let place = try await terminal.place(of: text)
        for _ in 0..<times { try await terminal.mouse(direction.rawValue, at: place) }
    }
}

// MARK: Eyes

func expect(_ text: String, within limit: Duration = .seconds(10)) -> Step {
    Step("expect “\(text)”") { try await $0.expect(text, within: limit) }
}

func expectGone(_ text: String, within limit: Duration = .seconds(10)) -> Step {
    Step("expect no “\(text)”") { try await $0.expectGone(text, within: limit) }
}

func expect(
    _ what: String, within limit: Duration = .seconds(10), where isRight: @escaping @Sendable (String) -> Bool
) -> Step {
    Step("expect \(what)") { try await $0.expect(what, within: limit, isRight) }
}

/// The whole frame at the terminal's present size.
func expectWhole(_ rows: Int) -> Step {
    expect("a whole screen of \(rows) rows") { ScreenTests.isWhole($0, rows: rows) }
}

/// The program ended with this status, the terminal is as it was, nothing stays behind.
func expectClosed(status: Int32) -> Step {
    Step("expect the end with \(status)") { try await $0.expectClosed(status: status) }
}

/// Escape, and what it closes is gone. What follows is then sure not to be taken for Alt and a letter.
func close(_ text: String) -> [Step] { [press("Escape"), expectGone(text)] }

/// The doors open, and buyers come.
func flashSale() -> [Step] { [press("F"), expect("a second"), press("y"), expect(" OPEN ")] }

/// Names what follows.
func scene(_ name: String, @ScriptBuilder _ steps: () -> [Step]) -> [Step] {
    [Step("begin “\(name)”") { terminal in terminal.scene.withLock { $0 = name } }] + steps()
}

/// Anything else.
func check(_ what: String, _ play: @escaping @Sendable (Terminal) async throws -> Void) -> Step { Step(what, play) }

// MARK: What only scripts need

extension Terminal {
    func press(_ keys: [String]) async throws { try await tmux(["send-keys", "-t", "main"] + keys) }

    func paste(_ text: String) async throws {
        try await tmux("set-buffer", "--", text)
        try await tmux("paste-buffer", "-p", "-t", "main")
    }

    struct Place: Sendable { let column, row: Int }

    /// Where this text stands; cells, counted from 0.
    func place(of text: String) async throws -> Place {
        try await expect(text)
        for (row, line) in try await lines.enumerated() {
            guard let range = line.range(of: text) else { continue }
            return Place(column: line.distance(from: line.startIndex, to: range.lowerBound) + text.count / 2, row: row)
        }
        throw Missing(description: "\(text) is gone")
    }

    /// A button's press and release (the wheel has no release), as this terminal reports it to the program that asked for it.
    func mouse(_ button: Int, at place: Place) async throws {
        let bytes: [UInt8]
        if try await ask("#{mouse_sgr_flag}") == "1" {
            let at = ";\(place.column + 1);\(place.row + 1)"
            bytes = Array("\u{1B}[<\(button)\(at)M".utf8) + (button < 64 ? Array("\u{1B}[<\(button)\(at)m".utf8) : [])
        } else {
            let at = [UInt8(clamping: place.column + 33), UInt8(clamping: place.row + 33)]
            bytes = [0x1B, 0x5B, 0x4D, UInt8(button + 32)] + at + (button < 64 ? [0x1B, 0x5B, 0x4D, 35] + at : [])
        }
        try await tmux(["send-keys", "-t", "main", "-H"] + bytes.map { String($0, radix: 16) })
    }
}
