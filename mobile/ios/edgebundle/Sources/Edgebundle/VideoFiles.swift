#if canImport(CoreML) && canImport(AVFoundation)
    import AVFoundation
    import Foundation

    extension ImageModel {
        /// A whole video through the network: each frame of `input`, upright, styled and written to `output` as H.264
        /// in an .mp4 with its own time, and the sound as it is. The pictures have the network's size (less one row or
        /// column where that is odd). The network runs on each `every`-th frame and where the scene is cut; its results
        /// are carried to the others along what moves, which is steadier than running it on each
        /// (docs/sdk-rules.md, "Video files").
        ///
        /// Takes long. Other calls on the model are taken between two runs of the network. `progress` is told how far
        /// it is, 0 to 1. Throws `CancellationError` with its task, and `VideoError` that says what failed; then
        /// nothing is left at `output`. An existing file there is replaced when the new one is whole. Throws
        /// `BundleError` for a network whose output is no picture of its input's size.
        public func processVideo(
            _ input: URL, to output: URL, every: Int = 5, progress: @Sendable (Double) -> Void = { _ in }
        ) async throws -> VideoMade {
            let picture = try picture()
            guard self.input.width == picture.width, self.input.height == picture.height else {
                throw BundleError("video needs a network whose output has the size of its input.")
            }
            let pass = try VideoPass(width: picture.width, height: picture.height, every: every)
            let part = output.deletingLastPathComponent().appendingPathComponent(".\(UUID().uuidString).mp4")
            defer { try? FileManager.default.removeItem(at: part) }  // it is not there any more once it was moved
            let reader = try await VideoReader(input)
            let writer = try VideoWriter(
                part, width: picture.width & ~1, height: picture.height & ~1, sound: reader.soundFormat)
            do {
                let made = try await convert(pass, reader, writer, progress)
                try Task.checkCancellation()
                try replace(output, by: part)
                return made
            } catch {
                reader.cancel()
                writer.cancel()
                throw error
            }
        }

        /// The name that `processVideo` has for networks that change a picture's style.
        public func stylizeVideo(
            _ input: URL, to output: URL, every: Int = 5, progress: @Sendable (Double) -> Void = { _ in }
        ) async throws -> VideoMade {
            try await processVideo(input, to: output, every: every, progress: progress)
        }

        private func replace(_ output: URL, by part: URL) throws {
            try? FileManager.default.removeItem(at: output)
            do {
                try FileManager.default.moveItem(at: part, to: output)
            } catch {
                throw VideoError.of(error, .output, "\(output.path) cannot be written")
            }
        }

        private func convert(
            _ pass: VideoPass, _ reader: VideoReader, _ writer: VideoWriter, _ progress: (Double) -> Void
        ) async throws -> VideoMade {
            var pixels = [UInt32](repeating: 0, count: input.width * input.height)
            while let time = try reader.read(input, &pixels) {
                try Task.checkCancellation()
                let picture = try await pass.styled(pixels) { frame in
                    do {
                        return try await rendered(frame)
                    } catch {
                        throw VideoError.of(error, .network, "the network failed on a frame")
                    }
                }
                let written = pass.written(time.microseconds)
                try await writer.write(picture, stride: input.width, at: written)
                while let sound = try reader.sound(before: written) { try await writer.write(sound) }
                if reader.isSoundOver { writer.endSound() }
                if let duration = reader.duration { progress(min(1, max(0, Double(written) / duration))) }
            }
            guard pass.frames > 0 else { throw VideoError(.input, "the video has no frame.") }
            while let sound = try reader.sound(before: .max) { try await writer.write(sound) }
            try await writer.finish()
            progress(1)
            return VideoMade(
                width: writer.width, height: writer.height, frames: pass.frames, keys: pass.keys,
                hasSound: writer.hasSound, notes: writer.notes)
        }
    }

    extension CMTime {
        var microseconds: Int64 { Int64((seconds * 1e6).rounded()) }
    }
#endif
