#if canImport(CoreML) && canImport(CoreGraphics)
    @preconcurrency import CoreGraphics
    import Foundation

    /// A picture on its way to or from the network's thread, and how it is to be turned. A `CGImage` never changes once
    /// it is made.
    struct Photo: @unchecked Sendable {
        let image: CGImage
        let orientation: PictureOrientation

        init(_ image: CGImage, _ orientation: PictureOrientation = .up) {
            (self.image, self.orientation) = (image, orientation)
        }
    }

    /// The one who owns a loaded network, on a thread of its own. `ImageModel` lets one call in at a time.
    actor NetworkWorker {
        private let thread = NetworkThread()
        private let session: Session
        private let input: TensorSpec
        private let output: TensorSpec?
        private var pixels: [UInt32]

        nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

        init(_ session: sending Session, input: TensorSpec, output: TensorSpec?) {
            (self.session, self.input, self.output) = (session, input, output)
            pixels = [UInt32](repeating: 0, count: output.map { $0.width * $0.height } ?? 0)
        }

        func setValues(_ name: String, _ values: [Float]) throws { try session.setValues(name, values) }

        func process(_ photo: Photo, _ weight: UInt32) throws -> Photo {
            guard let output else { throw BundleError("the network gives no picture.") }
            try render(try PictureIO.fitted(photo.image, input, photo.orientation).argb)
            if weight < Blend.one {
                // the output's size with the input's way of cutting
                let original = try PictureIO.fitted(photo.image, output.fitting(as: input), photo.orientation).argb
                Blend.mix(original, weight, into: &pixels)
            }
            return Photo(try PictureIO.image(Pixels(width: output.width, height: output.height, argb: pixels)))
        }

        func processLarge(_ photo: Photo, _ weight: UInt32, _ output: TensorSpec, _ progress: (Int, Int) -> Void) throws
            -> Photo
        {
            let large = try LargePicture(
                photo, input: input, output: output, tiling: session.variant.tiling, freeBytes: DeviceState.freeMemory()
            )
            return Photo(
                try large.render(weight: weight, progress: progress) { tile, into in
                    try render(tile)
                    into = pixels
                })
        }

        func run(_ photo: Photo) throws -> [String: [Float]] {
            try infer(try PictureIO.fitted(photo.image, input, photo.orientation).argb)
            return Dictionary(try session.outputSpecs.map { ($0.name, try session.values($0.name)) }) { $1 }
        }

        func rendered(_ frame: [UInt32]) throws -> [UInt32] {
            try render(frame)
            return pixels
        }

        func execution() async -> Execution { await session.engine.execution() }

        private func render(_ frame: [UInt32]) throws {
            try infer(frame)
            if let output { try session.readPicture(output.name, into: &pixels) }
        }

        private func infer(_ frame: [UInt32]) throws {
            try Task.checkCancellation()
            try session.setPicture(input.name, frame)
            try session.run()
        }
    }
#endif
