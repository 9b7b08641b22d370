import ArgumentParser

/// A span of time as people type it: `500ms`, `20s`, `2m`; a bare number is seconds.
struct TimeSpan: ExpressibleByArgument, Sendable {
    let seconds: Double
    let text: String

    init(seconds: Double) {
        self.seconds = seconds
        text = "\(seconds)s"
    }

    init?(argument: String) {
        let units: [(suffix: String, factor: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("", 1)]
        for (suffix, factor) in units where argument.hasSuffix(suffix) {
            guard let value = Double(argument.dropLast(suffix.count)), value.isFinite, value >= 0,
                value * factor <= 86_400
            else { return nil }
            seconds = value * factor
            text = argument
            return
        }
        return nil
    }

    var defaultValueDescription: String { text }
}

/// Buyers per second, or as many as the machine takes.
enum BuyerRate: ExpressibleByArgument, Sendable {
    case perSecond(Double)
    case max

    init?(argument: String) {
        if argument == "max" {
            self = .max
        } else if let value = Double(argument), value.isFinite, value > 0, value <= 10_000_000 {
            self = .perSecond(value)
        } else {
            return nil
        }
    }

    /// `nil`: as many as possible.
    var perSecond: Double? {
        switch self {
        case .perSecond(let value): value
        case .max: nil
        }
    }
}
