/// ReLU: what is greater than 0 passes, everything else becomes +0 (so do -0 and NaN).
public enum Rectifier {
    public static func forward(_ input: FloatTensor) -> FloatTensor {
        var output = input
        output.withMutableElements { buffer in
            for index in 0..<buffer.count {
                let value = buffer[index]
                buffer[index] = value > 0 ? value : 0
            }
        }
        return output
    }

    /// The gradient where the layer's `output` is greater than 0, and +0 elsewhere.
    public static func backward(gradient: FloatTensor, output: FloatTensor) throws(TensorError) -> FloatTensor {
        try output.zip(gradient, operand: "gradient") { $0 > 0 ? $1 : 0 }
    }
}
