import ArgumentParser

/// Completions for shells, from the same table that parses the arguments.
struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Print the completions for a shell.",
        discussion: """
            bash:  sellout completions bash > ~/.local/share/bash-completion/completions/sellout
            zsh:   sellout completions zsh > ~/.zfunc/_sellout      (with fpath+=~/.zfunc before compinit)
            fish:  sellout completions fish > ~/.config/fish/completions/sellout.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() throws {
        let known: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        print(Sellout.completionScript(for: known))
    }
}
