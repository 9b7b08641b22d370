import ArgumentParser

@main
struct Sellout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sellout",
        abstract: "A war room for flash sales: sell out, never oversell.",
        discussion: """
            sellout demo                       a private Redis Cluster, shoppers, and the war room
            sellout watch --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout reconcile --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            """,
        subcommands: [DemoCommand.self])
}
