#if canImport(CoreML) && canImport(CoreGraphics)
    @preconcurrency import CoreGraphics
    import Foundation

    /// An image network of the app's bundle: picture in, picture out.
    ///
    ///     let model = try await StyleModel.open()
    ///     let image = try await model.stylize(cgImage)
    ///
    /// An actor: calls from anywhere are taken one after the other and none blocks the main thread. A call is cancelled with the task
    /// that makes it: before the network runs, or at its next tile.
    public actor StyleModel {
        /// The variant in use, and the compute units that Core ML plans to use for it, or what is not known of them.
        public nonisolated let variant: String
        public nonisolated let delegate: String
        /// Why other variants of the bundle were passed over.
        public nonisolated let messages: [String]
        /// The sizes of pictures that the network takes and that `stylize` gives.
        public nonisolated let input: TensorSpec
        public nonisolated let output: TensorSpec
        /// Names and lengths of the style vectors that the network takes beside the picture.
        public nonisolated let styles: [String: Int]
        private let session: Session
        private var rendered: [UInt32]

        /// Opens the app's own bundle, or the one in `folder`: the first variant, in the order that suits this device, whose hash is
        /// right, which Core ML loads and which passes its goldens (checked once per bundle and system). Throws `BundleError` when
        /// none works, or when the model does not turn one picture into a picture.
        public static func open(
            variant: String? = nil, folder: URL? = nil, engines: [String: any EngineFactory] = StyleModel.engines
        ) async throws -> StyleModel {
            let loader = try loader(folder: folder, engines: engines)
            guard loader.manifest.inputs.filter(\.isImage).count == 1, loader.manifest.outputs.contains(where: \.isImage) else {
                throw BundleError("model '\(loader.manifest.model.name)' does not turn one picture into a picture; use ModelLoader and Session.")
            }
            if let variant {
                return try StyleModel(try await loader.load(try loader.manifest.variant(variant)), loader, messages: [])
            }
            let choice = loader.choose(DeviceState.facts())
            let memory = VerifiedVariants(bundle: loader.bundleSha256)
            var messages = choice.messages
            let session = try await loader.loadFirst(
                choice.order, verified: { memory.contains($0) }, passed: { memory.insert($0) }, report: { messages.append($0) })
            return try StyleModel(session, loader, messages: messages)
        }

        /// The engines of this library: Core ML with each of its compute units.
        public static var engines: [String: any EngineFactory] { CoreMLFactory.all }

        /// The loader of the app's own bundle, or of the one in `folder`.
        public static func loader(folder: URL? = nil, engines: [String: any EngineFactory] = StyleModel.engines) throws -> ModelLoader {
            try ModelLoader(root: try folder ?? BundleLocation.find(), reader: PictureIO.reader, engines: engines)
        }

        private init(_ session: sending Session, _ loader: ModelLoader, messages: [String]) throws {
            guard let input = session.inputSpecs.first(where: \.isImage), let output = session.outputSpecs.first(where: \.isImage) else {
                throw BundleError("model '\(loader.manifest.model.name)' has no picture.")
            }
            let executed = session.engine.delegateExecuted
            variant = session.variant.id
            delegate = executed.value ?? "\(session.variant.delegate), not confirmed: \(executed.reason ?? "it does not say")"
            styles = Dictionary(uniqueKeysWithValues: session.inputSpecs.filter { !$0.isImage }.map { ($0.name, $0.count) })
            rendered = [UInt32](repeating: 0, count: output.width * output.height)
            (self.messages, self.input, self.output) = (messages, input, output)
            // At first a style is that of the bundle's own test picture.
            for tensor in loader.manifest.goldens(of: session.variant).first?.inputs ?? [] where !tensor.isPicture {
                try session.setValues(tensor.name, loader.goldens.values(tensor))
            }
            self.session = session
        }

        /// Sets a style vector, for all later pictures. Throws `BundleError` for an unknown name or another length.
        public func setStyle(_ name: String, _ values: [Float]) throws {
            guard let wanted = styles[name] else {
                let known = styles.isEmpty ? "none" : styles.keys.sorted().joined(separator: ", ")
                throw BundleError("the model has no style '\(name)'; it has \(known).")
            }
            guard values.count == wanted else { throw BundleError("style '\(name)' has \(wanted) values, not \(values.count).") }
            try session.setValues(name, values)
        }

        /// The picture as the network renders it, at the size of `output`; `image` may have any size and is fitted as the manifest
        /// says. `strength` 0..1 mixes it with the original.
        public func stylize(_ image: CGImage, strength: Float = 1) throws -> CGImage {
            try Task.checkCancellation()
            try render(try PictureIO.fitted(image, input).argb)
            if strength < 1 {
                let original = try PictureIO.fitted(image, fitSpec).argb
                Blend.mix(original, Blend.weight(strength), into: &rendered)
            }
            return try PictureIO.image(Pixels(width: output.width, height: output.height, argb: rendered))
        }

        /// The whole picture in its own size (times the network's own factor), rendered in overlapping tiles. A picture for which
        /// there is not enough memory is reduced first: compare the result's size. `progress` is told how many tiles are done.
        public func stylizeLarge(
            _ image: CGImage, strength: Float = 1, progress: @Sendable (_ done: Int, _ tiles: Int) -> Void = { _, _ in }
        ) throws -> CGImage {
            let large = try LargePicture(
                image, input: input, output: output, tiling: session.variant.tiling, freeBytes: DeviceState.freeMemory())
            return try large.render(strength: strength, progress: progress) { tile, into in
                try render(tile)
                into = rendered
            }
        }

        /// Pixels of exactly the network's input to pixels of exactly its output.
        func rendered(_ pixels: [UInt32]) throws -> [UInt32] {
            try render(pixels)
            return rendered
        }

        private func render(_ pixels: [UInt32]) throws {
            try Task.checkCancellation()
            try session.setPicture(input.name, pixels)
            try session.run()
            try session.readPicture(output.name, into: &rendered)
        }

        /// The output's size with the input's way of cutting.
        private var fitSpec: TensorSpec { output.fitting(as: input) }
    }
#endif
