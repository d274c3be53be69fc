import Foundation

enum Summary {
    static func print(_ report: Report, home: URL) {
        Console.step("done")
        Console.plain(
            String(
                format: """

                      accuracy          %.2f%% on %d images that nobody trained on (loss %.4f)
                      rounds            %d of %d accepted
                      chain             %llu blocks, %llu transactions, %d masternodes
                      finality          p50 %llu ms, p95 %llu ms (of %d transactions)
                      state roots       %@
                      killed masternode %@
                      audits            %d of %d verified from the genesis file alone
                    """,
                report.accuracy * 100, report.testImages, report.loss, report.acceptedRounds, report.rounds,
                report.blocks, report.transactions, report.masternodes, report.finalityMs.p50, report.finalityMs.p95,
                report.finalityMs.samples,
                report.stateRootsAgree ? "agree on all masternodes" : "DIFFER",
                report.restartedNodeCaughtUp ? "came back and caught up" : "did NOT catch up", report.auditsVerified,
                report.participants.count))
        Console.plain("\n  participant   role        actions  history  reputation")
        for party in report.participants {
            let scores = party.reputation.sorted { $0.key < $1.key }.map {
                String(format: "%@ %.4f", $0.key, Double($0.value) / 1e6)
            }.joined(separator: ", ")
            Console.plain(
                "  " + party.name.padding(toLength: 14, withPad: " ", startingAt: 0)
                    + party.role.padding(toLength: 12, withPad: " ", startingAt: 0)
                    + String(format: "%7llu  %7llu  ", party.actions, party.historyEntries)
                    + (scores.isEmpty ? "-" : scores))
        }
        Console.plain("\n  report    \(home.appending(path: "report.json").path)")
        Console.plain("  audits    \(home.appending(path: "audits").path)")
        Console.plain(
            "  the network's homes are in \(home.appending(path: "net").path); the README says how to start them again\n"
        )
    }
}
