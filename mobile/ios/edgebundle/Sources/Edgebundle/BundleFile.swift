#if canImport(CoreML)
    import Compression
    import Foundation

    /// A bundle in a file that the app downloaded.
    enum BundleFile {
        /// The folder of a bundle: `file` itself, or what was taken out of the `.zip` that it is. Throws `BundleError`.
        static func folder(_ file: URL) throws -> URL {
            var isFolder: ObjCBool = false
            guard file.isFileURL, FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder),
                !isFolder.boolValue
            else { return file }
            return try BundleArchive(in: try Folders.bundles(), inflate: inflate).unpacked(file)
        }

        private static func inflate(_ packed: Data, _ most: Int) throws -> Data {
            var at = packed.startIndex
            // what Apple calls zlib is DEFLATE without zlib's head
            let filter = try InputFilter(.decompress, using: .zlib) { (count: Int) -> Data? in
                guard at < packed.endIndex else { return nil }
                let next = min(packed.endIndex, at + count)
                defer { at = next }
                return packed[at..<next]
            }
            var content = Data()
            while content.count < most, let more = try filter.readData(ofLength: min(1 << 20, most - content.count)) {
                content.append(more)
            }
            return content
        }
    }
#endif
