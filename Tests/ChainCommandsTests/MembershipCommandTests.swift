import APIModel
import ChainClient
import ChainCommands
import Cryptography
import Foundation
import KeyFiles
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct MembershipCommandTests {
    static let owner = Account(key(200).publicKey)
    static let genesis = Digest(sha256: [1])

    static func key(_ number: UInt8) -> PrivateKey { PrivateKey(seed: [UInt8](repeating: number, count: 32))! }

    /// Epoch 3; the first two are in its set, the second also in the next one's.
    static func set(_ members: [(name: String, key: UInt8, status: MasternodeRecord.Status)]) -> MasternodesDocument {
        MasternodesDocument(
            progress: EpochProgress(epoch: Epoch(3), startHeight: Height(9), startTime: .zero, protocolVersion: 1),
            view: View(4), leader: 0, quorum: 3, parameters: Parameters(), rewardPool: 0,
            masternodes: members.enumerated().map { index, member in
                document(
                    member.name, member.key, member.status, index: index < 2 ? index : nil, next: index == 1 ? 0 : nil)
            })
    }

    static func document(
        _ name: String, _ number: UInt8, _ status: MasternodeRecord.Status, index: Int? = nil, next: Int? = nil,
        seen: Bool = false, isSelf: Bool = false, lastSeen: UInt64 = 2
    ) -> MasternodeDocument {
        let masternode = Masternode(
            name: name, consensusKey: key(number).publicKey, owner: owner, beaconTip: Digest(sha256: [number]))
        return MasternodeDocument(
            MasternodeRecord(
                masternode: masternode, collateral: 5, status: status, registeredAt: .zero, lastSeen: Epoch(lastSeen)),
            epoch: Epoch(3), seenThisEpoch: seen, index: index.map { UInt16($0) }, nextIndex: next.map { UInt16($0) },
            connected: false, isSelf: isSelf, isLeader: false)
    }

    static let four = set([
        ("a", 1, .active(from: .zero)), ("twin", 2, .active(from: .zero)), ("twin", 3, .suspended(in: Epoch(1))),
        ("gone", 4, .slashed(in: Epoch(1))),
    ])

    private func failure(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(Failure(error).exitCode) \(error)" }
        return "no error"
    }

    // MARK: Naming one

    @Test func findsByKeyPrefixAndName() throws {
        for member in Self.four.masternodes {
            #expect(try Self.four.masternode(named: member.consensusKey.hex) == member)
            #expect(try Self.four.masternode(named: member.consensusKey.hex.uppercased()) == member)
            #expect(try Self.four.masternode(named: String(member.consensusKey.hex.prefix(12))) == member)
        }
        #expect(try Self.four.masternode(named: "gone").consensusKey == Self.key(4).publicKey)
    }

    @Test func saysWhyNoneIsFound() {
        let twins = failure { _ = try Self.four.masternode(named: "twin") }
        #expect(twins.hasPrefix("2 'twin' could be twin (") && twins.contains("more digits"), "\(twins)")
        let none = failure { _ = try Self.four.masternode(named: "zz") }
        #expect(none.hasPrefix("1 no masternode has the name 'zz'"), "\(none)")
        #expect(failure { _ = try Self.four.masternode(named: "") }.hasPrefix("2 say which"))
        let other = failure { try Self.four.masternodes[0].requireOwner(.zero) }
        #expect(other.hasPrefix("2 only the owner of a (") && other.contains(Self.owner.description), "\(other)")
    }

    @Test func whoIsSilentForLongMayResume() {
        func canResume(_ status: MasternodeRecord.Status, lastSeen: UInt64) -> Bool {
            Self.document("x", 5, status, lastSeen: lastSeen).canResume(in: 3)
        }
        #expect(canResume(.suspended(in: Epoch(2)), lastSeen: 2))
        #expect(canResume(.active(from: .zero), lastSeen: 1))
        #expect(!canResume(.active(from: .zero), lastSeen: 2) && !canResume(.active(from: Epoch(4)), lastSeen: 1))
        #expect(
            !canResume(.slashed(in: .zero), lastSeen: 0)
                && !canResume(.leaving(in: .zero, unlocksAt: .zero), lastSeen: 0))
    }

    // MARK: Changes

    @Test(arguments: [
        ("heartbeatMs=20000", ChangeOptions.Wanted.parameter(name: "heartbeatMs", value: 20_000)),
        ("collateral=1,000_000", .parameter(name: "collateral", value: 1_000_000)),
    ])
    func readsAssignments(text: String, wanted: ChangeOptions.Wanted) throws {
        #expect(try ChangeOptions.assignment(text) == wanted)
    }

    @Test(arguments: [
        "heartbeatMs", "=5", "heartbeatMs=", "heartbeatMs=-1", "heartbeatMs=1e3", "heartbeatMs=99999999999999999999",
    ])
    func refusesAssignments(text: String) {
        #expect(failure { _ = try ChangeOptions.assignment(text) }.hasPrefix("2 --set '\(text)'"))
    }

    /// It told people to make one with 'keys new', which makes another thing.
    @Test func whereThereIsNoHomeItSaysWhatMakesOne() {
        let said = failure { _ = try NodeHomeFiles("/nonexistent/home").name() }
        #expect(
            said.hasPrefix("2 /nonexistent/home is no home of a node") && said.contains("chaind init --home"), "\(said)"
        )
    }

    @Test func aMistypedParameterIsGuessed() {
        let parameters = ParametersDocument(
            epoch: Epoch(3), protocolVersion: 1, parameters: Parameters(), genesis: Parameters())
        let said = failure {
            _ = try ChangeOptions.Wanted.parameter(name: "hartbeatMs", value: 5_000).resolved(
                Self.four, parameters: parameters)
        }
        #expect(
            said.hasPrefix("2 ") && said.contains("(did you mean 'heartbeatMs'?); 'governance parameters'"), "\(said)")
    }

    @Test func resolvesChangesAsTheChainWill() throws {
        let parameters = ParametersDocument(
            epoch: Epoch(3), protocolVersion: 1, parameters: Parameters(), genesis: Parameters())
        func resolve(_ wanted: ChangeOptions.Wanted) throws -> Change {
            try wanted.resolved(Self.four, parameters: parameters)
        }
        #expect(
            try resolve(.parameter(name: "heartbeatMs", value: 5_000)) == .parameter(name: "heartbeatMs", value: 5_000))
        #expect(failure { _ = try resolve(.parameter(name: "heartbeatMs", value: 5)) }.contains("could stop the chain"))
        #expect(try resolve(.removal(of: "a")) == .removeMasternode(Self.key(1).publicKey))
        #expect(try resolve(.upgrade(2)) == .upgrade(protocolVersion: 2))
        #expect(
            failure { _ = try resolve(.parameter(name: "heartbeat", value: 5)) }.contains(
                "'governance parameters' lists them"))
        #expect(
            failure { _ = try resolve(.parameter(name: "decayPeriodMs", value: 5)) }.contains("fixed by the genesis"))
        #expect(failure { _ = try resolve(.parameter(name: "heartbeatMs", value: 0)) }.contains("heartbeatMs is 0"))
        #expect(failure { _ = try resolve(.parameter(name: "blockBytes", value: 1 << 32)) }.contains("over 2^32 - 1"))
        #expect(failure { _ = try resolve(.removal(of: "gone")) }.hasPrefix("1 gone ("))
        #expect(failure { _ = try resolve(.upgrade(1)) }.contains("runs protocol version 1 already"))
        #expect(failure { _ = try resolve(.upgrade(3)) }.contains("only version 2 can follow"))
    }

    // MARK: Joining

    private func member(owner: Account = Self.owner, genesis: Digest = Self.genesis) throws -> MemberDocument {
        let key = Self.key(9)
        let masternode = Masternode(
            name: "fog-7", consensusKey: key.publicKey, owner: owner, beaconTip: Digest(sha256: [7]))
        return MemberDocument(try RegisterMasternode(masternode, signing: key, genesis: genesis), owner: owner)
    }

    @Test func aDescriptionBecomesARegistration() throws {
        let document = try MemberDocument.decode(try member().encoded())
        let registration = try document.registration(owner: Self.owner, name: nil, genesis: Self.genesis)
        #expect(registration.name == "fog-7" && registration.consensusKey == Self.key(9).publicKey)
        #expect(registration.isConsented(owner: Self.owner, genesis: Self.genesis, verifier: Ed25519Verifier()))
        let renamed = try document.registration(owner: Self.owner, name: "b", genesis: Self.genesis)
        #expect(renamed.name == "b" && renamed.consent == registration.consent)
        // What 'chaind genesis' reads is the same file, with or without a consent.
        #expect(try document.masternode() == MemberDocument(try document.masternode()).masternode())
    }

    @Test func aDescriptionOfSomethingElseIsRefused() throws {
        let document = try member()
        let elsewhere = failure { _ = try document.registration(owner: Self.owner, name: nil, genesis: .zero) }
        #expect(elsewhere.contains("is not the consensus key's for this owner on the chain"), "\(elsewhere)")
        let other = failure { _ = try document.registration(owner: .zero, name: nil, genesis: Self.genesis) }
        #expect(other.hasPrefix("2 the description is for the owner"), "\(other)")
        let bare = MemberDocument(try document.masternode())
        #expect(
            failure { _ = try bare.registration(owner: Self.owner, name: nil, genesis: Self.genesis) }.contains(
                "no consent"))
        #expect(throws: MemberDocumentError.self) { try MemberDocument.decode(Data("{}".utf8)) }
    }

    @Test func whoIsRegisteredCannotRegisterAgain() throws {
        let document = try member()
        let registration = try document.registration(owner: Self.owner, name: nil, genesis: Self.genesis)
        func check(_ status: MasternodeRecord.Status, owner: Account = Self.owner) -> String {
            failure { try registration.requireNew(owner: owner, in: Self.set([("x", 9, status)])) }
        }
        #expect(failure { try registration.requireNew(owner: Self.owner, in: Self.four) } == "no error")
        #expect(
            check(.active(from: Epoch(5))).hasPrefix("1 x (") && check(.suspended(in: .zero)).contains("is registered"))
        #expect(check(.slashed(in: Epoch(1))).contains("never comes back"))
        #expect(check(.leaving(in: Epoch(1), unlocksAt: .zero)).contains("when its collateral is unlocked"))
        #expect(
            check(.leaving(in: .zero, unlocksAt: .zero), owner: Account(Self.key(9).publicKey)).hasPrefix(
                "2 the owner is"))
    }

    /// The home's keys, wherever they come from, give a registration that the chain accepts.
    @Test func aHomeSignsItsRegistration() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "home-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let home = NodeHomeFiles(folder.path)
        #expect(failure { _ = try home.name() }.contains("no home of a node"))
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(#"{"name":"fog-7","peers":[]}"#.utf8).write(to: folder.appending(path: "config.json"))
        try #require(
            FileManager.default.createFile(
                atPath: folder.appending(path: "passphrase").path, contents: Data("secret\n".utf8),
                attributes: [.posixPermissions: 0o600]))
        #expect(failure { _ = try home.consensusKey() }.contains("has no consensus key"))
        let keys = KeyDirectory(path: folder.appending(path: "keys").path)
        let passphrase = try Passphrase("secret")
        for (name, number): (String, UInt8) in [(NodeKeyNames.consensus, 9), (NodeKeyNames.beacon, 10)] {
            try keys.save(Self.key(number), purpose: name, passphrase: passphrase, as: name, logCost: 10)
        }
        let registration = try home.registration(name: nil, owner: Self.owner, genesis: Self.genesis)
        #expect(registration.name == "fog-7" && registration.consensusKey == Self.key(9).publicKey)
        #expect(registration.beaconTip == BeaconChain(of: Self.key(10)).tip)
        #expect(registration.isConsented(owner: Self.owner, genesis: Self.genesis, verifier: Ed25519Verifier()))
        #expect(try home.consensusKey().publicKey == Self.key(9).publicKey)
    }

    // MARK: What to do

    private func advice(_ member: MasternodeDocument?, role: String = "masternode", catchingUp: Bool = false) -> String
    {
        var set = Self.four
        if let member { set.masternodes.append(member) }
        let status = StatusDocument(
            chain: "c", genesisHash: .zero, version: "1", role: role, node: "n",
            head: .init(height: .zero, digest: .zero, time: .zero), state: .init(height: .zero, root: .zero),
            epoch: Epoch(3),
            protocolVersion: 1, upgrade: nil, view: .zero, peers: 0, mempool: .init(transactions: 0, bytes: 0),
            uptimeMs: 0,
            finalityMs: nil, catchingUp: catchingUp)
        return Participation(status, set).advice
    }

    @Test func tellsTheOperatorWhatToDo() {
        func own(_ status: MasternodeRecord.Status, index: Int? = nil, next: Int? = nil, seen: Bool = false)
            -> MasternodeDocument
        {
            Self.document("me", 50, status, index: index, next: next, seen: seen, isSelf: true)
        }
        #expect(advice(nil, role: "follower").contains("then run it with --masternode"))
        #expect(advice(nil).contains("masternode register --home"))
        #expect(advice(own(.active(from: .zero), index: 2, seen: true)) == "nothing: it takes part")
        #expect(advice(own(.active(from: .zero), index: 2)).contains("suspended"))
        #expect(advice(own(.active(from: .zero), index: 2), catchingUp: true).hasPrefix("wait"))
        #expect(advice(own(.active(from: Epoch(5)))).contains("from epoch 5 on"))
        #expect(advice(own(.suspended(in: Epoch(2)))).hasPrefix("bring it back: 'chain-cli masternode resume"))
        #expect(advice(own(.suspended(in: Epoch(2))), catchingUp: true).hasPrefix("wait until"))
        #expect(advice(own(.leaving(in: Epoch(2), unlocksAt: Time(1_000)), index: 2)).hasPrefix("keep it running"))
        #expect(
            advice(own(.removed(in: Epoch(2), unlocksAt: Time(1_000)))).hasPrefix(
                "it may stop. The collateral comes back"))
        #expect(advice(own(.slashed(in: Epoch(2)))).contains("new home"))
    }
}
