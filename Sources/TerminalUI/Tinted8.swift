import Yams

/// The tinted-theming project's newer form: eight named colours and, where the author says more, colours of the interface.
/// It is read as the base16 scheme that it amounts to.
enum Tinted8 {
    /// Whether a file is of this form: `scheme:` is a map there, and names the system.
    static func isMeant(_ root: Node.Mapping) -> Bool {
        root["scheme"]?.mapping?["system"]?.string == "tinted8" || root["system"]?.string == "tinted8"
    }

    static let names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]

    /// The sixteen colours.
    /// - Parameters:
    ///   - given: the palette by its names; the eight are there.
    ///   - background, foreground: of the interface, where the author gives them.
    static func palette(
        _ given: [String: RGB], isLight: Bool, background: RGB?, foreground: RGB?
    ) -> [RGB] {
        func colour(_ name: String) -> RGB { given[name] ?? RGB(hex: 0x808080) }
        let back = background ?? colour(isLight ? "white" : "black")
        let front = foreground ?? colour(isLight ? "black" : "white")
        let orange = given["orange"] ?? colour("red").mixed(with: colour("yellow"), 0.5)
        return [
            back, back.mixed(with: front, 0.06), back.mixed(with: front, 0.18),
            given["gray"] ?? back.mixed(with: front, 0.45), back.mixed(with: front, 0.65), front,
            front, isLight ? front : given["white-bright"] ?? front,
            colour("red"), orange, colour("yellow"), colour("green"), colour("cyan"), colour("blue"), colour("magenta"),
            given["brown"] ?? orange.mixed(with: colour("black"), 0.35),
        ]
    }

    /// A colour of the interface: `global.background.normal`, written with dots or as maps, or both.
    static func node(_ path: [String], in mapping: Node.Mapping) -> Node? {
        for count in stride(from: path.count, to: 0, by: -1) {
            guard let found = mapping[path[..<count].joined(separator: ".")] else { continue }
            // `background` alone means its `normal`.
            if found.scalar != nil, path[count...].allSatisfy({ $0 == "normal" }) { return found }
            if let inner = found.mapping, let node = node(Array(path[count...]), in: inner) { return node }
        }
        return nil
    }
}
