extension Canvas {
    /// The screen as text, a line a row, spaces at line ends cut: what golden tests keep.
    public var plainText: String {
        (0..<rows).map { row in
            var line = ""
            for cell in cells[row * columns..<(row + 1) * columns] where cell.width > 0 {
                for value in [cell.scalar, cell.mark1, cell.mark2, cell.mark3] where value != 0 {
                    line.unicodeScalars.append(Unicode.Scalar(value) ?? "\u{FFFD}")
                }
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// The text, then the same grid with a letter for each style, then what each letter means. Letters are given in the
    /// order in which styles first occur, `.` being the blank style.
    public var styledText: String {
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        var names: [Style: Character] = [Style(.standard, on: .standard): "."]
        var legend: [String] = []
        var grid: [String] = []
        for row in 0..<rows {
            var line = ""
            for cell in cells[row * columns..<(row + 1) * columns] {
                if let letter = names[cell.style] {
                    line.append(letter)
                    continue
                }
                let letter = names.count - 1 < letters.count ? letters[names.count - 1] : "?"
                names[cell.style] = letter
                legend.append("\(letter) = \(cell.style)")
                line.append(letter)
            }
            while line.last == "." { line.removeLast() }
            grid.append(line)
        }
        return plainText + "\n\n" + grid.joined(separator: "\n") + "\n\n" + legend.joined(separator: "\n")
    }
}

extension Style: CustomStringConvertible {
    /// `bad on selection bold`.
    public var description: String {
        var text = foreground.description
        if background != .standard { text += " on \(background)" }
        for (name, attribute) in [
            ("bold", Attributes.bold), ("dim", .dim), ("reverse", .reverse), ("underline", .underline),
            ("italic", .italic),
        ] where attributes.contains(attribute) {
            text += " " + name
        }
        return text
    }
}
