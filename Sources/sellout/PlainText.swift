import TerminalUI

/// Text from outside on its way to a log, a pipe or an error: one line, harmless.
enum PlainText {
    static func line(_ text: String) -> String {
        SafeText.visible(text.split(whereSeparator: \.isNewline).joined(separator: "; "))
    }
}
