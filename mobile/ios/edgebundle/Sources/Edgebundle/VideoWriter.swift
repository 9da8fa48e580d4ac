#if canImport(CoreML) && canImport(AVFoundation)
    import AVFoundation
    import Foundation

    /// An .mp4 of H.264 by this device's encoder, with packets of sound as they are. Throws `VideoError` of the
    /// problems `encoder` and `output`.
    final class VideoWriter {
        let (width, height): (Int, Int)
        /// What was left out, and why.
        private(set) var notes: [String] = []
        private let writer: AVAssetWriter
        private let pictures: AVAssetWriterInput
        private let buffers: AVAssetWriterInputPixelBufferAdaptor
        private let sounds: AVAssetWriterInput?
        private var isSoundOver = false

        var hasSound: Bool { sounds != nil }

        init(_ url: URL, width: Int, height: Int, sound: CMFormatDescription?) throws {
            (self.width, self.height) = (width, height)
            do {
                writer = try AVAssetWriter(url: url, fileType: .mp4)
            } catch {
                throw VideoError(.output, "\(url.path) cannot be written (\(error.localizedDescription))")
            }
            pictures = AVAssetWriterInput(
                mediaType: .video,
                outputSettings: [
                    AVVideoCodecKey: AVVideoCodecType.h264, AVVideoWidthKey: width, AVVideoHeightKey: height,
                ])
            pictures.expectsMediaDataInRealTime = false
            buffers = AVAssetWriterInputPixelBufferAdaptor(
                assetWriterInput: pictures,
                sourcePixelBufferAttributes: [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA])
            guard writer.canAdd(pictures) else {
                throw VideoError(.encoder, "this device cannot encode \(width) x \(height) pixels as H.264.")
            }
            writer.add(pictures)
            var input: AVAssetWriterInput?
            if let sound {
                // without settings the packets are copied as they are
                let added = AVAssetWriterInput(mediaType: .audio, outputSettings: nil, sourceFormatHint: sound)
                added.expectsMediaDataInRealTime = false
                if writer.canAdd(added) {
                    writer.add(added)
                    input = added
                } else {
                    notes.append("its sound cannot be put into an .mp4 and is left out")
                }
            }
            sounds = input
            guard writer.startWriting() else { throw failure("the video cannot be begun") }
            writer.startSession(atSourceTime: .zero)
        }

        /// The next picture, of rows of `stride` pixels, and its time in microseconds.
        func write(_ picture: [UInt32], stride: Int, at microseconds: Int64) async throws {
            let buffer: CVPixelBuffer
            do {
                buffer = try PixelBuffers.make(width: width, height: height)
                try PixelBuffers.access(buffer, readOnly: false) { target, bytesPerRow in
                    picture.withUnsafeBytes { bytes in
                        for y in 0..<height {
                            (target + y * bytesPerRow).copyMemory(
                                from: bytes.baseAddress! + 4 * stride * y, byteCount: 4 * width)
                        }
                    }
                }
            } catch {
                throw VideoError.of(error, .encoder, "a frame cannot be encoded")
            }
            try await ready(pictures)
            guard buffers.append(buffer, withPresentationTime: CMTime(value: microseconds, timescale: 1_000_000)) else {
                throw failure("a frame cannot be encoded")
            }
        }

        /// The next packet of sound; nothing happens where the file cannot hold it.
        func write(_ sound: CMSampleBuffer) async throws {
            guard let sounds else { return }
            try await ready(sounds)
            guard sounds.append(sound) else { throw failure("the video's sound cannot be written") }
        }

        /// No more sound comes: the writer need not wait for it.
        func endSound() {
            if !isSoundOver { sounds?.markAsFinished() }
            isSoundOver = true
        }

        func finish() async throws {
            pictures.markAsFinished()
            endSound()
            await writer.finishWriting()
            guard writer.status == .completed else { throw failure("the end of the video cannot be written") }
        }

        func cancel() { if writer.status == .writing { writer.cancelWriting() } }

        /// Waits until an input takes more, at most 20 seconds.
        private func ready(_ input: AVAssetWriterInput) async throws {
            for _ in 0..<10_000 where !input.isReadyForMoreMediaData && writer.status == .writing {
                try await Task.sleep(nanoseconds: 2_000_000)
            }
            guard input.isReadyForMoreMediaData else { throw failure("the encoder takes no frame") }
        }

        private func failure(_ what: String) -> VideoError {
            let reason = writer.error as NSError?
            let isFile = reason.map { [NSCocoaErrorDomain, NSPOSIXErrorDomain].contains($0.domain) } ?? false
            return VideoError(
                isFile ? .output : .encoder, "\(what) (\(reason?.localizedDescription ?? "no reason was given"))")
        }
    }
#endif
