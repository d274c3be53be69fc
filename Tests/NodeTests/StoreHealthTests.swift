import Ledger
import Logging
import NodeHost
import Primitives
import Storage
import Testing

/// Which failed reads mean damage, and what is said of it.
@Suite(.timeLimit(.minutes(20))) struct StoreHealthTests {
    private let health = StoreHealth(path: "/home/db", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    private let corrupt = StorageError.corrupt(path: "/home/db", detail: "block checksum mismatch")

    @Test func whatIsNoDamageIsNotNoted() {
        for error in [
            CancellationError(), StorageError.closed(path: "/home/db"), LedgerError.unknownProposer(3),
        ] as [any Error] { #expect(!health.note(error), "\(error)") }
        #expect(health.problem == nil && health.failures == 0)
    }

    @Test func damageOfTheStateStays() throws {
        for error in [corrupt, LedgerError.storage("it is torn"), LedgerError.corruptState(.parameters, "torn")] as [any Error] {
            #expect(health.note(error), "\(error)")
        }
        #expect(health.failures == 3)
        let problem = try #require(health.problem)
        #expect(problem.contains("checksum mismatch") && problem.contains("move the folder aside"))
        health.healed(Height(1))
        #expect(health.problem == problem && health.healedBlocks == 0)
    }

    @Test func blocksAreForgottenWhenTheyAreBack() throws {
        for height in [4, 9, 4] as [UInt64] { #expect(health.note(UnreadableBlock(height: Height(height), cause: corrupt))) }
        #expect(health.failures == 3 && health.highestBlock == Height(9))
        #expect(try #require(health.problem).hasPrefix("2 blocks of the store /home/db, block 4 among them"))
        health.healed(Height(9))
        #expect(health.highestBlock == Height(4))
        #expect(try #require(health.problem).hasPrefix("1 block of"))
        health.healed(Height(4))
        health.healed(Height(4))
        #expect(health.problem == nil && health.healedBlocks == 2)
        // A block of a store that is closed is not a damaged one.
        #expect(StoreHealth.isDamage(UnreadableBlock(height: Height(1), cause: corrupt)))
        #expect(!StoreHealth.isDamage(UnreadableBlock(height: Height(1), cause: .closed(path: "/home/db"))))
    }
}
