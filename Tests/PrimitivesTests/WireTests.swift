import Cryptography
import Encoding
import Primitives
import Samples
import TestSupport
import Testing

/// What a transaction carries along is what computing it anew gives.
@Suite(.timeLimit(.minutes(20))) struct CarriedBytesTests {
    @Test func bytesIdentifierAndLeaf() throws {
        var random = SeededGenerator(seed: 2)
        let genesis = random.words(Digest.self), other = random.words(Digest.self)
        for _ in 0..<200 {
            let sample = random.signedTransaction()
            let made = try #require(sample)
            var encoder = BorshEncoder()
            encoder.value(made.transaction)
            encoder.value(made.authorization)
            #expect(made.borsh == encoder.bytes && made.byteCount == encoder.bytes.count)
            // In the middle of other bytes, as in a block.
            var decoder = BorshDecoder([9] + made.borsh + [9])
            let _: UInt8 = try decoder.integer()
            let read: SignedTransaction = try decoder.value()
            #expect(read == made && read.borsh == made.borsh && read.hashValue == made.hashValue)
            for chain in [genesis, other, genesis] {
                #expect(read.id(genesis: chain) == read.transaction.id(genesis: chain))
                #expect(read.claim(genesis: chain).message == SigningDomain.transaction.message(genesis: chain, body: read.transaction))
            }
            #expect(read.leafHash == MerkleLog.leafHash(encoder.bytes) && read.leafHash == made.leafHash)
        }
    }
}

/// A type of the protocol: how to make one, and the hash over many of its encodings, which must never change while
/// `Docs/protocol.md` says version 1.
struct WireType: Sendable, CustomTestStringConvertible {
    let name: String
    let golden: String
    let sample: @Sendable (inout SeededGenerator) -> [UInt8]?
    /// Decodes and encodes again; throws what the decoder throws.
    let recode: @Sendable ([UInt8]) throws -> [UInt8]
    /// Encodes a sample, decodes it and compares the values.
    let survives: @Sendable (inout SeededGenerator) throws -> Bool

    var testDescription: String { name }

    init<Value: BorshCodable & Equatable & Sendable>(
        _ name: String, _ golden: String, _ make: @escaping @Sendable (inout SeededGenerator) -> Value?
    ) {
        self.name = name
        self.golden = golden
        sample = { make(&$0)?.borsh }
        recode = { try Value(borsh: $0).borsh }
        survives = { generator in
            guard let value = make(&generator) else { return false }
            return try Value(borsh: value.borsh) == value
        }
    }

