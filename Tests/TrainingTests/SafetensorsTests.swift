import Cryptography
import Encoding
import Tensor
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct SafetensorsTests {
    private static func file(_ header: String, data: Int = 0, declaring length: Int? = nil) -> [UInt8] {
        let text = Array(header.utf8)
        let count = length ?? text.count
        return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + text
            + [UInt8](repeating: 0, count: data)
    }

    private static func entry(
        _ name: String = "a", type: String = "F32", shape: String = "[2]", offsets: String = "[0,8]"
    ) -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let content = Safetensors(
            tensors: [
                .init(name: "b.weight", shape: [2, 3], values: [1, -0.0, 3.5, .leastNonzeroMagnitude, -5, 6]),
                .init(name: "scalar", shape: [], values: [7]), .init(name: "a \"quoted\" \u{1F600}\n", shape: [1], values: [8]),
            ], metadata: ["z": "last", "format": "pt", "text": "line\nwith \\ and \u{1}"])
        let bytes = content.bytes
        #expect(try Safetensors(bytes: bytes) == content)
        #expect(try Safetensors(bytes: bytes).bytes == bytes)
        #expect(bytes.count % 4 == 0)
        #expect(try Safetensors(bytes: Safetensors(tensors: []).bytes).tensors.isEmpty)
    }

    /// A file as the public library writes it: safetensors 0.4 by `save_file({"b": ..., "a": ...}, ..., {"format": "pt"})`
    /// orders by type and name, and ends the header with spaces.
    @Test func filesOfThePublicLibraryAreRead() throws {
        let header =
            "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[4,12]}}     "
        let read = try Safetensors(bytes: Self.file(header, data: 12))
        #expect(read.metadata == ["format": "pt"])
        #expect(read.tensors.map(\.name) == ["a", "b"])
        #expect(read.tensors.map(\.shape) == [[1], [2, 1]])
        let escaped = try Safetensors(
            bytes: Self.file("{ \"\\u0061\\ud83d\\ude00\\/\" : {\"shape\" : [ ], \"data_offsets\":[0, 4],\"dtype\":\"F32\"} }", data: 4))
        #expect(escaped.tensors.map(\.name) == ["a\u{1F600}/"])
    }

    @Test(arguments: [
        ([], SafetensorsError.truncated(needed: 8, found: 0)),
        (file("{}", declaring: 3), .truncated(needed: 11, found: 10)),
        (file("{}", declaring: Int.max), .headerTooLong(UInt64(Int.max), limit: 1 << 20)),
        (file("{}", declaring: -1), .headerTooLong(.max, limit: 1 << 20)),
        (file("{}", data: 1), .coverage(at: 0)),
        (file(""), .header("it does not begin with '{'", at: 0)),
        (file(" {}"), .header("it does not begin with '{'", at: 0)),
        (file("{} x"), .header("something follows the closing '}'", at: 3)),
        (file("{"), .header("expected a text in quotes", at: 1)),
        (file("{\"a"), .header("a text has no end", at: 3)),
        (file("{\"a\":1}"), .header("expected '{'", at: 5)),
        (file("{\"a\":{}}"), .header("'a' needs dtype, shape and two data_offsets", at: 7)),
        (file("{" + entry(offsets: "[0,8,8]") + "}", data: 8), .header("a list of more than 2 numbers", at: 52)),
        (file("{" + entry(offsets: "[0]") + "}", data: 8), .header("'a' needs dtype, shape and two data_offsets", at: 51)),
        (file("{" + entry(shape: "[-2]") + "}", data: 8), .header("expected a whole number that is not negative", at: 29)),
        (file("{" + entry(shape: "[02]") + "}", data: 8), .header("expected a whole number that is not negative", at: 31)),
        (file("{" + entry(shape: "[2e0]") + "}", data: 8), .header("expected ']'", at: 30)),
        (
            file("{" + entry(shape: "[99999999999999999999]") + "}", data: 8),
            .header("a number too large to be one of a file", at: 47)
        ),
        (file("{" + entry(shape: "[9223372036854775807,2]") + "}", data: 8), .shape([Int.max, 2], of: "a")),
        (file("{" + entry(shape: "[0]", offsets: "[0,0]") + "}"), .shape([0], of: "a")),
        (file("{" + entry(shape: "[1,1,1,1,1,1,1,1,2]") + "}", data: 8), .header("a list of more than 8 numbers", at: 45)),
        (file("{" + entry(type: "F16", shape: "[4]") + "}", data: 8), .type("F16", of: "a")),
        (file("{" + entry() + "," + entry() + "}", data: 16), .duplicateName("a")),
        (file("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"), .duplicateName("k")),
        (file("{\"__metadata__\":{\"k\":1}}"), .header("expected a text in quotes", at: 21)),
        (file("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}"), .duplicateName("a.dtype")),
        (file("{\"a\":{\"type\":\"F32\"}}"), .header("'a' has an unknown field 'type'", at: 13)),
        // Lying offsets and lengths.
        (file("{" + entry(offsets: "[8,0]") + "}", data: 8), .offsets(begin: 8, end: 0, of: "a")),
        (file("{" + entry(offsets: "[0,16]") + "}", data: 8), .offsets(begin: 0, end: 16, of: "a")),
        (file("{" + entry(offsets: "[0,4]") + "}", data: 8), .offsets(begin: 0, end: 4, of: "a")),
        (
            file("{" + entry(offsets: "[9223372036854775799,9223372036854775807]") + "}", data: 8),
            .offsets(begin: Int.max - 8, end: Int.max, of: "a")
        ),
        (file("{" + entry() + "}", data: 12), .coverage(at: 8)),
        (file("{" + entry(offsets: "[4,12]") + "}", data: 12), .coverage(at: 0)),
        (file("{" + entry() + "," + entry("b", offsets: "[4,12]") + "}", data: 12), .coverage(at: 4)),
        (file("{" + entry() + "," + entry("b", offsets: "[0,8]") + "}", data: 8), .coverage(at: 0)),
        (file("{" + entry() + "," + entry("b", offsets: "[12,20]") + "}", data: 20), .coverage(at: 8)),
        (file("{\"\\ud800\":{}}"), .header("half of a surrogate pair", at: 8)),
        (file("{\"\\u00g0\":{}}"), .header("\\u needs four hexadecimal digits", at: 6)),
        (file("{\"\\q\":{}}"), .header("an unknown escape in a text", at: 4)),
    ] as [([UInt8], SafetensorsError)])
    func liesAreRefusedByName(bytes: [UInt8], expected: SafetensorsError) {
        #expect(throws: expected) { try Safetensors(bytes: bytes) }
    }

    @Test func tooManyTensorsAreRefused() {
        let many = (0...1_024).map { Self.entry("t\($0)", shape: "[]", offsets: "[0,4]") }.joined(separator: ",")
        #expect(throws: SafetensorsError.tooManyTensors(limit: 1_024)) {
            try Safetensors(bytes: Self.file("{\(many)}", data: 4))
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>) func damagedFilesNeverTrap(seed: UInt64) throws {
        let bytes = try SavedModel(Network(NetworkTests.varied, seed: testSeed)).file
        let header = 8 + Int(bytes[0]) + Int(bytes[1]) << 8
        var stream = RandomStream(key: seed)
        for _ in 0..<1_500 {
            var damaged = bytes
            for _ in 0...stream.nextIndex(below: 3) {
                damaged[stream.nextIndex(below: header)] = UInt8(stream.nextIndex(below: 256))
            }
            if stream.nextIndex(below: 4) == 0 { damaged.removeLast(stream.nextIndex(below: damaged.count)) }
            // Some damage is to metadata that nobody reads.
            if let model = try? SavedModel(file: damaged) { #expect(model.network.isFinite) }
        }
    }

    // MARK: Models

    @Test func modelsOfBothProtocolsComeBackWithTheChainsDigest() throws {
        let (x, labels) = try NetworkTests.batch(NetworkTests.varied, samples: 20, key: 31)
        var network = try Network(NetworkTests.varied, seed: testSeed)
        _ = try network.train(x, labels: labels, optimiser: MomentumSGD(learningRate: 0.1, momentum: 0.9))
        let whole = try SavedModel(network)
        #expect(whole.digest == network.weightsDigest)
        let (front, back) = try network.split()
        let checkpoint = Checkpoint(front: front, back: back)
        let split = try SavedModel(checkpoint)
        #expect(split.digest == checkpoint.digest)
        for model in [whole, split] {
            let read = try SavedModel(file: model.file, expecting: model.digest)
            #expect(read.network.parameters == network.parameters)
            #expect(read.network.spec == network.spec)
            #expect(read.file == model.file)
        }
        #expect(throws: SafetensorsError.digest(expected: split.digest.hex, found: whole.digest.hex)) {
            try SavedModel(file: whole.file, expecting: split.digest)
        }
        #expect(throws: TrainingError.self) { try SavedModel(front) }
    }

    @Test func aChangedValueIsFoundByItsManifest() throws {
        var bytes = try SavedModel(Network(NetworkTests.varied, seed: testSeed)).file
        bytes[bytes.count - 3] ^= 1
        #expect(throws: SafetensorsError.manifest("a tensor has another digest")) { try SavedModel(file: bytes) }
        bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0xFF])
        #expect(throws: SafetensorsError.notFinite("12.bias")) { try SavedModel(file: bytes) }
    }

    @Test func aManifestOfAnotherModelIsRefused() throws {
        let own = try SavedModel(Network(NetworkTests.varied, seed: testSeed))
        let content = try Safetensors(bytes: own.file)
        func variant(_ manifest: String?) -> [UInt8] {
            var metadata = content.metadata
            metadata["edgeproof.manifest"] = manifest
            return Safetensors(tensors: content.tensors, metadata: metadata).bytes
        }
        func hex(_ manifests: [NetworkManifest]) -> String {
            var encoder = BorshEncoder()
            encoder.array(manifests)
            return Hexadecimal.encode(encoder.bytes)
        }
        let other = NetworkManifest(try Network(LeNet5.spec, seed: testSeed))
        let front = NetworkManifest(try Network(NetworkTests.varied, part: .front, seed: testSeed))
        for manifest in [nil, "", "xy", "00", hex([]), hex([other]), hex([front]), hex([front, front])] {
            #expect(throws: SafetensorsError.self, "\(manifest ?? "none")") { try SavedModel(file: variant(manifest)) }
        }
        #expect(throws: Never.self) { try SavedModel(file: variant(hex(own.manifests))) }
    }

    @Test func weightsTrainedElsewhereStartAJob() throws {
        let network = try Network(NetworkTests.varied, seed: testSeed)
        let tensors = network.namedTensors
        // Another order, and no manifest.
        let file = Safetensors(tensors: tensors.reversed()).bytes
        let read = try Network(NetworkTests.varied, tensors: Safetensors(bytes: file))
        #expect(read == network)
        func refused(_ changed: [Safetensors.Tensor]) -> SafetensorsError? {
            do {
                _ = try Network(NetworkTests.varied, tensors: Safetensors(tensors: changed))
                return nil
            } catch { return error }
        }
        #expect(refused(Array(tensors.dropFirst())) == .missing("a.weight"))
        #expect(refused(tensors + [.init(name: "extra", shape: [1], values: [1])]) == .unexpected("extra"))
        let turned = Safetensors.Tensor(name: "a.weight", shape: [2, 5, 3, 3], values: tensors[0].values)
        #expect(
            refused([turned] + tensors.dropFirst())
                == .wrongShape("a.weight", expected: [5, 2, 3, 3], found: [2, 5, 3, 3]))
        let poisoned = Safetensors.Tensor(name: "a.bias", shape: [5], values: [1, 2, .infinity, 4, 5])
        #expect(refused([tensors[0], poisoned] + tensors.dropFirst(2)) == .notFinite("a.bias"))
    }
}
