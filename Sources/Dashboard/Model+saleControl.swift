import Inventory
import Telemetry
import TerminalUI

/// Opening by a list, opening at a moment, closing for good.
extension Model {
    /// What `y` does in the dialog that opens the sale; `nil`: it waits for GO.
    mutating func opening(_ dialog: DialogState.OpenSale) -> Effect? {
        let buyers = dialog.buyers?.value.map(Double.init)
        let seconds = dialog.seconds?.value.map(Double.init)
        switch dialog.list?.decision {
        case .deciding?:
            var armed = dialog
            armed.isArmed = true
            dialogs[dialogs.count - 1] = .openSale(armed)
            return nil
        case .noGo(mayBeOverridden: false)?: return .bell
        case .noGo(mayBeOverridden: true)?:
            return .overrideAndOpen(name: snapshot.saleName, buyersPerSecond: buyers, seconds: seconds)
        case .go?, nil: return .openSale(buyersPerSecond: buyers, seconds: seconds)
        }
    }

    /// Takes what the list says by now; one that was asked to open on GO does.
    mutating func take(_ list: PreflightReport) -> [Effect] {
        guard
            let index = dialogs.lastIndex(where: {
                if case .openSale(let open) = $0 { open.list != nil } else { false }
            }),
            case .openSale(var dialog) = dialogs[index]
        else { return [] }
        let isArmed = dialog.isArmed
        dialog.list = list
        if list.decision != .deciding { dialog.isArmed = false }
        dialogs[index] = .openSale(dialog)
        guard isArmed, list.decision != .deciding else { return [] }
        // What is over it, such as the help, is not in the way of what was confirmed.
        guard list.decision == .go, index == dialogs.count - 1 else { return [.bell] }
        return confirm()
    }

    mutating func checkAgain() -> [Effect] {
        guard case .openSale(var dialog) = dialogs.last else { return [] }
        dialog.list = PreflightReport()
        dialog.isArmed = false
        dialogs[dialogs.count - 1] = .openSale(dialog)
        return [.preflight]
    }

    mutating func askToSchedule(_ time: OpeningTime, _ typed: String) {
        switch snapshot.saleState {
        case .closed: tell("the sale is closed: a closed sale does not open again", .warning)
        case .open: tell("the sale is open already; X halts it", .warning)
        case .warmed, .halted:
            dialogs.append(.schedule(time, typed: SafeText.fitted(typed, width: 12)))
        }
    }

    mutating func askToClose() {
        if snapshot.phase.isStarting {
            tell("still starting: there is nothing to close yet", .warning)
        } else {
            dialogs.append(.closeSale(expires: false))
        }
    }

    mutating func togglePolicy() {
        guard case .closeSale(let expires) = dialogs.last else { return }
        dialogs[dialogs.count - 1] = .closeSale(expires: !expires)
    }

    mutating func take(_ report: ClosingReport) -> [Effect] {
        closing = report
        guard report.isOver else { return [] }
        if let books = report.books {
            tell("closed: \(books.sentence)", report.isClean ? .good : .bad)
        } else if case .bad(let why) = report.progress(.stop) {
            tell(why, .bad)
        }
        return report.isClean ? [] : [.bell]
    }

    /// What is left until the sale opens by itself.
    var countdown: String { snapshot.opening.map { Formats.clock(seconds: $0.secondsLeft.rounded(.up)) } ?? "" }
}

extension WarRoomSnapshot.Phase {
    var isStarting: Bool { if case .starting = self { true } else { false } }
}
