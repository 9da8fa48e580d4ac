#if canImport(CoreML) && canImport(AVFoundation)
    import AVFoundation
    import Foundation

    /// The frames of a video's first picture track, upright, and the packets of its first sound track as they are.
    /// Throws `VideoError` of the problems `input` and `decoder`.
    final class VideoReader {
        private let reader: AVAssetReader
        private let pictures: AVAssetReaderTrackOutput
        private let sounds: AVAssetReaderTrackOutput?
        private let orientation: PictureOrientation
        private var waiting: CMSampleBuffer?
        /// What the sound is, nil for a video without.
        let soundFormat: CMFormatDescription?
        /// How long the video is, in microseconds; nil where it does not say.
        let duration: Double?
        /// Whether all sound was taken, or there is none.
        private(set) var isSoundOver = false

        init(_ url: URL) async throws {
            let asset = AVURLAsset(url: url)
            let name = url.lastPathComponent
            let (video, audio, length, turn, formats):
                (AVAssetTrack, AVAssetTrack?, Double, CGAffineTransform, [CMFormatDescription]?)
            do {
                guard let first = try await asset.loadTracks(withMediaType: .video).first else {
                    throw VideoError(.input, "\(name) holds no track of pictures.")
                }
                (video, turn) = (first, try await first.load(.preferredTransform))
                audio = try await asset.loadTracks(withMediaType: .audio).first
                (length, formats) = (
                    try await asset.load(.duration).seconds, try await audio?.load(.formatDescriptions)
                )
                reader = try AVAssetReader(asset: asset)
            } catch {
                throw VideoError.of(error, .input, "\(name) cannot be read as a video")
            }
            guard let orientation = PictureOrientation(a: turn.a, b: turn.b, c: turn.c, d: turn.d) else {
                throw VideoError(.input, "\(name) is turned by no right angle, which is not read.")
            }
            self.orientation = orientation
            duration = length.isFinite && length > 0 ? length * 1e6 : nil
            let format = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
            pictures = AVAssetReaderTrackOutput(track: video, outputSettings: format)
            pictures.alwaysCopiesSampleData = false
            soundFormat = formats?.first
            sounds = soundFormat == nil ? nil : audio.map { AVAssetReaderTrackOutput(track: $0, outputSettings: nil) }
            for output in [pictures, sounds].compactMap({ $0 }) {
                guard reader.canAdd(output) else {
                    throw VideoError(.decoder, "this device cannot decode \(name).")
                }
                reader.add(output)
            }
            guard reader.startReading() else { throw failure("this device cannot decode \(name)") }
        }

        /// The next frame as `spec` shows it to the network, and its time; nil after the last.
        func read(_ spec: TensorSpec, _ pixels: inout [UInt32]) throws -> CMTime? {
            while let sample = pictures.copyNextSampleBuffer() {
                // some samples carry no picture, only a word to the decoder
                guard let frame = CMSampleBufferGetImageBuffer(sample) else { continue }
                do {
                    try fit(frame, spec, &pixels)
                } catch {
                    throw VideoError(.decoder, "a frame cannot be read (\(error.localizedDescription))")
                }
                return CMSampleBufferGetPresentationTimeStamp(sample)
            }
            if reader.status == .failed { throw failure("a frame cannot be decoded") }
            return nil
        }

        /// The next packet of sound that begins before a time, nil when there is none yet.
        func sound(before microseconds: Int64) throws -> CMSampleBuffer? {
            if waiting == nil { waiting = sounds?.copyNextSampleBuffer() }
            guard let next = waiting else {
                isSoundOver = true
                return nil
            }
            let time = CMSampleBufferGetPresentationTimeStamp(next)
            guard microseconds == .max || time.microseconds < microseconds else { return nil }
            waiting = nil
            return next
        }

        func cancel() { reader.cancelReading() }

        private func fit(_ frame: CVPixelBuffer, _ spec: TensorSpec, _ pixels: inout [UInt32]) throws {
            let (width, height) = (CVPixelBufferGetWidth(frame), CVPixelBufferGetHeight(frame))
            let upright = orientation.turned(width: width, height: height)
            let part = orientation.stored(
                crop(width: upright.width, height: upright.height, for: spec), width: width, height: height)
            let size = orientation.turned(width: spec.width, height: spec.height)
            var stored = [UInt32](repeating: 0, count: size.width * size.height)
            try PixelBuffers.access(frame, readOnly: true) { source, bytesPerRow in
                FrameFitter.fit(
                    source, bytesPerRow: bytesPerRow, part: part, width: size.width, height: size.height, into: &stored)
            }
            UprightPixels(Pixels(width: size.width, height: size.height, argb: stored), orientation).read(
                left: 0, top: 0, width: spec.width, height: spec.height, into: &pixels)
        }

        private func failure(_ what: String) -> VideoError {
            VideoError(.decoder, "\(what) (\(reader.error?.localizedDescription ?? "no reason was given"))")
        }
    }
#endif
