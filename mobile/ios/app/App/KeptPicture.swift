@preconcurrency import CoreGraphics
import Edgebundle
import Foundation
import ImageIO

/// The picture that was chosen last, as its file was: it is there again when the system ended the app in the
/// background.
enum KeptPicture {
    private static let longest = 4096

    /// Nil when none is kept, or when it is no picture any more.
    static func read() throws -> CGImage? {
        guard let data = try? Data(contentsOf: place()) else { return nil }
        return try? upright(data)
    }

    static func keep(_ data: Data) throws { try data.write(to: place(), options: .atomic) }

    /// The picture of a file, turned as its EXIF says, at most 4096 pixels wide or high. Throws `BundleError` for what
    /// is none.
    static func upright(_ data: Data) throws -> CGImage {
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: longest,
        ]
        guard let source = CGImageSourceCreateWithData(data as CFData, nil),
            let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
        else { throw BundleError("the file is no picture that can be read; choose another one.") }
        return image
    }

    private static func place() throws -> URL {
        try FileManager.default.url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            .appendingPathComponent("picture")
    }
}
