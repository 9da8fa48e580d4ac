#if canImport(CoreML) && canImport(CoreGraphics)
    @preconcurrency import CoreGraphics
    import Foundation

    /// A picture of any size through a network of a fixed size, tile by tile.
    struct LargePicture {
        private let source: UprightPixels
        private let input: TensorSpec
        private let scale: Int
        private let tiler: Tiler

        /// Reads the picture, reduced when memory asks for it. Throws `BundleError` for networks that cannot work in
        /// tiles.
        init(_ photo: Photo, input: TensorSpec, output: TensorSpec, tiling: Tiling?, freeBytes: Int?) throws {
            scale = output.width / input.width
            guard scale >= 1, output.width == scale * input.width, output.height == scale * input.height else {
                throw BundleError(
                    "a network from \(input.width) x \(input.height) to \(output.width) x \(output.height) pixels cannot work in tiles; use process."
                )
            }
            self.input = input
            tiler = try Tiler(input, scale: scale, tiling)
            var (width, height) = (photo.image.width, photo.image.height)
            if let freeBytes {
                (width, height) = sizeWithin(
                    width: width, height: height, limit: affordablePixels(freeBytes: freeBytes) / (scale * scale))
            }
            source = UprightPixels(try PictureIO.scaled(photo.image, width: width, height: height), photo.orientation)
        }

        func render(
            weight: UInt32, progress: (_ done: Int, _ tiles: Int) -> Void,
            tile: (_ pixels: [UInt32], _ into: inout [UInt32]) throws -> Void
        ) throws -> CGImage {
            let tiles = tiler.tiles(width: source.width, height: source.height)
            var (done, result) = (0, [UInt32]())
            result.reserveCapacity(source.width * source.height * scale * scale)
            try tiler.run(
                source,
                check: { try Task.checkCancellation() },
                render: { pixels, into in
                    try tile(pixels, &into)
                    if weight < Blend.one { Blend.mix(enlarged(pixels), weight, into: &into) }
                    done += 1
                    progress(done, tiles)
                },
                write: { _, _, rows in result += rows })
            return try PictureIO.image(Pixels(width: source.width * scale, height: source.height * scale, argb: result))
        }

        /// A tile's pixels at the size of what the network gives.
        private func enlarged(_ pixels: [UInt32]) -> [UInt32] {
            if scale == 1 { return pixels }
            let width = input.width * scale
            return (0..<pixels.count * scale * scale).map {
                pixels[$0 / width / scale * input.width + $0 % width / scale]
            }
        }
    }
#endif
