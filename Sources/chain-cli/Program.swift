import ChainCommands

@main
enum Program {
    static func main() async { await ChainCLI.run(CommandLine.arguments.dropFirst()) }
}
