#if canImport(CoreVideo)
    import CoreVideo
    import Foundation

    /// Frames of 32-bit BGRA in memory that the GPU and the neural engine share.
    enum PixelBuffers {
        static func make(width: Int, height: Int) throws -> CVPixelBuffer {
            var made: CVPixelBuffer?
            let attributes = [kCVPixelBufferIOSurfacePropertiesKey as String: [String: String]()] as CFDictionary
            let status = CVPixelBufferCreate(nil, width, height, kCVPixelFormatType_32BGRA, attributes, &made)
            guard status == kCVReturnSuccess, let made else {
                throw BundleError("there is no memory for a frame of \(width) x \(height) pixels.")
            }
            return made
        }

        /// The memory of a frame while `work` runs. Throws `BundleError` for another pixel format.
        static func access<T>(
            _ buffer: CVPixelBuffer, readOnly: Bool, _ work: (UnsafeMutableRawPointer, _ bytesPerRow: Int) throws -> T
        ) throws -> T {
            guard CVPixelBufferGetPixelFormatType(buffer) == kCVPixelFormatType_32BGRA else {
                throw BundleError(
                    "a frame is not 32-bit BGRA; set kCVPixelBufferPixelFormatTypeKey of the camera's output to kCVPixelFormatType_32BGRA."
                )
            }
            let flags: CVPixelBufferLockFlags = readOnly ? .readOnly : []
            CVPixelBufferLockBaseAddress(buffer, flags)
            defer { CVPixelBufferUnlockBaseAddress(buffer, flags) }
            guard let base = CVPixelBufferGetBaseAddress(buffer) else {
                throw BundleError("a frame has no memory that can be read.")
            }
            return try work(base, CVPixelBufferGetBytesPerRow(buffer))
        }
    }
#endif
