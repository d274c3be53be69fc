import Cryptography
import Encoding
import Primitives
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct EnvelopeTests {
    private let alice: Worker
    private let bob: Worker
    private let carol: Worker
    private let payload = Array("boundary values".utf8)
    private let salt = [UInt8](repeating: 7, count: 32)

    init() throws {
        alice = try #require(Worker("alice"))
        bob = try #require(Worker("bob"))
        carol = try #require(Worker("carol"))
    }

    private func context(
        genesis: UInt8 = 1, job: UInt8 = 2, round: UInt32 = 3, step: UInt32 = 4, kind: MessageKind = .activation,
        index: UInt16 = 5, previous: UInt8 = 6, sender: Worker? = nil, receiver: Worker? = nil
    ) -> EnvelopeContext {
        EnvelopeContext(
            genesisHash: Digest(sha256: [genesis]), jobId: Account(words: Digest(sha256: [job]).words), round: round,
            step: step, kind: kind, index: index, previousDigest: Digest(sha256: [previous]),
            senderKey: (sender ?? alice).account, receiverKemKey: (receiver ?? bob).kem.publicKey)
    }

    private func sealed() throws -> Envelope {
        try Envelope.seal(payload, context: context(), salt: salt, key: alice.key)
    }

    /// The same wire bytes with some of them replaced.
    private func forged(_ envelope: Envelope, at offset: Int, _ bytes: [UInt8]) throws -> Envelope {
        var wire = envelope.borsh
        wire.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return try Envelope(borsh: wire)
    }

    // Places in the wire form: context 171 bytes, commitment 32, encapsulated key 32, length 4, ciphertext, signature 64.
    private let commitmentOffset = 171
    private let ciphertextOffset = 239

    @Test func whatWasSealedOpens() throws {
        let envelope = try Envelope(borsh: sealed().borsh)
        try envelope.verifyPublicly()
        let opened = try envelope.open(expecting: context(), key: bob.kem)
        #expect(opened.payload == payload)
        #expect(opened.salt == salt)
        try envelope.verifyOpening(payload: payload, salt: salt)
        #expect(throws: EnvelopeError.otherPayload) {
            try envelope.verifyOpening(payload: payload + [0], salt: salt)
        }
        #expect(throws: EnvelopeError.otherPayload) {
            try envelope.verifyOpening(payload: payload, salt: [UInt8](repeating: 8, count: 32))
        }
    }

    @Test func theCommitmentIsTheDocumentedHash() throws {
        let ctx = Digest(sha256: Array("edgeproof/envelope/1".utf8) + context().borsh)
        #expect(context().borsh.count == 171)
        #expect(context().digest == ctx)
        #expect(try sealed().commitment == Digest(sha256: ctx.bytes + Digest(sha256: payload).bytes + salt))
    }

    @Test func aReplayAnywhereElseIsRefused() throws {
        let envelope = try sealed()
        let elsewhere: [(EnvelopeContext, String)] = [
            (context(genesis: 9), "genesis"), (context(job: 9), "job"), (context(round: 9), "round"),
            (context(step: 9), "step"), (context(kind: .frontDifference), "kind"), (context(index: 9), "index"),
            (context(previous: 9), "previous envelope"), (context(sender: carol), "sender"),
            (context(receiver: carol), "receiver"),
        ]
        for (other, field) in elsewhere {
            #expect(throws: EnvelopeError.wrongContext([field])) {
                try envelope.open(expecting: other, key: bob.kem)
            }
            // And with the context itself rewritten, the signature no longer fits.
            let rewritten = try forged(envelope, at: 0, other.borsh)
            #expect(throws: EnvelopeError.badSignature) { try rewritten.verifyPublicly() }
            let key = field == "receiver" ? carol.kem : bob.kem
            #expect(throws: EnvelopeError.badSignature) { try rewritten.open(expecting: other, key: key) }
        }
    }

    /// The attack on sign-then-encrypt: Bob opens Alice's message and seals it again, for Carol, as Alice's.
    @Test func forwardingIsRefused() throws {
        let envelope = try sealed()
        let opened = try envelope.open(expecting: context(), key: bob.kem)
        let toCarol = context(receiver: carol)
        #expect(throws: EnvelopeError.notTheSendersKey) {
            try Envelope.seal(opened.payload, context: toCarol, salt: opened.salt, key: bob.key)
        }
        // Resealed properly by Bob, but under Alice's name with Alice's old signature.
        let resealed = try Envelope.seal(
            opened.payload, context: context(sender: bob, receiver: carol), salt: opened.salt, key: bob.key)
        let asAlice = try forged(resealed, at: 0, toCarol.borsh)
        #expect(throws: EnvelopeError.badSignature) { try asAlice.open(expecting: toCarol, key: carol.kem) }
        let signed = try forged(asAlice, at: asAlice.borsh.count - 64, envelope.signature.bytes)
        #expect(throws: EnvelopeError.badSignature) { try signed.open(expecting: toCarol, key: carol.kem) }
        // The unchanged envelope, handed to Carol.
        #expect(throws: EnvelopeError.notForThisReceiver) { try envelope.open(expecting: context(), key: carol.kem) }
    }

    @Test func aStrippedOrForeignSignatureIsRefused() throws {
        let envelope = try sealed()
        let offset = envelope.borsh.count - 64
        let stripped = try forged(envelope, at: offset, [UInt8](repeating: 0, count: 64))
        let foreign = try carol.key.sign(message: payload)
        for bad in [stripped, try forged(envelope, at: offset, foreign.bytes)] {
            #expect(throws: EnvelopeError.badSignature) { try bad.open(expecting: context(), key: bob.kem) }
            #expect(throws: EnvelopeError.badSignature) { try bad.verifyPublicly() }
        }
        #expect(throws: BorshError.self) { try Envelope(borsh: Array(envelope.borsh.dropLast(64))) }
    }

    @Test func anyChangedByteIsRefused() throws {
        let envelope = try sealed()
        let wire = envelope.borsh
        for offset in commitmentOffset..<wire.count {
            guard let changed = try? forged(envelope, at: offset, [wire[offset] ^ 0x40]) else { continue }
            #expect(throws: EnvelopeError.badSignature, "byte \(offset)") { try changed.verifyPublicly() }
        }
        for count in [0, 1, 170, 202, 238, wire.count - 1] {
            #expect(throws: BorshError.self) { try Envelope(borsh: Array(wire.prefix(count))) }
        }
        #expect(throws: BorshError.self) { try Envelope(borsh: wire + [0]) }
    }

    /// A sender that signs one commitment and seals another payload has signed the proof of it.
    @Test func anotherPayloadThanCommittedIsAComplaint() throws {
        let digest = context().digest
        let honest = try sealed()
        func signed(_ commitment: Digest, _ message: SealedMessage) throws -> Envelope {
            var body = BorshEncoder()
            body.fixed(SigningDomain.envelope.name.utf8)
            body.value(context().genesisHash)
            body.value(digest)
            body.value(commitment)
            body.value(Digest(sha256: message.encapsulatedKey + message.ciphertext))
            var wire = BorshEncoder()
            wire.value(context())
            wire.value(commitment)
            wire.fixed(message.encapsulatedKey)
            wire.variable(message.ciphertext)
            wire.value(try alice.key.sign(message: body.bytes))
            return try Envelope(borsh: wire.bytes)
        }
        let other = try bob.kem.publicKey.seal(
            Array("something else".utf8) + salt, info: digest.bytes, authenticating: honest.commitment.bytes)
        let lying = try signed(honest.commitment, other)
        try lying.verifyPublicly()
        #expect(throws: EnvelopeError.otherPayload) { try lying.open(expecting: context(), key: bob.kem) }

        let toCarol = try carol.kem.publicKey.seal(
            payload + salt, info: digest.bytes, authenticating: honest.commitment.bytes)
        let unreadable = try signed(honest.commitment, toCarol)
        #expect(throws: EnvelopeError.cannotOpen) { try unreadable.open(expecting: context(), key: bob.kem) }

        let tiny = try bob.kem.publicKey.seal([1], info: digest.bytes, authenticating: honest.commitment.bytes)
        let short = try signed(honest.commitment, tiny)
        #expect(throws: EnvelopeError.cannotOpen) { try short.open(expecting: context(), key: bob.kem) }

        #expect(EnvelopeError.otherPayload.isComplaint && EnvelopeError.cannotOpen.isComplaint)
        #expect(!EnvelopeError.badSignature.isComplaint && !EnvelopeError.wrongContext([]).isComplaint)
    }

    @Test func sizesAreBounded() throws {
        #expect(throws: EnvelopeError.tooLarge(Envelope.maximumPayload + 1)) {
            try Envelope.seal(
                [UInt8](repeating: 0, count: Envelope.maximumPayload + 1), context: context(), salt: salt,
                key: alice.key)
        }
        #expect(throws: EnvelopeError.saltLength(31)) {
            try Envelope.seal(payload, context: context(), salt: Array(salt.dropLast()), key: alice.key)
        }
        // A declared length of 4 GiB allocates nothing.
        let wire = try forgedLength(sealed())
        #expect(throws: BorshError.self) { try Envelope(borsh: wire) }
    }

    private func forgedLength(_ envelope: Envelope) -> [UInt8] {
        var wire = envelope.borsh
        wire.replaceSubrange(ciphertextOffset - 4..<ciphertextOffset, with: [0xFF, 0xFF, 0xFF, 0xFF])
        return wire
    }

    @Test func aConversationRefusesMessagesOutOfOrder() throws {
        var edge = Conversation(
            genesisHash: Digest(sha256: [1]), jobId: Account(words: Digest(sha256: [2]).words), round: 3, index: 0,
            edge: alice.party, cloud: bob.party)
        var cloud = edge
        let update = try FrontUpdate(from: testFront(testSeed), to: testFront(testSeed))
        let message = AnyTrainingMessage.frontDifference(FrontDifferenceMessage(round: 3, step: 9, update: update))
        let first = try edge.seal(message, salt: salt, key: alice.key)
        #expect(try cloud.open(first, step: 9, kind: .frontDifference, key: bob.kem) == message)
        #expect(throws: EnvelopeError.wrongContext(["previous envelope"])) {
            try cloud.open(first, step: 9, kind: .frontDifference, key: bob.kem)
        }
        #expect(cloud == edge)
        // A payload of another kind than the context says.
        let odd = try Envelope.seal(
            message.payload, context: edge.context(step: 9, kind: .activation), salt: salt, key: alice.key)
        #expect(throws: EnvelopeError.malformedPayload) {
            try cloud.open(odd, step: 9, kind: .activation, key: bob.kem)
        }
        #expect(cloud == edge)
    }
}
