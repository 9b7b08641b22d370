public import Telemetry
import TerminalUI

/// What a SKU's row says of it in a word; the worst that holds.
public enum StockState: Sendable, Hashable {
    case ok, hot, low, soldOut, frozen, fenced
    /// A key of somebody else that was not read yet, or holds no number.
    case unread
    /// Units acknowledged beyond the allocation.
    case oversold(Int64)

    /// `SOLD OUT`
    public var word: String {
        switch self {
        case .ok: "OK"
        case .hot: "HOT"
        case .low: "LOW"
        case .soldOut: "SOLD OUT"
        case .frozen: "FROZEN"
        case .fenced: "FENCED"
        case .unread: "UNREAD"
        case .oversold(let units): "OVERSOLD \(Formats.count(Double(units)))"
        }
    }

    /// Larger is worse.
    var rank: Int {
        switch self {
        case .unread: 0
        case .ok: 1
        case .hot: 2
        case .low: 3
        case .soldOut: 4
        case .frozen: 5
        case .fenced: 6
        case .oversold: 7
        }
    }

    /// How the word is drawn: what is wrong is filled, so that it is seen from across the room.
    var style: Style {
        switch self {
        case .ok: Style(.good)
        case .hot: Style(.hot, attributes: .bold)
        case .low: Style(.warn, attributes: .bold)
        case .soldOut, .unread: Style(.dim)
        case .frozen: Style(.frozen, attributes: .bold)
        case .fenced: Style(.onFill, on: .warn, .bold)
        case .oversold: Style(.onFill, on: .bad, .bold)
        }
    }

    /// Whether the word stands on a fill.
    var isFilled: Bool { rank >= StockState.fenced.rank }

    /// The colour of the row's gauge.
    var gauge: Gradient {
        switch self {
        case .ok: .solid(.blend(.track, .accent, 0.7))
        case .hot: .solid(.accent)
        case .low: .solid(.warn)
        case .soldOut, .unread: .solid(.faint)
        case .frozen: .solid(.frozen)
        case .fenced: .solid(.warn)
        case .oversold: .solid(.bad)
        }
    }
}

extension WarRoomSnapshot.SKU {
    /// A SKU that sells out within so many seconds at its present rate is hot.
    static let hotSeconds = 30.0

    /// Its state in a word.
    public var state: StockState {
        if oversold > 0 { return .oversold(oversold) }
        if fenced { return .fenced }
        if frozen { return .frozen }
        guard let stock else { return isForeign || isUnseen ? .unread : .fenced }
        if stock < 0, isForeign { return .oversold(-stock) }
        if stock <= 0 { return .soldOut }
        if Double(stock) <= Double(allocated) * lowShare { return .low }
        if let seconds = secondsToSellOut, seconds < Self.hotSeconds { return .hot }
        return .ok
    }

    /// Taken units as a share of the allocation; can exceed 1.
    /// Of somebody else's key: what is missing from the most that was seen there.
    public var soldShare: Double {
        if isForeign {
            return stock.map { allocated > 0 ? Double(allocated - $0) / Double(allocated) : $0 < 0 ? 1 : 0 } ?? 0
        }
        return allocated > 0 ? Double(taken) / Double(allocated) : taken > 0 ? 1 : 0
    }

    /// At the present rate; `nil` while nothing sells.
    var secondsToSellOut: Double? {
        guard let stock, stock > 0, unitsPerSecond > 0 else { return nil }
        return Double(stock) / unitsPerSecond
    }
}
