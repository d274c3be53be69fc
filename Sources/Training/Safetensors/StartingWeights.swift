// Where a job starts that goes on from weights trained elsewhere, or from another job's result: the file's values under
// the model's names, velocities at 0. Who registers the job and who trains it come to the same digest.

extension Checkpoint {
    /// A split job's start from a safetensors file.
    public init(_ spec: ModelSpec, startingFrom file: [UInt8]) throws(SafetensorsError) {
        let network = try Network(spec, tensors: Safetensors(bytes: file))
        do {
            let (front, back) = try network.split()
            self.init(front: front, back: back)
        } catch {
            throw .model(error.description)
        }
    }
}

extension Network {
    /// A fog job's start from a safetensors file.
    public init(_ spec: ModelSpec, startingFrom file: [UInt8]) throws(SafetensorsError) {
        try self.init(spec, tensors: Safetensors(bytes: file), hasMomentum: false)
    }
}
