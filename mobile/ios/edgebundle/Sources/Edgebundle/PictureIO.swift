#if canImport(CoreGraphics) && canImport(ImageIO)
    @preconcurrency import CoreGraphics
    import Foundation
    import ImageIO

    /// Between the system's images and pixels.
    public enum PictureIO {
        private static let opaque = CGBitmapInfo.byteOrder32Little.rawValue | CGImageAlphaInfo.noneSkipFirst.rawValue
        private static let transparent =
            CGBitmapInfo.byteOrder32Little.rawValue | CGImageAlphaInfo.premultipliedFirst.rawValue

        /// The pixels of a golden as they are in the file: decoded, and not converted to another colour space.
        public static let reader: PictureReader = { data in
            guard let source = CGImageSourceCreateWithData(data as CFData, nil),
                let image = CGImageSourceCreateImageAtIndex(source, 0, nil)
            else {
                throw BundleError("a picture of the bundle cannot be decoded; install the app again.")
            }
            return try pixels(image, part: nil, width: image.width, height: image.height, space: image.colorSpace)
        }

        /// The part of a picture that the model sees, upright, at the model's size, in sRGB, composed on white.
        public static func fitted(_ image: CGImage, _ spec: TensorSpec, _ orientation: PictureOrientation = .up) throws
            -> Pixels
        {
            let upright = orientation.turned(width: image.width, height: image.height)
            let part = orientation.stored(
                crop(width: upright.width, height: upright.height, for: spec), width: image.width, height: image.height)
            let size = orientation.turned(width: spec.width, height: spec.height)
            let stored = try pixels(
                image, part: part, width: size.width, height: size.height, space: CGColorSpace(name: CGColorSpace.sRGB))
            return UprightPixels(stored, orientation).whole()
        }

        /// A whole picture as it is stored, in sRGB at another size, composed on white.
        public static func scaled(_ image: CGImage, width: Int, height: Int) throws -> Pixels {
            try pixels(image, part: nil, width: width, height: height, space: CGColorSpace(name: CGColorSpace.sRGB))
        }

        /// Pixels as an image in sRGB.
        public static func image(_ pixels: Pixels) throws -> CGImage {
            let data = pixels.argb.withUnsafeBytes { Data($0) }
            guard let provider = CGDataProvider(data: data as CFData),
                let space = CGColorSpace(name: CGColorSpace.sRGB),
                let image = CGImage(
                    width: pixels.width, height: pixels.height, bitsPerComponent: 8, bitsPerPixel: 32,
                    bytesPerRow: 4 * pixels.width, space: space,
                    bitmapInfo: CGBitmapInfo(rawValue: opaque), provider: provider, decode: nil,
                    shouldInterpolate: true, intent: .defaultIntent)
            else { throw BundleError("there is no memory for a picture of \(pixels.width) x \(pixels.height) pixels.") }
            return image
        }

        private static func pixels(_ image: CGImage, part: Crop?, width: Int, height: Int, space: CGColorSpace?) throws
            -> Pixels
        {
            var argb = [UInt32](repeating: 0, count: width * height)
            let shown = part.map { CGRect(x: $0.left, y: $0.top, width: $0.width, height: $0.height) }
            guard let source = shown.map({ image.cropping(to: $0) }) ?? image, let space else {
                throw BundleError("a picture cannot be read.")
            }
            let drawn = argb.withUnsafeMutableBytes { bytes -> Bool in
                guard
                    let context = CGContext(
                        data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8,
                        bytesPerRow: 4 * width, space: space, bitmapInfo: transparent)
                else { return false }
                context.interpolationQuality = .high
                context.draw(source, in: CGRect(x: 0, y: 0, width: width, height: height))
                return true
            }
            guard drawn else {
                throw BundleError(
                    "a picture of \(image.width) x \(image.height) pixels is in a colour space that cannot be drawn; convert it to sRGB."
                )
            }
            composeOnWhite(&argb)
            return Pixels(width: width, height: height, argb: argb)
        }
    }
#endif