    static let all: [WireType] = [
        WireType("Account", "9d2b36a268b5d5ed") { $0.words(Account.self) },
        WireType("ServiceId", "9b3216ba555d2fe6") { $0.label(ServiceId.self) },
        WireType("PostId", "9b3216ba555d2fe6") { $0.label(PostId.self) },
        WireType("Time", "cc50a0b65fcbce86") { $0.counter(Time.self) },
        WireType("ActionId", "842b3400a927c692") { ActionId($0.u16()) },
        WireType("Transaction", "e77c95a05c1b822f") { $0.transaction() },
        WireType("SignedTransaction", "71cd0c3a25284480") { $0.signedTransaction() },
        WireType("Header", "e56e539e0c7b93b1") { $0.header() },
        WireType("ParentCertificate", "e5f70f0bac2e0d13") { $0.parentCertificate() },
        WireType("Block", "36aa9f88031dccf1") { $0.block() },
        WireType("FinalizedBlock", "3c730ad3e17dcaf0") { g in
            FinalizedBlock(block: g.block(), finalization: g.maybe { $0.certificate($0.finalize()) }.flatMap { $0 })
        },
        WireType("NotarizeVote", "12bd9f4cf29195d8") {
            Vote(subject: $0.proposal(), signer: $0.u16(), signature: $0.signature())
        },
        WireType("NullifyVote", "137b92b45d14e4a4") {
            Vote(subject: Nullify(epoch: $0.counter(), view: $0.counter()), signer: $0.u16(), signature: $0.signature())
        },
        WireType("FinalizeVote", "996da5f78819cdd3") {
            Vote(subject: $0.finalize(), signer: $0.u16(), signature: $0.signature())
        },
        WireType("Notarization", "99c080e4323d912f") { $0.certificate($0.proposal()) },
        WireType("Nullification", "2ed81ecb4d5a2423") {
            $0.certificate(Nullify(epoch: $0.counter(), view: $0.counter()))
        },
        WireType("Finalization", "0a6f779ddb06e136") { $0.certificate($0.finalize()) },
        WireType("MerkleFrontier", "047c02bc219d55ef") { $0.frontier() },
        WireType("AccountRecord", "01913bcd28703715") { $0.record() },
        WireType("ReputationRecord", "3646ef554e6cc5bc") {
            ReputationRecord(positive: $0.u64(), negative: $0.u64(), period: $0.u64())
        },
        WireType("ServiceRecord", "072e6f72d441be7b") { $0.service() },
        WireType("RegisterService", "073823c721170c7b") { $0.registration() },
        WireType("UpgradeService", "05b9224ae57eb89f") { $0.upgrade() },
        WireType("TransferService", "465d56b308d4e521") { $0.handOver() },
        WireType("RetireService", "d9121758d3e580ea") { $0.retirement() },
        WireType("Transfer", "9d2b36a268b5d5ed") { Transfer(recipient: $0.words()) },
        WireType("HistoryEntry", "ceb09709a9694571") { $0.entry() },
        WireType("Receipt", "383495f6ff3d8441") { $0.receipt() },
        WireType("MasternodeSet", "d26d7a5a17bb94c6") { g in
            try? MasternodeSet((0...g.below(5)).map { _ in g.masternode() })
        },
        WireType("Parameters", "24dac813053c4480") { $0.parameters() },
        WireType("MasternodeRecord", "c82178d5534cc01f") { $0.masternodeRecord() },
        WireType("MasternodeIndex", "b8c77fa832970adc") { g in MasternodeIndex(g.list(6) { $0.words() }) },
        WireType("RegisterMasternode", "a5dc3044880043dd") {
            RegisterMasternode(
                name: $0.text(40), consensusKey: $0.words(), beaconTip: $0.words(), consent: $0.signature())
        },
        WireType("Evidence", "31a0549f954cbc62") { $0.evidence() },
        WireType("ProposeChange", "5d3bf6b3a742bbaf") { ProposeChange(change: $0.change(), from: $0.counter()) },
        WireType("ProposalRecord", "67086322bda6fb74") { $0.proposalRecord() },
        WireType("ProposalIndex", "3cfb4f3d9dcc7e22") { g in ProposalIndex(next: g.u64(), open: g.list(9) { $0.u64() })
        },
        WireType("EpochPlan", "66912842eb6520e4") { g in
            g.set().map { EpochPlan(epoch: g.counter(), seed: g.words(), set: $0) }
        },
        WireType("EpochProgress", "49e37e5f94c32a26") { $0.epochProgress() },
        WireType("EpochLink", "36fa6008bfcb8f8c") { (g: inout SeededGenerator) -> EpochLink? in
            guard let finalization = g.certificate(g.finalize()), let set = g.set() else { return nil }
            return EpochLink(header: g.header(), finalization: finalization, nextSet: set)
        },
        WireType("Genesis", "cbbfc572cbfab8e8") { $0.genesis() },
    ]
}

