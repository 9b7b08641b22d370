import ArgumentParser

@main
struct Sellout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "A war room for flash sales: sell out, never oversell.")
}
