package org.edgebundle.sdk

import android.media.Image
import android.media.MediaCodec
import android.media.MediaCodecInfo.CodecCapabilities
import android.media.MediaFormat
import android.media.MediaMuxer
import java.io.File
import org.edgebundle.sdk.core.VideoError
import org.edgebundle.sdk.core.VideoProblem
import org.edgebundle.sdk.core.YuvPlane
import org.edgebundle.sdk.core.YuvWriter
import org.edgebundle.sdk.core.telling

/**
 * An .mp4 of H.264 by this device's encoder, from pictures whose rows have [stride] pixels, with the sound of another
 * video beside them. Used by one thread. Throws [VideoError] of the problems ENCODER and OUTPUT.
 */
internal class VideoWriter(
    file: File,
    private val width: Int,
    private val height: Int,
    stride: Int,
    rate: Int,
    private val sound: SoundTrack?,
) : AutoCloseable {
    private val pixels = YuvWriter(width, height, stride)
    private val info = MediaCodec.BufferInfo()
    private val codec: MediaCodec
    private val muxer: MediaMuxer
    private var track = -1
    private var shiftUs = 0L
    private var isFirst = true

    /** Whether the sound is in the file, once the first picture is. */
    var hasSound = false
        private set

    init {
        muxer =
            telling(VideoProblem.OUTPUT, "$file cannot be written") {
                MediaMuxer(file.path, MediaMuxer.OutputFormat.MUXER_OUTPUT_MPEG_4)
            }
        var made: MediaCodec? = null
        var started = false
        try {
            codec =
                telling(VideoProblem.ENCODER, "this device cannot encode $width x $height pixels as H.264") {
                    MediaCodec.createEncoderByType(MediaFormat.MIMETYPE_VIDEO_AVC).also {
                        made = it
                        it.configure(format(rate), null, null, MediaCodec.CONFIGURE_FLAG_ENCODE)
                        it.start()
                    }
                }
            started = true
        } finally {
            if (!started) {
                made?.release()
                muxer.release()
            }
        }
    }

    private fun format(rate: Int) =
        MediaFormat.createVideoFormat(MediaFormat.MIMETYPE_VIDEO_AVC, width, height).apply {
            setInteger(MediaFormat.KEY_COLOR_FORMAT, CodecCapabilities.COLOR_FormatYUV420Flexible)
            setInteger(MediaFormat.KEY_BIT_RATE, maxOf(LEAST_BITS, (BITS_A_PIXEL * width * height * rate).toInt()))
            setInteger(MediaFormat.KEY_FRAME_RATE, rate)
            setInteger(MediaFormat.KEY_I_FRAME_INTERVAL, 1)
            // As YuvWriter says colours.
            setInteger(MediaFormat.KEY_COLOR_STANDARD, MediaFormat.COLOR_STANDARD_BT601_NTSC)
            setInteger(MediaFormat.KEY_COLOR_RANGE, MediaFormat.COLOR_RANGE_LIMITED)
            setInteger(MediaFormat.KEY_COLOR_TRANSFER, MediaFormat.COLOR_TRANSFER_SDR_VIDEO)
        }

    /** The next picture and its time. */
    fun write(argb: IntArray, timeUs: Long) =
        telling(VideoProblem.ENCODER, "a frame cannot be encoded") {
            if (isFirst) shiftUs = maxOf(0, -timeUs) // a file's times begin at zero or later
            isFirst = false
            val index = freeInput()
            val image =
                codec.getInputImage(index)
                    ?: throw VideoError(VideoProblem.ENCODER, "the encoder takes no pictures of YUV 4:2:0")
            val (y, u, v) = image.planes.map(::plane)
            pixels.write(argb, y, u, v)
            codec.queueInputBuffer(index, 0, width * height * 3 / 2, timeUs + shiftUs, 0)
            drain(isLast = false)
        }

    /** Writes what the encoder still holds, the rest of the sound, and the end of the file. */
    fun finish() {
        telling(VideoProblem.ENCODER, "the last frames cannot be encoded") {
            codec.queueInputBuffer(freeInput(), 0, 0, 0, MediaCodec.BUFFER_FLAG_END_OF_STREAM)
            drain(isLast = true)
        }
        sound?.copyTo(muxer, Long.MAX_VALUE, shiftUs)
        telling(VideoProblem.OUTPUT, "the end of the video cannot be written") { muxer.stop() }
    }

    private fun freeInput(): Int {
        val patience = Patience("the encoder takes no frame", VideoProblem.ENCODER)
        while (true) {
            val index = codec.dequeueInputBuffer(WAIT_US)
            if (index >= 0) return index
            drain(isLast = false)
            patience.goOn()
        }
    }

    /** Takes what the encoder has ready, or everything until its end. */
    private fun drain(isLast: Boolean) {
        val patience = Patience("the encoder does not end", VideoProblem.ENCODER)
        while (true) {
            val index = codec.dequeueOutputBuffer(info, if (isLast) WAIT_US else 0)
            when {
                index >= 0 -> {
                    val isEnd = info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0
                    save(index)
                    if (isEnd) return
                }
                index == MediaCodec.INFO_OUTPUT_FORMAT_CHANGED -> begin(codec.outputFormat)
                isLast -> patience.goOn()
                else -> return
            }
        }
    }

    private fun save(index: Int) {
        // What configures a decoder is in the format already.
        if (info.size > 0 && info.flags and MediaCodec.BUFFER_FLAG_CODEC_CONFIG == 0) {
            val bytes = checkNotNull(codec.getOutputBuffer(index))
            telling(VideoProblem.OUTPUT, "the video cannot be written") { muxer.writeSampleData(track, bytes, info) }
            sound?.copyTo(muxer, info.presentationTimeUs - shiftUs, shiftUs)
        }
        codec.releaseOutputBuffer(index, false)
    }

    private fun begin(format: MediaFormat) =
        telling(VideoProblem.OUTPUT, "the video cannot be begun") {
            track = muxer.addTrack(format)
            hasSound = sound?.addTo(muxer) == true
            muxer.start()
        }

    private fun plane(plane: Image.Plane) = YuvPlane(plane.buffer, plane.rowStride, plane.pixelStride)

    override fun close() {
        codec.release()
        muxer.release()
    }

    private companion object {
        const val LEAST_BITS = 1_000_000
        const val BITS_A_PIXEL = 0.25
    }
}
