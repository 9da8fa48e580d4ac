#if canImport(CoreML) && canImport(CoreGraphics)
    @preconcurrency import CoreGraphics
    import Foundation

    /// An image network of a bundle: a picture in; a picture, labels or other values out.
    ///
    ///     let model = try await ImageModel.open()
    ///     let image = try await model.process(cgImage)
    ///
    /// `process` and `processLarge` are for networks that give a picture, `classify` for classifiers, `run` for every
    /// output of any network.
    ///
    /// Calls from anywhere are taken one after the other, and the network computes on a thread of its own. A call is
    /// cancelled with the task that makes it: while it waits for its turn, before the network runs, or at its next
    /// tile.
    ///
    /// Transparent parts of pictures are composed on white; results are opaque and in sRGB. A `CGImage` does not know
    /// how the camera was held: pass the orientation, or the `UIImage` itself.
    public final class ImageModel: Sendable {
        /// The variant in use.
        public let variant: String
        /// The compute units that the variant asks for. Which ones Core ML takes is told by `execution`.
        public let delegate: String
        /// Each variant that was passed over when the model was opened, and why.
        public let tried: [Tried]
        /// What an engineer should know of the choice of the variant: `tried` in sentences, and what could not be
        /// checked.
        public let messages: [String]
        /// The picture that the network takes: pictures of any size are fitted to it.
        public let input: TensorSpec
        /// All that the network gives.
        public let outputs: [TensorSpec]
        /// The picture that `process` gives, nil for a network that gives none.
        public let output: TensorSpec?
        /// Names and lengths of the style vectors that the network takes beside the picture.
        public let styles: [String: Int]
        private let modelName: String
        private let calls = CallQueue()
        private let worker: NetworkWorker

        /// Opens the app's `bundle` of that name (`BundleLocation.names` tells them), its only one, or the one in
        /// `file`, a folder or a `.zip`: the first variant, in the order that suits this device, whose hash is right,
        /// which Core ML loads and which passes its goldens (checked once per bundle, app and system). `variant` names
        /// one to be tried before the others. Several models, of one bundle or of several, may be open at once. Throws
        /// `BundleError` when no variant works, the network takes no picture, or the app carries no bundle of that
        /// name, or several and none was named; `CancellationError` with its task.
        public static func open(
            bundle: String? = nil, variant: String? = nil, file: URL? = nil,
            engines: [String: any EngineFactory] = ImageModel.engines
        ) async throws -> ImageModel {
            let loader = try loader(bundle: bundle, file: file, engines: engines)
            guard loader.manifest.inputs.contains(where: \.isPicture) else {
                throw BundleError(
                    "model '\(loader.manifest.model.name)' takes no picture; use ModelLoader and Session.")
            }
            let choice = try loader.choose(DeviceState.facts(), wished: variant)
            let opener = VariantOpener(loader, memory: try Folders.memory(loader))
            var tried: [Tried] = []
            let session = try await opener.first(choice.order) { tried.append($0) }
            return try ImageModel(
                session, loader, tried: tried, messages: choice.messages + tried.map(\.description) + opener.notes)
        }

        /// The engines of this library: Core ML with each of its compute units.
        public static var engines: [String: any EngineFactory] { CoreMLFactory.all }

        /// The loader of the bundle that `open` would open.
        public static func loader(
            bundle: String? = nil, file: URL? = nil, engines: [String: any EngineFactory] = ImageModel.engines
        ) throws -> ModelLoader {
            guard bundle == nil || file == nil else {
                throw BundleError("a bundle is opened by its name or from a file, not by both.")
            }
            return try ModelLoader(
                root: try file.map(BundleFile.folder) ?? BundleLocation.find(bundle), reader: PictureIO.reader,
                engines: engines)
        }

        private init(_ session: sending Session, _ loader: ModelLoader, tried: [Tried], messages: [String]) throws {
            guard let input = session.inputSpecs.first(where: \.isPicture) else {
                throw BundleError("model '\(loader.manifest.model.name)' takes no picture.")
            }
            (self.input, outputs, modelName) = (input, session.outputSpecs, loader.manifest.model.name)
            output = outputs.first(where: \.isPicture)
            (variant, delegate) = (session.variant.id, session.variant.delegate)
            (self.tried, self.messages) = (tried, messages)
            let others = session.inputSpecs.filter { $0.name != input.name }
            styles = Dictionary(others.map { ($0.name, $0.count) }) { $1 }
            // At first a style is that of the bundle's own test picture.
            for tensor in loader.manifest.goldens(of: session.variant).first?.inputs ?? [] {
                guard let spec = others.first(where: { $0.name == tensor.name }) else { continue }
                if tensor.isPicture {
                    try session.setPicture(spec.name, loader.goldens.picture(tensor, spec).argb)
                } else {
                    try session.setValues(spec.name, loader.goldens.values(tensor, spec))
                }
            }
            worker = NetworkWorker(session, input: input, output: output)
        }

        /// Sets a style vector, for all later pictures. Throws `BundleError` for an unknown name or another length.
        public func setStyle(_ name: String, _ values: [Float]) async throws {
            guard let wanted = styles[name] else {
                let known = styles.isEmpty ? "none" : styles.keys.sorted().joined(separator: ", ")
                throw BundleError("model '\(modelName)' has no style '\(name)'; it has \(known).")
            }
            guard values.count == wanted else {
                throw BundleError("style '\(name)' has \(wanted) values, not \(values.count).")
            }
            try await calls.run { try await worker.setValues(name, values) }
        }

        /// The picture as the network renders it, at the size of `output`; `image` may have any size and is fitted as
        /// the manifest says. `strength` 0..1 mixes it with the original. Throws `BundleError` for a picture or a
        /// strength that cannot be used.
        public func process(
            _ image: CGImage, orientation: PictureOrientation = .up, strength: Float = 1,
            isolation: isolated (any Actor)? = #isolation
        ) async throws -> sending CGImage {
            let (source, weight) = (Photo(image, orientation), try Blend.weight(strength))
            _ = try picture()
            return try await calls.run { try await worker.process(source, weight) }.image
        }

        /// The whole picture in its own size (times the network's own factor), rendered in overlapping tiles. A picture
        /// for which there is not enough memory is reduced first: compare the result's size. `progress` is told how
        /// many tiles are done, on the network's thread.
        public func processLarge(
            _ image: CGImage, orientation: PictureOrientation = .up, strength: Float = 1,
            isolation: isolated (any Actor)? = #isolation,
            progress: @escaping @Sendable (_ done: Int, _ tiles: Int) -> Void = { _, _ in }
        ) async throws -> sending CGImage {
            let (source, weight) = (Photo(image, orientation), try Blend.weight(strength))
            let output = try picture()
            return try await calls.run { try await worker.processLarge(source, weight, output, progress) }.image
        }

        /// What a classifier sees in the picture: the `most` labels with the highest scores, best first. Throws
        /// `BundleError` for a network without labels.
        public func classify(
            _ image: CGImage, orientation: PictureOrientation = .up, most: Int = 5,
            isolation: isolated (any Actor)? = #isolation
        ) async throws -> [ScoredLabel] {
            guard let spec = outputs.first(where: { $0.labels != nil }) else {
                throw BundleError("model '\(modelName)' has no labels; use run.")
            }
            let values = try await run(image, orientation: orientation)[spec.name] ?? []
            return labels(of: values, names: spec.labels ?? [], most: most)
        }

        /// Every output of the network for the picture, by its name, in the order and range of the source model (NCHW).
        public func run(
            _ image: CGImage, orientation: PictureOrientation = .up, isolation: isolated (any Actor)? = #isolation
        ) async throws -> [String: [Float]] {
            let source = Photo(image, orientation)
            return try await calls.run { try await worker.run(source) }
        }

        /// What executes the network, by Core ML's own plan (from iOS 17.4 on). Takes as long as loading the model did.
        public func execution() async -> Execution { await worker.execution() }

        /// Pixels of exactly the network's input to pixels of exactly its output.
        func rendered(_ pixels: [UInt32]) async throws -> [UInt32] {
            try await calls.run { try await worker.rendered(pixels) }
        }

        /// The picture that the network gives. Throws `BundleError` when there is none.
        func picture() throws -> TensorSpec {
            if let output { return output }
            throw BundleError(
                "model '\(modelName)' gives no picture, but \(outputs.map(\.name).joined(separator: ", ")); use classify or run."
            )
        }
    }

    /// The name that `ImageModel` has for networks that change a picture's style.
    public typealias StyleModel = ImageModel

    extension ImageModel {
        /// `process` under the name for networks that change a picture's style.
        public func stylize(
            _ image: CGImage, orientation: PictureOrientation = .up, strength: Float = 1,
            isolation: isolated (any Actor)? = #isolation
        ) async throws -> sending CGImage { try await process(image, orientation: orientation, strength: strength) }

        /// `processLarge` under the name for networks that change a picture's style.
        public func stylizeLarge(
            _ image: CGImage, orientation: PictureOrientation = .up, strength: Float = 1,
            isolation: isolated (any Actor)? = #isolation,
            progress: @escaping @Sendable (_ done: Int, _ tiles: Int) -> Void = { _, _ in }
        ) async throws -> sending CGImage {
            try await processLarge(image, orientation: orientation, strength: strength, progress: progress)
        }
    }
#endif
