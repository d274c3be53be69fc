extension ModelSpec {
    /// The text form, which `ModelFiles` reads.
    public var yaml: String {
        var lines = [
            "input: [\(input.map(String.init).joined(separator: ", "))]", "classes: \(classes)",
        ]
        if initial != .he { lines.append("initial-weights: \(initial.name)") }
        lines.append("layers:")
        for (index, layer) in layers.enumerated() {
            if cut == index { lines.append("  - cut") }
            lines.append("  - \(layer.yaml)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension ModelLayer {
    fileprivate var yaml: String {
        func fields(_ name: String?, _ rest: String...) -> String {
            "\(kind): {" + ((name.map { ["name: \($0)"] } ?? []) + rest).joined(separator: ", ") + "}"
        }
        switch self {
        case .convolution(let layer):
            return fields(
                layer.name, "filters: \(layer.filters)", "kernel: \(layer.kernel.yaml)",
                "stride: \(layer.stride.yaml)", "padding: \(layer.padding.name)")
        case .averagePooling(let layer), .maximumPooling(let layer):
            return fields(nil, "size: \(layer.size.yaml)", "stride: \(layer.stride.yaml)")
        case .dense(let layer): return fields(layer.name, "units: \(layer.units)")
        case .activation, .flatten: return kind
        }
    }
}

extension Extent {
    fileprivate var yaml: String { height == width ? String(height) : "[\(height), \(width)]" }
}