@Suite(.timeLimit(.minutes(20))) struct WireTests {
    @Test(arguments: WireType.all)
    func roundTripsAndKeepsItsBytes(type: WireType) throws {
        let seed: UInt64 = 0x3157
        var generator = SeededGenerator(seed: seed)
        var failed: [Int] = []
        for round in 0..<300 where try !type.survives(&generator) { failed.append(round) }
        #expect(failed.isEmpty, "\(type.name), seed \(seed)")

        generator = SeededGenerator(seed: seed)
        var hasher = SHA256Hasher()
        for _ in 0..<300 { hasher.update(try #require(type.sample(&generator))) }
        let found = hasher.finalize().hex.prefix(16)
        #expect(found == type.golden, "the bytes of \(type.name) changed")
    }

    @Test(arguments: WireType.all)
    func everyTruncationAndTrailingByteIsRefused(type: WireType) throws {
        let seed: UInt64 = 0x7a11
        var generator = SeededGenerator(seed: seed)
        for round in 0..<4 {
            let bytes = try #require(type.sample(&generator))
            let accepted = (0..<bytes.count).filter { (try? type.recode(Array(bytes.prefix($0)))) != nil }
            #expect(accepted.isEmpty, "\(type.name), seed \(seed), round \(round)")
            #expect(throws: BorshError.self) { try type.recode(bytes + [UInt8(generator.below(256))]) }
        }
    }

    /// Whatever the bytes: an error, or a value that encodes to exactly these bytes. Lengths of 4 GiB included.
    @Test(arguments: WireType.all)
    func changedBytesDecodeCanonicallyOrNotAtAll(type: WireType) throws {
        let seed: UInt64 = 0xf022
        var generator = SeededGenerator(seed: seed)
        for round in 0..<400 {
            var bytes = try #require(type.sample(&generator))
            let position = generator.below(bytes.count)
            switch generator.below(3) {
            case 0: for offset in 0..<4 where position + offset < bytes.count { bytes[position + offset] = 0xff }
            case 1: bytes[position] ^= 1 << UInt8(generator.below(8))
            default: bytes[position] = UInt8(generator.below(256))
            }
            if let again = try? type.recode(bytes), again != bytes {
                Issue.record("\(type.name), seed \(seed), round \(round): not canonical")
            }
        }
    }

    @Test func goldenTransactionBytes() throws {
        let transaction = try Transaction(
            sender: #require(Account([UInt8](repeating: 0x11, count: 32))), sequence: 2, validUntil: Time(3),
            gasLimit: 4, value: 5, serviceId: #require(ServiceId("s")), postId: #require(PostId("pp")),
            actionId: .applicationTask, data: Array("hello".utf8))
        #expect(
            Hexadecimal.encode(transaction.borsh)
                == "01" + String(repeating: "11", count: 32) + "0200000000000000" + "0300000000000000"
                + "0400000000000000" + "05000000000000000000000000000000" + "0100000073" + "020000007070" + "0500"
                + "0500000068656c6c6f")
        let genesis = Digest(sha256: [])
        #expect(
            transaction.id(genesis: genesis).bytes
                == Digest(sha256: Array("edgeproof/tx/1".utf8) + genesis.bytes + transaction.borsh).bytes)
        #expect(throws: TransactionError.dataTooLong(65_537)) {
            try Transaction(
                sender: .zero, sequence: 0, validUntil: .zero, gasLimit: 0, serviceId: .chain, actionId: .transfer,
                data: [UInt8](repeating: 0, count: 65_537))
        }
    }

    @Test func bitmapsThatAreNotCanonicalAreRefused() throws {
        let subject = Nullify(epoch: .zero, view: View(1))
        let signature = [UInt8](repeating: 7, count: 64)
        func decode(_ bitmap: [UInt8], signatures: Int) throws -> Nullification {
            try Nullification(
                borsh: subject.borsh + UInt32(bitmap.count).borsh + bitmap
                    + (0..<signatures).flatMap { _ in signature })
        }
        #expect(try decode([0b101], signatures: 2).signers == [0, 2])
        #expect(try decode([0, 1], signatures: 1).signers == [8])
        #expect(try decode([], signatures: 0).signers == [])
        for (bitmap, count) in [([0], 0), ([1, 0], 1), ([0b101], 1), ([0b101], 3)] as [([UInt8], Int)] {
            #expect(throws: BorshError.self, "\(bitmap)") { try decode(bitmap, signatures: count) }
        }
        #expect(throws: BorshError.self) { try decode([UInt8](repeating: 0xff, count: 65), signatures: 520) }
        let most = try decode([UInt8](repeating: 0xff, count: 64), signatures: 512)
        #expect(most.signers.last == 511)
        let twice = [
            Vote(subject: subject, signer: 1, signature: .blank), Vote(subject: subject, signer: 1, signature: .blank),
        ]
        #expect(Nullification(subject: subject, votes: twice) == nil)
        #expect(Nullification(subject: subject, votes: [Vote(subject: subject, signer: 512, signature: .blank)]) == nil)
        let other = Vote(subject: Nullify(epoch: .zero, view: View(2)), signer: 1, signature: .blank)
        #expect(Nullification(subject: subject, votes: [other]) == nil)
    }
}

