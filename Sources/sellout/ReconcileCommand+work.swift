import Foundation
import Inventory
import Operations

extension ReconcileCommand {
    /// What is on its way between the stores and nobody takes there, and what --repair did of it.
    struct Attended {
        /// Without --repair: what waits.
        var unattended: Backlog?
        var load = OutboxLoad()
        /// With --repair: what was done.
        var settled: SettledBacklog?

        var isGood: Bool { unattended == nil && settled?.left.isEmpty ?? true }

        var unattendedSentence: String? {
            unattended.map {
                "nobody works on this sale: \($0.parts(load).asList) wait to be seen through; --repair does it"
            }
        }

        var unattendedReport: Report.Work? { unattended.map { Report.Work($0, load) } }

        var settledReport: Report.Work? {
            guard let settled, settled.sentence != nil else { return nil }
            var work = Report.Work(settled.done, settled.load)
            work.reservations = settled.expired
            return work
        }

        /// Takes in what a second look did.
        mutating func again(_ later: Attended) {
            unattended = later.unattended
            load = later.load
            guard let more = later.settled else { return }
            if settled == nil { settled = more } else { settled?.add(more) }
        }
    }

    /// Looks whether what is on its way is taken there; with --repair, or after orders were rolled back, finishes what is not.
    func attend(_ service: SaleService) async throws -> Attended {
        let backlog = try await service.backlog()
        if !backlog.isEmpty, !json, isatty(STDERR_FILENO) == 1 {
            let line =
                "\(backlog.parts(nil).asList) on the way between the stores: looking whether somebody takes them\n"
            FileHandle.standardError.write(Data(line.utf8))
        }
        let unattended = try await service.unattended(backlog)
        guard repair || settleOversold else {
            guard let unattended else { return Attended() }
            return Attended(unattended: unattended, load: await service.load(of: unattended))
        }
        // With nothing on its way, there may still be reservations whose time is over.
        guard unattended != nil || backlog.isEmpty else { return Attended() }
        return Attended(settled: try await service.settleBacklog())
    }
}

extension ReconcileCommand.Report {
    /// Work between the stores, by what it is.
    struct Work: Codable {
        var orders: Int64
        var units: Int64
        var entries: Int64
        var giveBacks: Int
        var restocks: Int
        var halfDoneOrders: Int
        var payments: Int64
        var recoveries: Int
        var acts: Int
        /// Reservations whose time was over.
        var reservations: Int64 = 0

        init(_ backlog: Backlog, _ load: OutboxLoad) {
            orders = load.orders
            units = load.units
            entries = backlog.entries
            giveBacks = backlog.giveBacks.count
            restocks = backlog.restocks.count
            halfDoneOrders = backlog.halfDone.count
            payments = backlog.payments
            recoveries = backlog.recovering.count
            acts = backlog.missedActs.count
        }
    }
}
