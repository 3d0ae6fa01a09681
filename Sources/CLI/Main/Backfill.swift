import ArgumentParser
import CommandLineTool

@main
struct Backfill {
    static func main() async {
        await BackfillCommand.main()
    }
}
