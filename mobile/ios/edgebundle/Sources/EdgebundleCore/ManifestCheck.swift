/// What must hold in a manifest beyond its fields being there, so that no later step meets a number that it cannot use.
extension Manifest {
    /// Larger than any tensor that a phone holds: 2^29 values are 2 GB.
    private static let mostValues = 1 << 29
    private static let colours = 3

    /// Throws `BundleError` naming the first thing that is wrong.
    func check() throws {
        for path in variants.map(\.file) + goldenTensors.map(\.file) where !isInside(path) {
            throw wrong("it names '\(path)', which is not a path inside the bundle")
        }
        for spec in inputs + outputs { try check(spec) }
        try checkUnique("variant", variants.map(\.id))
        try checkUnique("input", inputs.map(\.name))
        try checkUnique("output", outputs.map(\.name))
        for golden in goldens {
            for expected in golden.expected where !(expected.minPsnrDb > 0) {
                throw wrong("golden '\(golden.id)' asks for \(expected.minPsnrDb) dB, which every picture has")
            }
        }
        for variant in variants {
            try check(variant, "inputs", inputs, variant.inputs)
            try check(variant, "outputs", outputs, variant.outputs)
        }
    }

    private var goldenTensors: [GoldenTensor] {
        goldens.flatMap { golden in golden.inputs + golden.expected.flatMap(\.tensors) }
    }

    private func isInside(_ path: String) -> Bool {
        let leaves =
            path.isEmpty || path.hasPrefix("/") || path.contains("\\") || path.contains(":") || path.contains("\0")
        return !leaves && !path.split(separator: "/").contains("..")
    }

    private func check(_ spec: TensorSpec) throws {
        try check(spec.name, spec.shape)
        if spec.isImage && spec.shape.count != 4 { throw wrong("'\(spec.name)' is an image of shape \(spec.shape)") }
        if let range = spec.range, range.count != 2 || !(range[0] < range[1]) || !(range[1] - range[0]).isFinite {
            throw wrong("'\(spec.name)' has the range \(range)")
        }
        if let mean = spec.mean, spec.isImage && mean.count != Self.colours {
            throw wrong("'\(spec.name)' has the mean \(mean)")
        }
        if let std = spec.std, spec.isImage && (std.count != Self.colours || std.contains(0)) {
            throw wrong("'\(spec.name)' has the deviation \(std)")
        }
    }

    private func check(_ variant: Variant, _ what: String, _ specs: [TensorSpec], _ bindings: [Binding]) throws {
        guard bindings.map(\.name).sorted() == specs.map(\.name).sorted(),
            bindings.map(\.index).sorted() == Array(bindings.indices)
        else {
            let has = bindings.map { "\($0.index) \($0.name)" }.joined(separator: ", ")
            throw wrong(
                "variant '\(variant.id)' has the \(what) \(has), and the network \(specs.map(\.name).joined(separator: ", "))"
            )
        }
        for binding in bindings {
            try check(binding.name, binding.shape)
            guard let spec = specs.first(where: { $0.name == binding.name }) else { continue }
            let needsFour = binding.layout == .nhwc || binding.layout == .image || spec.isImage
            if needsFour && binding.shape.count != 4 {
                throw wrong(
                    "'\(binding.name)' of variant '\(variant.id)' is \(binding.layout.rawValue) of shape \(binding.shape)"
                )
            }
            // A variant may have pictures of another size, and nothing else of another.
            let fits =
                spec.isImage
                ? Array(binding.logicalShape.prefix(2)) == Array(spec.shape.prefix(2)) : binding.count == spec.count
            if !fits {
                throw wrong(
                    "'\(binding.name)' of variant '\(variant.id)' has the shape \(binding.shape), and the network's \(spec.shape)"
                )
            }
        }
    }

    private func check(_ name: String, _ shape: [Int]) throws {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            if size <= 0 || overflow || product > Self.mostValues { throw wrong("'\(name)' has the shape \(shape)") }
            count = product
        }
    }

    private func checkUnique(_ what: String, _ names: [String]) throws {
        var seen: Set<String> = []
        if let twice = names.first(where: { !seen.insert($0).inserted }) {
            throw wrong("two \(what)s are named '\(twice)'")
        }
    }

    private func wrong(_ how: String) -> BundleError {
        BundleError("manifest.json is not a valid manifest (\(how)); package the bundle again.")
    }
}
