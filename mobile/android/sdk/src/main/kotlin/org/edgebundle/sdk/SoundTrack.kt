package org.edgebundle.sdk

import android.media.MediaCodec
import android.media.MediaExtractor
import android.media.MediaFormat
import android.media.MediaMuxer
import java.nio.ByteBuffer
import org.edgebundle.sdk.core.VideoError
import org.edgebundle.sdk.core.VideoProblem
import org.edgebundle.sdk.core.telling

/** The first sound track of a video, copied as it is. Used by one thread. */
internal class SoundTrack private constructor(private val extractor: MediaExtractor, private val format: MediaFormat) :
    AutoCloseable {
    private val info = MediaCodec.BufferInfo()
    private val most = format.number(MediaFormat.KEY_MAX_INPUT_SIZE) ?: 0
    private val bytes = ByteBuffer.allocateDirect(maxOf(LEAST_BYTES, most))
    private var track = -1
    private var isEnded = false

    /** What it is, as the file says it: `audio/mp4a-latm`. */
    val type
        get() = format.getString(MediaFormat.KEY_MIME).orEmpty()

    /** Adds the track; false where an .mp4 of this device cannot hold sound of this kind. */
    fun addTo(muxer: MediaMuxer): Boolean {
        try {
            track = muxer.addTrack(format)
        } catch (_: IllegalStateException) { // so the muxer refuses a kind of sound
            return false
        } catch (_: IllegalArgumentException) {
            return false
        }
        return true
    }

    /** Copies all sound before [timeUs], which is later by [shiftUs] in the output. */
    fun copyTo(muxer: MediaMuxer, timeUs: Long, shiftUs: Long) {
        while (track >= 0 && !isEnded && extractor.sampleTime <= timeUs) {
            val size =
                telling(VideoProblem.INPUT, "the video's sound cannot be read") { extractor.readSampleData(bytes, 0) }
            if (size < 0) {
                isEnded = true
                return
            }
            val isKey = extractor.sampleFlags and MediaExtractor.SAMPLE_FLAG_SYNC != 0
            info.set(0, size, extractor.sampleTime + shiftUs, if (isKey) MediaCodec.BUFFER_FLAG_KEY_FRAME else 0)
            if (info.presentationTimeUs >= 0)
                telling(VideoProblem.OUTPUT, "the video's sound cannot be written") {
                    muxer.writeSampleData(track, bytes, info)
                }
            isEnded = !extractor.advance()
        }
    }

    override fun close() = extractor.release()

    companion object {
        private const val LEAST_BYTES = 1 shl 18

        /** `null` for a video without sound. Throws [VideoError] when the source cannot be read. */
        fun of(source: VideoSource): SoundTrack? {
            val extractor = MediaExtractor()
            var found: SoundTrack? = null
            try {
                telling(VideoProblem.INPUT, "$source cannot be read as a video") { source.open(extractor) }
                val track = findTrack(extractor, "audio/") ?: return null
                extractor.selectTrack(track)
                return SoundTrack(extractor, extractor.getTrackFormat(track)).also { found = it }
            } finally {
                if (found == null) extractor.release()
            }
        }
    }
}
