import Foundation

/// Opens variants of a bundle: hash verified, artifact loaded in its engine, golden checked.
public struct ModelLoader: Sendable {
    public static let manifestName = "manifest.json"
    public let files: BundleFiles
    /// Identity of the bundle: the hash of its manifest.
    public let bundleSha256: String
    public let manifest: Manifest
    public let goldens: GoldenCheck
    private let engines: [String: any EngineFactory]

    /// Reads the manifest of the bundle in `root`. Throws `BundleError`.
    public init(root: URL, reader: @escaping PictureReader, engines: [String: any EngineFactory]) throws {
        files = BundleFiles(root: root)
        let data = try files.data(Self.manifestName)
        bundleSha256 = sha256(data)
        manifest = try Manifest.read(data)
        goldens = GoldenCheck(files, reader: reader)
        self.engines = engines
    }

    /// The variants that this app has an engine for, in order of preference.
    public var variants: [Variant] { manifest.variants.filter { engines[engineKey($0)] != nil } }

    /// The variants that this app has an engine for, in the order in which this device tries them.
    public func choose(_ facts: DeviceFacts) -> VariantChoice { chooseVariants(manifest, engines: Set(engines.keys), facts: facts) }

    /// Loads one variant without running it. Throws `BundleError` naming it and the reason.
    public func load(_ variant: Variant) async throws -> sending Session {
        guard let factory = engines[engineKey(variant)] else {
            throw BundleError("variant '\(variant.id)' needs \(variant.backend) with \(variant.delegate), which this app does not carry.")
        }
        let artifact = files.url(variant.file)
        if try treeSha256(artifact) != variant.sha256 {
            throw BundleError("\(variant.file) of variant '\(variant.id)' does not have the hash in the manifest; install the app again.")
        }
        return try Session(manifest: manifest, variant: variant, engine: try await factory.open(variant, artifact))
    }

    /// Loads and warms up the first of `order` that works, telling `report` why each earlier one does not.
    ///
    /// `verified` says that a variant has passed its goldens on this device before, `passed` is told when one does.
    public func loadFirst(
        _ order: [Variant], verified: (Session) -> Bool, passed: (Session) -> Void, report: (String) -> Void
    ) async throws -> sending Session {
        for variant in order {
            try Task.checkCancellation()
            do {
                let session = try await load(variant)
                if let problem = try problem(session, verified: verified(session)) {
                    report(problem)
                } else {
                    passed(session)
                    return session
                }
            } catch let error as BundleError {
                report("\(error.message) The next variant is tried.")
            }
        }
        let known = manifest.variants.map(\.id).joined(separator: ", ")
        throw BundleError("no variant of the bundle works on this device; it has \(known), see the earlier messages.")
    }

    /// Why a loaded variant may not be used, found by running it; a run also warms it up.
    private func problem(_ session: Session, verified: Bool) throws -> String? {
        if verified {
            try session.run()
            return nil
        }
        let own = manifest.goldens(of: session.variant)
        if own.isEmpty && !manifest.goldens.isEmpty {
            return "no golden says anything of variant '\(session.variant.id)'; the next variant is tried."
        }
        for golden in own {
            let result = try goldens.run(session, golden)
            if !result.passed {
                return "variant '\(session.variant.id)' fails golden '\(golden.id)' (\(result.inWords)); the next variant is tried."
            }
        }
        return nil
    }
}
