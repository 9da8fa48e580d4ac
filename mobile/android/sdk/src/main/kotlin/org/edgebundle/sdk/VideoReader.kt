package org.edgebundle.sdk

import android.media.MediaCodec
import android.media.MediaCodecInfo.CodecCapabilities
import android.media.MediaExtractor
import android.media.MediaFormat
import org.edgebundle.sdk.core.CropMemory
import org.edgebundle.sdk.core.TensorSpec
import org.edgebundle.sdk.core.VideoError
import org.edgebundle.sdk.core.VideoProblem
import org.edgebundle.sdk.core.VideoStages
import org.edgebundle.sdk.core.YuvColours
import org.edgebundle.sdk.core.telling

/**
 * The frames of a video's first picture track, upright and as [spec] shows them to the network, by this device's
 * decoder. Used by one thread. Throws [VideoError] of the problems INPUT and DECODER.
 */
internal class VideoReader(source: VideoSource, private val spec: TensorSpec) : AutoCloseable {
    private val extractor = MediaExtractor()
    private val crops = CropMemory(spec)
    private val info = MediaCodec.BufferInfo()
    private val format: MediaFormat
    private val codec: MediaCodec
    private var colours: YuvColours
    private var isFed = false
    private var isEnded = false

    /** How far the stored frames are to be turned clockwise, which is done before the network sees them. */
    private val rotation: Int

    /** How long the video is, `null` where the file does not say. */
    val durationUs: Long?

    /** Frames a second, as the file says it. */
    val rate: Int

    init {
        var made: MediaCodec? = null
        var opened = false
        try {
            telling(VideoProblem.INPUT, "$source cannot be read as a video") { source.open(extractor) }
            val track =
                findTrack(extractor, "video/")
                    ?: throw VideoError(VideoProblem.INPUT, "$source holds no track of pictures")
            extractor.selectTrack(track)
            format = extractor.getTrackFormat(track)
            rotation = Math.floorMod(format.number(MediaFormat.KEY_ROTATION) ?: 0, FULL_TURN)
            durationUs =
                if (format.containsKey(MediaFormat.KEY_DURATION)) format.getLong(MediaFormat.KEY_DURATION) else null
            rate = (format.number(MediaFormat.KEY_FRAME_RATE) ?: USUAL_RATE).coerceIn(1, MOST_RATE)
            colours = coloursOf(format, format.number(MediaFormat.KEY_HEIGHT) ?: 0)
            val type = checkNotNull(format.getString(MediaFormat.KEY_MIME))
            format.setInteger(MediaFormat.KEY_COLOR_FORMAT, CodecCapabilities.COLOR_FormatYUV420Flexible)
            codec =
                telling(VideoProblem.DECODER, "this device cannot decode $type") {
                    MediaCodec.createDecoderByType(type).also {
                        made = it
                        it.configure(format, null, null, 0)
                        it.start()
                    }
                }
            opened = true
        } finally {
            if (!opened) {
                made?.release()
                extractor.release()
            }
        }
    }

    /** The next frame into [argb]: its time in microseconds, or [VideoStages.NO_FRAME] after the last. */
    fun read(argb: IntArray): Long = telling(VideoProblem.DECODER, "a frame cannot be decoded") { decoded(argb) }

    private fun decoded(argb: IntArray): Long {
        val patience = Patience("the decoder gives no frame", VideoProblem.DECODER)
        while (!isEnded) {
            feed()
            val index = codec.dequeueOutputBuffer(info, WAIT_US)
            when {
                index >= 0 -> {
                    isEnded = info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0
                    if (info.size > 0) return take(index, argb)
                    codec.releaseOutputBuffer(index, false)
                }
                index == MediaCodec.INFO_OUTPUT_FORMAT_CHANGED ->
                    colours = coloursOf(codec.outputFormat, format.number(MediaFormat.KEY_HEIGHT) ?: 0)
                else -> patience.goOn()
            }
        }
        return VideoStages.NO_FRAME
    }

    private fun take(index: Int, argb: IntArray): Long {
        try {
            val image =
                codec.getOutputImage(index)
                    ?: throw VideoError(VideoProblem.DECODER, "the decoder gives frames that cannot be read")
            image.use {
                val frame = frameOf(it, rotation, colours)
                frame.read(crops.of(frame.uprightWidth, frame.uprightHeight), spec.width, spec.height, argb)
            }
            return info.presentationTimeUs
        } finally {
            codec.releaseOutputBuffer(index, false)
        }
    }

    /** Gives the decoder what it has room for. */
    private fun feed() {
        while (!isFed) {
            val index = codec.dequeueInputBuffer(0)
            if (index < 0) return
            val size = extractor.readSampleData(checkNotNull(codec.getInputBuffer(index)), 0)
            if (size < 0) {
                isFed = true
                codec.queueInputBuffer(index, 0, 0, 0, MediaCodec.BUFFER_FLAG_END_OF_STREAM)
            } else {
                codec.queueInputBuffer(index, 0, size, extractor.sampleTime, 0)
                extractor.advance()
            }
        }
    }

    override fun close() {
        codec.release()
        extractor.release()
    }

    private companion object {
        const val FULL_TURN = 360
        const val USUAL_RATE = 30
        const val MOST_RATE = 240
    }
}

/** How long a codec is asked at once. */
internal const val WAIT_US = 10_000L

/** The first track of a kind (`video/`, `audio/`), `null` when there is none. */
internal fun findTrack(extractor: MediaExtractor, kind: String): Int? =
    (0 until extractor.trackCount).firstOrNull {
        extractor.getTrackFormat(it).getString(MediaFormat.KEY_MIME).orEmpty().startsWith(kind)
    }

/** Ends by a [VideoError] what waits for a codec that has died without a word. */
internal class Patience(private val what: String, private val problem: VideoProblem) {
    private val start = System.nanoTime()

    fun goOn() {
        if (System.nanoTime() - start > MOST_NS) throw VideoError(problem, "$what for 20 seconds")
    }

    private companion object {
        const val MOST_NS = 20_000_000_000L
    }
}
