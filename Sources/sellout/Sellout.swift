import ArgumentParser

struct Sellout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sellout",
        abstract: "A war room for flash sales: sell out, never oversell.",
        discussion: """
            sellout demo                       a private Redis Cluster, shoppers, and the war room
            sellout watch --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout reconcile --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout bench                      how fast, next to the script that papers print
            sellout torture --sim --seeds 1000    a thousand simulated sales, each with its faults
            sellout torture --seconds 60       break everything around a sale, and check that its promise holds
            sellout doctor --redis redis://127.0.0.1:6379   what can be seen and done there, and what that costs
            sellout config                     the settings that hold, and where each came from

            Exit codes: 0 good, 1 looked and found bad, 2 could not look or run, 3 a check stayed unknown, 64 usage.
            """,
        version: "sellout 0.5",
        subcommands: [
            DemoCommand.self, WatchCommand.self, ReconcileCommand.self, DeadLettersCommand.self, RefundsCommand.self,
            TortureCommand.self, TorturePartyCommand.self, BenchCommand.self, ThemesCommand.self, ConfigCommand.self,
            SnapshotCommand.self, OpenCommand.self, HaltCommand.self, CloseCommand.self, FreezeCommand.self,
            ThawCommand.self, RestockCommand.self, DoctorCommand.self, KeysCommand.self, CompletionsCommand.self,
        ])
}
