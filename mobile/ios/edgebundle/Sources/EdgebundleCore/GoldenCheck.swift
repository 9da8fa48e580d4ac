/// Runs a golden of the bundle through a loaded variant and compares what comes out, as `builder verify` does.
public struct GoldenCheck: Sendable {
    private let files: BundleFiles
    private let reader: PictureReader

    public init(_ files: BundleFiles, reader: @escaping PictureReader) {
        (self.files, self.reader) = (files, reader)
    }

    /// Fills the inputs of a session with the golden's and runs it once.
    public func run(_ session: Session, _ golden: Golden) throws -> GoldenResult {
        try fill(session, golden)
        try session.run()
        return try compare(session, golden)
    }

    /// Fills the inputs of a session with the golden's.
    public func fill(_ session: Session, _ golden: Golden) throws {
        for input in golden.inputs {
            if input.isPicture {
                try session.setPicture(input.name, picture(input).argb)
            } else {
                try session.setValues(input.name, values(input))
            }
        }
    }

    /// Compares the present outputs of a session with what the golden expects of its variant: the worst of all outputs counts.
    public func compare(_ session: Session, _ golden: Golden) throws -> GoldenResult {
        guard let expected = golden.expected.first(where: { $0.variant == session.variant.id }), !expected.tensors.isEmpty else {
            throw BundleError("golden '\(golden.id)' says nothing of variant '\(session.variant.id)'; package the bundle again.")
        }
        var (worst, error) = (equalDb, 0.0)
        for tensor in expected.tensors {
            guard let spec = session.outputSpecs.first(where: { $0.name == tensor.name }) else {
                throw BundleError("golden '\(golden.id)' names the output '\(tensor.name)', which the model has not; package the bundle again.")
            }
            let wanted = tensor.isPicture ? try session.codec(tensor.name).logical(picture(tensor).argb) : try values(tensor)
            let actual = try actualValues(session, tensor, spec)
            guard actual.count == wanted.count else {
                throw BundleError("golden '\(golden.id)' has \(wanted.count) values for '\(tensor.name)', not \(actual.count); package the bundle again.")
            }
            worst = min(worst, psnrDb(actual, wanted, peak: peak(of: spec, wanted)))
            error = max(error, maxAbsError(actual, wanted))
        }
        return GoldenResult(id: golden.id, passed: worst >= expected.minPsnrDb, psnrDb: worst, maxAbsError: error, minPsnrDb: expected.minPsnrDb)
    }

    /// The pixels of a golden tensor that is a picture.
    public func picture(_ tensor: GoldenTensor) throws -> Pixels { try reader(files.data(tensor.file)) }

    /// The values of a golden tensor that is stored as floats, in logical order.
    public func values(_ tensor: GoldenTensor) throws -> [Float] { try files.floats(tensor.file) }

    /// The output as the golden's encoding holds it: 8-bit for `png`, so that like is compared with like.
    private func actualValues(_ session: Session, _ tensor: GoldenTensor, _ spec: TensorSpec) throws -> [Float] {
        guard tensor.isPicture else { return try session.values(tensor.name) }
        var argb = [UInt32](repeating: 0, count: spec.width * spec.height)
        try session.readPicture(tensor.name, into: &argb)
        return try session.codec(tensor.name).logical(argb)
    }
}
