import ArgumentParser
import Foundation
import Inventory
import Operations
import OrderStore
import Redis

struct HaltCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "halt",
        abstract: "Halt the sale everywhere, at once. It never asks.",
        discussion: "sellout halt --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite")

    @OptionGroup var options: ActOptions

    func work() async throws -> Int32 {
        try options.sources.mayChange()
        try await brake()
        return try await options.act("halt", asks: false) { control, _ in await control.halt() }
    }

    /// The brake waits for nobody: reading hands are enough to stop orders in Redis, and a store that is locked is waited for after.
    private func brake() async throws {
        guard
            let (service, _, _) = try? await options.sources.connect(readOnly: true, events: EventLog())
        else { return }
        let braked = await service.control.brake()
        service.cluster.close()
        await service.store.close()
        guard let braked else { return }
        let giveUpAt = ContinuousClock.now + SaleControl.haltPatience
        let refusing = "\(braked.halted) of \(braked.of.counted("bucket")) take no orders"
        var isTold = false
        while !Task.isCancelled {
            do {
                let (writer, _, _) = try await options.sources.connect(readOnly: false, events: EventLog())
                writer.cluster.close()
                await writer.store.close()
                return
            } catch let error as OrderStoreError {
                guard ContinuousClock.now < giveUpAt else {
                    throw ActOptions.Refusal(description: "\(refusing), but it is not in SQL: \(error)")
                }
                if !isTold {
                    let line = "\(refusing); the halt goes to SQL as soon as it answers: \(error)"
                    FileHandle.standardError.write(Data("sellout: \(PlainText.line(line))\n".utf8))
                }
                isTold = true
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }
}