@Suite(.timeLimit(.minutes(20))) struct TextTests {
    /// Names that are cut keep to whole characters and to their limit, so that what is made can be read again.
    @Test func cutTextStaysWithinItsLimit() throws {
        for name in [String(repeating: "a", count: 31) + "é", String(repeating: "語", count: 20), "plain"] {
            let node = Masternode(name: name, consensusKey: .zero, owner: .zero, beaconTip: .zero)
            #expect(node.name.utf8.count <= 32 && name.hasPrefix(node.name))
            #expect(try Masternode(borsh: node.borsh) == node)
        }
        let outcome = Outcome.failure(String(repeating: "𝄞", count: 100))
        #expect(try Outcome(borsh: outcome.borsh) == outcome)
        let note: StaticString = "éééééééééééééééééééééééééééééééééééééééééééééééééé"
        let finding = Finding(service: .chain, role: .edge, kind: .absent, weight: 1, note: note)
        #expect(finding.note.utf8.count == 64)
        #expect(try Finding(borsh: finding.borsh) == finding)
    }

    @Test func labelsThatCouldFoolATerminalAreShownAsHexadecimal() throws {
        #expect(try #require(ServiceId("mnist-1 é語")).description == "mnist-1 é語")
        for hostile in ["\u{1b}[2J", "a\u{202e}b", "a\u{9b}b", "a\u{200b}b", "a\nb", "\u{feff}"] {
            #expect(try #require(ServiceId(hostile)).description.hasPrefix("0x"))
        }
        #expect(try #require(ServiceId([0xff])).description == "0xff")
        #expect(ServiceId([UInt8](repeating: 1, count: 33)) == nil)
    }

    @Test func accountsAndTheirAddresses() throws {
        let seed: UInt64 = 0xacc
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let account: Account = generator.words()
            #expect(account.description.hasPrefix("edge1") && account.description.count == 63)
            #expect(try Account(address: account.description) == account)
            #expect(try Account(address: account.description.uppercased()) == account)
        }
        // Well-formed Bech32m of 31 and 33 bytes names no account.
        for count in [0, 31, 33] {
            #expect(throws: AccountError.self) {
                try Account(address: Bech32m.encode(prefix: "edge", bytes: [UInt8](repeating: 1, count: count)))
            }
        }
        let creator: Account = generator.words()
        #expect(Account.contract(creator: creator, sequence: 1) != Account.contract(creator: creator, sequence: 2))
    }

    @Test func stateKeysDoNotCollide() {
        let account = Account(words: Digest(sha256: [1]).words)
        let keys: [StateKey] =
            [
                .account(account), .contract(account), .beacon(PublicKey(words: account.words)),
                .code(Digest(words: account.words)), .storage(account, []), .storage(account, [0]),
                .membership(account, account), .service(.chain), .scheduleSlot(1), .scheduledCall(1), .chain("supply"),
            ] + Role.allCases.map { .reputation(account, $0) }
        #expect(Set(keys).count == keys.count && Set(keys.map(\.path)).count == keys.count)
        #expect(StateKey.account(account).path == Digest(sha256: Array("a".utf8) + account.bytes))
    }
}
