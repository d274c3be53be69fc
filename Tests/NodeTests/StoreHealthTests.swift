import Cryptography
import Foundation
import Ledger
import Logging
import NodeCore
import NodeHost
import Primitives
import Simulation
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

    /// LevelDB took no write: the next start is told to write the store anew, and the operator what to do.
    @Test func aWriteThatMetDamageHasTheStoreWrittenAnew() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "edgeproof-health-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "db").path
        let health = StoreHealth(path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let full = StorageError.inputOutput(path: path, detail: "no space left")
        #expect(health.writeFailed(full) == "\(full)" && !StoreRewrite.isRequested(path))
        let reason = health.writeFailed(StorageError.corrupt(path: path, detail: "block checksum mismatch"))
        #expect(reason.contains("checksum mismatch") && reason.contains("start the node again"), "\(reason)")
        #expect(StoreRewrite.isRequested(path) && health.failures == 1)
    }

    /// The state is that of another height than the blocks are: nobody has certified what would follow from it.
    @Test func aStateOfAnotherHeightIsNoPlaceToStartFrom() throws {
        let (longer, shorter) = (try Bench.chain(blocks: 6), try Bench.chain(blocks: 3))
        func start(_ state: SimulatedStore) throws {
            _ = try NodeMachine(
                genesis: longer.cast.genesis, role: .follower, store: MixedStore(blocks: longer.store, state: state),
                journal: [], journalName: 78, rejoin: nil, signatures: KeyedHash(), rules: NodeRules())
        }
        try start(longer.store)
        let error = #expect(throws: NodeStartError.self) { try start(shorter.store) }
        #expect(error?.description.contains("the state's root is") == true)
    }
}

/// The blocks of one store and the state of another.
private final class MixedStore: NodeStore {
    private let blocks: SimulatedStore
    private let state: SimulatedStore

    init(blocks: SimulatedStore, state: SimulatedStore) {
        self.blocks = blocks
        self.state = state
    }

    func head() throws -> ChainHead? { try blocks.head() }
    func block(at height: Height) throws -> FinalizedBlock? { try blocks.block(at: height) }
    func height(of digest: Digest) throws -> Height? { try blocks.height(of: digest) }
    func voteMark() throws -> VoteMark? { try blocks.voteMark() }
    func page(_ key: [UInt8]) throws -> [UInt8]? { try state.page(key) }
    func value(_ key: StateKey) throws -> [UInt8]? { try state.value(key) }
}
