#if canImport(CoreML) && canImport(UIKit)
    @preconcurrency import CoreGraphics
    import Foundation
    import UIKit

    /// Pictures as UIKit has them: they know how the camera was held, and what comes back stands upright.
    extension ImageModel {
        /// `process` for a `UIImage`. Throws `BundleError` for one without pixels.
        public func process(_ image: UIImage, strength: Float = 1) async throws -> UIImage {
            let photo = try Photo(image)
            return UIImage(
                cgImage: try await process(photo.image, orientation: photo.orientation, strength: strength),
                scale: image.scale, orientation: .up)
        }

        /// `processLarge` for a `UIImage`. Throws `BundleError` for one without pixels.
        public func processLarge(
            _ image: UIImage, strength: Float = 1,
            progress: @escaping @Sendable (_ done: Int, _ tiles: Int) -> Void = { _, _ in }
        ) async throws -> UIImage {
            let photo = try Photo(image)
            let result = try await processLarge(
                photo.image, orientation: photo.orientation, strength: strength, progress: progress)
            return UIImage(cgImage: result, scale: image.scale, orientation: .up)
        }

        /// `classify` for a `UIImage`. Throws `BundleError` for one without pixels.
        public func classify(_ image: UIImage, most: Int = 5) async throws -> [ScoredLabel] {
            let photo = try Photo(image)
            return try await classify(photo.image, orientation: photo.orientation, most: most)
        }
    }

    extension Photo {
        fileprivate init(_ picture: UIImage) throws {
            guard let image = picture.cgImage else {
                throw BundleError("a UIImage has no CGImage; render its CIImage first.")
            }
            self.init(image, PictureOrientation(picture.imageOrientation))
        }
    }

    extension PictureOrientation {
        /// UIKit counts the same eight by other numbers.
        public init(_ orientation: UIImage.Orientation) {
            switch orientation {
            case .up: self = .up
            case .upMirrored: self = .upMirrored
            case .down: self = .down
            case .downMirrored: self = .downMirrored
            case .left: self = .left
            case .leftMirrored: self = .leftMirrored
            case .right: self = .right
            case .rightMirrored: self = .rightMirrored
            @unknown default: self = .up
            }
        }
    }
#endif
