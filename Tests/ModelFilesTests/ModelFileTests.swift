import Foundation
import ModelFiles
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct ModelFileTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Models")

    private static func repository(_ name: String) throws -> ModelSpec {
        try ModelFile.read(String(contentsOf: folder.appending(path: "\(name).yaml"), encoding: .utf8))
    }

    @Test func theRepositorysFilesAreTheModelsOfThePapers() throws {
        #expect(try Self.repository("lenet5") == LeNet5.spec)
        let mlp = try Self.repository("fog-mlp")
        #expect(try mlp.shapes == [[3072], [1024], [1024], [256], [256], [128], [128], [10]])
        // 3,072 x 1,024 + 1,024 x 256 + 256 x 128 + 128 x 10, and the biases.
        #expect(try mlp.parameterCount == 3_145_728 + 262_144 + 32_768 + 1_280 + 1_418)
        let cnn = try Self.repository("fog-cnn")
        #expect(try cnn.shapes.last == [10])
        #expect(try cnn.tensors.map(\.shape) == [
            [256, 3, 3, 3], [256], [128, 256, 3, 3], [128], [64, 128, 3, 3], [64], [10, 1024], [10],
        ])
        for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder.path) where name.hasSuffix("yaml") {
            let spec = try Self.repository(String(name.dropLast(5)))
            #expect(spec.problem == nil)
            #expect(try ModelFile.read(spec.yaml) == spec, "\(name)")
        }
    }

    @Test func everyKindOfLayerIsWrittenAndRead() throws {
        let spec = ModelSpec(
            input: [2, 12, 11],
            layers: [
                .convolution(
                    ConvolutionLayer(
                        name: "a", filters: 5, kernel: Extent(height: 3, width: 2),
                        stride: Extent(height: 1, width: 2))),
                .activation(.tanh), .convolution(ConvolutionLayer(filters: 2, kernel: Extent(3), padding: .same)),
                .maximumPooling(PoolingLayer(size: Extent(height: 3, width: 2), stride: Extent(1))),
                .activation(.scaledTanh), .averagePooling(PoolingLayer(size: Extent(2))), .activation(.sigmoid), .flatten,
                .dense(DenseLayer(name: "b", units: 9)), .activation(.relu), .dense(DenseLayer(units: 4)),
            ], classes: 4, cut: 2, initial: .narrow)
        #expect(spec.problem == nil)
        #expect(try ModelFile.read(spec.yaml) == spec)
        #expect(try ModelFile.read(spec.yaml.replacingOccurrences(of: "narrow", with: "he")).initial == .he)
    }

    private static func text(layers: String) -> String { "input: [1, 8, 8]\nclasses: 2\nlayers:\n\(layers)" }
    private static let end = "  - flatten\n  - dense: {units: 2}\n"

    @Test(arguments: [
        ("", nil, "empty"),
        ("- a", 1, "needs fields"),
        ("input: [1, 8", nil, "not YAML"),
        ("classes: 2\nlayers: []", 1, "needs 'input'"),
        ("input: 4\nclasses: 2\ninitial-weights: wide\nlayers: []", 1, "no initial weights 'wide'"),
        ("input: 4\nclasses: two\nlayers: []", 2, "'classes' must be a whole number"),
        ("input: 4\nclasses: 2\nlayers: relu", 3, "must be a list"),
        ("input: 4\nclasses: 2\nlayers: []\nlayers: []", nil, "a field twice: layers"),
        ("input: 4\nclasses: 2\ncut: 1\nlayers: []", 3, "has no 'cut'"),
        (text(layers: "  - relue\n" + end), 4, "no layer 'relue'"),
        (text(layers: "  - flatten\n  - relu: {slope: 1}\n"), 5, "no layer 'relu' with sizes"),
        (text(layers: "  - convolution: {filters: 2, kernel: 3, strid: 1}\n" + end), 4, "has no 'strid'"),
        (text(layers: "  - convolution: {filters: 2}\n" + end), 4, "needs 'kernel'"),
        (text(layers: "  - convolution: {filters: 2, kernel: [1, 2, 3]}\n" + end), 4, "[height, width]"),
        (text(layers: "  - convolution: {filters: 2, kernel: 3, padding: full}\n" + end), 4, "no padding 'full'"),
        (text(layers: "  - convolution: {filters: 2.5, kernel: 3}\n" + end), 4, "whole number"),
        (text(layers: "  - convolution: {filters: 2, kernel: 3, name: [a]}\n" + end), 4, "must be a word"),
        (text(layers: "  - convolution: {filters: 2, kernel: 9}\n" + end), nil, "larger than its input"),
        (text(layers: "  - cut\n  - cut\n" + end), 5, "second cut"),
        (text(layers: end + "  - dense: {units: 3}\n"), nil, "the last layer gives 3"),
        (text(layers: String(repeating: "  - relu\n", count: 70) + end), 4, "more than 64 layers"),
        (String(repeating: "# long\n", count: 3_000), nil, "longer than"),
    ] as [(String, Int?, String)])
    func mistakesAreNamedWithTheirLine(text: String, line: Int?, reason: String) {
        do {
            let spec = try ModelFile.read(text)
            Issue.record("read as \(spec)")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
            if let line { #expect(error.line == line, "\(error)") }
        }
    }
}
