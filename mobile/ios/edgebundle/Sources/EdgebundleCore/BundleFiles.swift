import Foundation

/// Decodes a PNG or JPEG to its own pixels, unconverted. Throws `BundleError` for what is no picture.
public typealias PictureReader = @Sendable (Data) throws -> Pixels

/// The files of a bundle directory. Paths are those of the manifest, checked when it was read.
public struct BundleFiles: Sendable {
    public let root: URL

    public init(root: URL) {
        self.root = root
    }

    public func url(_ path: String) -> URL { root.appendingPathComponent(path) }

    /// All bytes of a file. Throws `BundleError` when it cannot be read.
    public func data(_ path: String) throws -> Data {
        // reading another kind of address would wait for a network
        guard root.isFileURL else {
            throw BundleError(
                "\(root.absoluteString) is no folder of this device; download the bundle first and give its folder.")
        }
        do {
            return try Data(contentsOf: url(path))
        } catch {
            throw BundleError(
                "the app's bundle has no readable \(path) (\(error.localizedDescription)); make the app with 'builder package'."
            )
        }
    }
}

/// Little-endian float32 values.
func floats(_ data: Data) -> [Float] {
    data.withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map {
            Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
        }
    }
}
