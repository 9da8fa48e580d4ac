#if canImport(CoreML) && canImport(CoreGraphics)
    @preconcurrency import CoreGraphics
    import Foundation
    import ImageIO

    /// The app's model, and where no variant of it works on this device, a server of `builder package --target server`.
    /// Use it instead of `ImageModel` if your users may be offered that; `ImageModel` alone never sends anything.
    public enum ModelOrServer: Sendable {
        case model(ImageModel)
        case server(RemoteModel, input: TensorSpec, output: TensorSpec)

        /// A picture, and what left the device for it; `sent` is nil where the device rendered it itself.
        public struct Processed {
            public let image: CGImage
            public let sent: Sent?
        }

        /// `ImageModel.open`; where it finds no variant that works, `consent` is asked, and then the server at
        /// `address` is used. Throws `BundleError` with both reasons when neither can be used.
        public static func open(
            server address: String, bundle: String? = nil, variant: String? = nil, file: URL? = nil,
            engines: [String: any EngineFactory] = ImageModel.engines,
            consent: @Sendable (RemoteQuestion) async -> Bool
        ) async throws -> ModelOrServer {
            do {
                return .model(
                    try await ImageModel.open(bundle: bundle, variant: variant, file: file, engines: engines))
            } catch let error as BundleError {
                let manifest = try ImageModel.loader(bundle: bundle, file: file, engines: engines).manifest
                guard let input = manifest.inputs.first(where: \.isPicture),
                    let output = manifest.outputs.first(where: \.isPicture)
                else { throw error }
                let server = try await RemoteModel.open(
                    address, reason: error.message, modelName: manifest.model.name, consent: consent)
                return .server(server, input: input, output: output)
            }
        }

        /// The picture as the network renders it, as `ImageModel.process` gives it. On a server the picture goes there
        /// in the network's own size, and nothing else.
        public func process(
            _ image: CGImage, orientation: PictureOrientation = .up, strength: Float = 1,
            isolation: isolated (any Actor)? = #isolation
        ) async throws -> sending Processed {
            switch self {
            case .model(let model):
                let made = try await model.process(image, orientation: orientation, strength: strength)
                return Processed(image: made, sent: nil)
            case .server(let server, let input, let output):
                let weight = try Blend.weight(strength)
                let fitted = try PictureIO.fitted(image, input, orientation)
                let answer = try await server.process(try RemotePictures.png(fitted))
                var made = try RemotePictures.pixels(answer.png, output)
                if weight < Blend.one {
                    Blend.mix(
                        try PictureIO.fitted(image, output.fitting(as: input), orientation).argb, weight,
                        into: &made.argb)
                }
                return Processed(image: try PictureIO.image(made), sent: answer.sent)
            }
        }
    }

    /// Pixels as a PNG file and back.
    enum RemotePictures {
        static func png(_ pixels: Pixels) throws -> Data {
            let file = NSMutableData()
            guard let target = CGImageDestinationCreateWithData(file as CFMutableData, "public.png" as CFString, 1, nil)
            else { throw BundleError("this system writes no PNG.") }
            CGImageDestinationAddImage(target, try PictureIO.image(pixels), nil)
            guard CGImageDestinationFinalize(target) else { throw BundleError("the picture cannot be written as PNG.") }
            return Data(referencing: file)
        }

        /// Throws `BundleError` for a picture of another size than the network's: it is not decoded.
        static func pixels(_ png: Data, _ output: TensorSpec) throws -> Pixels {
            guard let source = CGImageSourceCreateWithData(png as CFData, nil),
                let image = CGImageSourceCreateImageAtIndex(source, 0, nil)
            else { throw BundleError("the server answered with a picture that cannot be read.") }
            guard image.width == output.width, image.height == output.height else {
                throw BundleError(
                    "the server answered with a picture of \(image.width) x \(image.height) pixels, not \(output.width) x \(output.height)."
                )
            }
            return try PictureIO.scaled(image, width: output.width, height: output.height)
        }
    }
#endif
