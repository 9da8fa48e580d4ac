import Foundation

/// Runs a golden of the bundle through a loaded variant and compares what comes out, as `builder verify` does.
///
/// A golden that is damaged, cut, too long or incomplete is never compared: each function throws `BundleError` for it
/// (docs/sdk-rules.md, "Damaged goldens").
public struct GoldenCheck: Sendable {
    private let files: BundleFiles
    private let reader: PictureReader
    private let hashes: [String: String]

    /// `hashes` are those of the manifest, by path.
    public init(_ files: BundleFiles, reader: @escaping PictureReader, hashes: [String: String]) {
        (self.files, self.reader, self.hashes) = (files, reader, hashes)
    }

    /// Fills the inputs of a session with the golden's and runs it once.
    public func run(_ session: Session, _ golden: Golden) throws -> GoldenResult {
        try fill(session, golden)
        try session.run()
        return try compare(session, golden)
    }

    /// Fills the inputs of a session with the golden's.
    public func fill(_ session: Session, _ golden: Golden) throws {
        for spec in session.inputSpecs {
            guard let tensor = golden.inputs.first(where: { $0.name == spec.name }) else {
                throw damaged(golden, "it has no input '\(spec.name)'")
            }
            if tensor.isPicture {
                try session.setPicture(spec.name, picture(tensor, spec).argb)
            } else {
                try session.setValues(spec.name, values(tensor, spec))
            }
        }
    }

    /// Compares the present outputs of a session with what the golden expects of its variant: the worst of all outputs
    /// counts.
    public func compare(_ session: Session, _ golden: Golden) throws -> GoldenResult {
        guard let expected = golden.expected.first(where: { $0.variant == session.variant.id }) else {
            throw damaged(golden, "it says nothing of variant '\(session.variant.id)'")
        }
        if expected.tensors.isEmpty { throw damaged(golden, "it expects nothing") }
        var (worst, error) = (equalDb, 0.0)
        for tensor in expected.tensors {
            guard let spec = session.outputSpecs.first(where: { $0.name == tensor.name }) else {
                throw damaged(golden, "the network has no output '\(tensor.name)'")
            }
            let wanted =
                tensor.isPicture
                ? try session.codec(of: tensor.name).logical(expectedPicture(tensor, spec).argb)
                : try values(tensor, spec)
            let actual = try actualValues(session, tensor, spec)
            worst = min(worst, psnrDb(actual, wanted, peak: peak(of: spec, wanted)))
            error = max(error, maxAbsError(actual, wanted))
        }
        return GoldenResult(
            id: golden.id, passed: worst >= expected.minPsnrDb, psnrDb: worst, maxAbsError: error,
            minPsnrDb: expected.minPsnrDb)
    }

    /// The pixels of a golden tensor that is a picture of exactly this size.
    public func picture(_ tensor: GoldenTensor, _ spec: TensorSpec) throws -> Pixels {
        if tensor.isSparse {
            throw BundleError("\(tensor.file) is a sparse picture, which no input can be; package the bundle again.")
        }
        return try picture(tensor, spec, spec.width, spec.height)
    }

    /// What an output must give: a picture, or the sparse picture of one.
    private func expectedPicture(_ tensor: GoldenTensor, _ spec: TensorSpec) throws -> Pixels {
        if !tensor.isSparse { return try picture(tensor, spec) }
        return try picture(tensor, spec, sparseSize(spec.width), sparseSize(spec.height))
    }

    private func picture(_ tensor: GoldenTensor, _ spec: TensorSpec, _ width: Int, _ height: Int) throws -> Pixels {
        let picture = try reader(whole(tensor))
        guard spec.isPicture, picture.width == width, picture.height == height else {
            throw BundleError(
                "\(tensor.file) is a picture of \(picture.width) x \(picture.height) pixels and '\(spec.name)' has the shape \(spec.shape); package the bundle again."
            )
        }
        return picture
    }

    /// The values of a golden tensor that is stored as floats, in logical order.
    public func values(_ tensor: GoldenTensor, _ spec: TensorSpec) throws -> [Float] {
        let data = try whole(tensor)
        guard data.count == 4 * spec.count else {
            throw BundleError(
                "\(tensor.file) has \(data.count) bytes and '\(spec.name)' takes \(spec.count) values of 4; package the bundle again."
            )
        }
        return floats(data)
    }

    /// The bytes of a golden's file, as the manifest has its hash.
    private func whole(_ tensor: GoldenTensor) throws -> Data {
        let data = try files.data(tensor.file)
        guard sha256(data) == hashes[tensor.file] else {
            throw BundleError("\(tensor.file) does not have the hash in the manifest; install the app again.")
        }
        return data
    }

    /// The output as the golden's encoding holds it: 8-bit for pictures, so that like is compared with like.
    private func actualValues(_ session: Session, _ tensor: GoldenTensor, _ spec: TensorSpec) throws -> [Float] {
        guard tensor.isPicture else { return try session.values(tensor.name) }
        var argb = [UInt32](repeating: 0, count: spec.width * spec.height)
        try session.readPicture(tensor.name, into: &argb)
        let compared = tensor.isSparse ? sparsePixels(argb, width: spec.width, height: spec.height) : argb
        return try session.codec(of: tensor.name).logical(compared)
    }

    private func damaged(_ golden: Golden, _ how: String) -> BundleError {
        BundleError("golden '\(golden.id)' cannot be used: \(how); package the bundle again.")
    }
}
