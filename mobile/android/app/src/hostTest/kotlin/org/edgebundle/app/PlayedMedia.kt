package org.edgebundle.app

import android.graphics.ImageFormat
import android.graphics.Rect
import android.media.Image
import android.media.MediaCodec
import android.media.MediaCrypto
import android.media.MediaExtractor
import android.media.MediaFormat
import android.media.MediaMuxer
import android.view.Surface
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.annotation.RealObject
import org.robolectric.shadow.api.Shadow

/** A packet of a played file: what it holds, and when. */
class PlayedSample(val bytes: ByteArray, val timeUs: Long)

/** A played file of a video: tracks of packets. A packet of pictures is a frame of YUV 4:2:0, plane after plane. */
class PlayedMovie(val tracks: List<Pair<MediaFormat, List<PlayedSample>>>) {
    companion object {
        val files = HashMap<String, PlayedMovie>()
        /** What shall go wrong: `decoder`, `decode`, `encoder`, `encode`, `write`, `sound`, `stop`. */
        var fault = ""
    }
}

/** Plays the reader of files. */
@Implements(MediaExtractor::class)
class PlayedExtractor {
    private lateinit var movie: PlayedMovie
    private lateinit var samples: List<PlayedSample>
    private var next = 0

    @Implementation
    fun setDataSource(path: String) {
        movie = PlayedMovie.files[path] ?: throw IOException("Failed to instantiate extractor.")
    }

    @Implementation fun getTrackCount() = movie.tracks.size

    @Implementation fun getTrackFormat(index: Int) = MediaFormat(movie.tracks[index].first)

    @Implementation
    fun selectTrack(index: Int) {
        samples = movie.tracks[index].second
    }

    @Implementation
    fun readSampleData(into: ByteBuffer, offset: Int): Int {
        val sample = samples.getOrNull(next) ?: return -1
        into.position(offset)
        into.put(sample.bytes)
        return sample.bytes.size
    }

    @Implementation fun getSampleTime() = samples.getOrNull(next)?.timeUs ?: -1L

    @Implementation fun getSampleFlags() = MediaExtractor.SAMPLE_FLAG_SYNC

    @Implementation fun advance() = ++next < samples.size

    @Implementation fun release() = Unit
}

/** Plays a decoder or an encoder: what goes in comes out, three packets later, after the format. */
@Implements(MediaCodec::class)
class PlayedCodec {
    private lateinit var format: MediaFormat
    private val room = ByteBuffer.allocateDirect(1 shl 20)
    private val waiting = ArrayDeque<Pair<ByteArray, MediaCodec.BufferInfo>>()
    private var taken: ByteArray? = null
    private var isEncoder = false
    private var hasToldFormat = false
    private var count = 0

    @Implementation
    fun configure(format: MediaFormat, surface: Surface?, crypto: MediaCrypto?, flags: Int) {
        this.format = format
        isEncoder = flags and MediaCodec.CONFIGURE_FLAG_ENCODE != 0
        if (PlayedMovie.fault == if (isEncoder) "encoder" else "decoder") throw IllegalArgumentException("0x80001001")
    }

    @Implementation fun start() = Unit

    @Implementation
    fun dequeueInputBuffer(timeoutUs: Long): Int {
        if (waiting.size > MOST_WAITING) return MediaCodec.INFO_TRY_AGAIN_LATER
        room.clear()
        return 0
    }

    @Implementation fun getInputBuffer(index: Int): ByteBuffer = room

    @Implementation fun getInputImage(index: Int): Image = PlayedImage(format, room)

    @Implementation
    fun queueInputBuffer(index: Int, offset: Int, size: Int, timeUs: Long, flags: Int) {
        if (PlayedMovie.fault == (if (isEncoder) "encode" else "decode") && ++count > 2)
            throw IllegalStateException("codec died")
        val bytes = ByteArray(size).also { room.duplicate().apply { position(offset) }.get(it) }
        waiting += bytes to MediaCodec.BufferInfo().apply { set(0, size, timeUs, flags) }
    }

    @Implementation
    fun dequeueOutputBuffer(info: MediaCodec.BufferInfo, timeoutUs: Long): Int {
        val isEnding = waiting.any { it.second.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0 }
        if (waiting.isEmpty() || !isEnding && waiting.size < MOST_WAITING) return MediaCodec.INFO_TRY_AGAIN_LATER
        if (!hasToldFormat) {
            hasToldFormat = true
            return MediaCodec.INFO_OUTPUT_FORMAT_CHANGED
        }
        val (bytes, own) = waiting.removeFirst()
        taken = bytes
        info.set(0, own.size, own.presentationTimeUs, own.flags)
        return 0
    }

    @Implementation fun getOutputFormat() = format

    @Implementation fun getOutputImage(index: Int): Image = PlayedImage(format, ByteBuffer.wrap(taken))

    @Implementation fun getOutputBuffer(index: Int): ByteBuffer = ByteBuffer.wrap(taken)

    @Implementation
    fun releaseOutputBuffer(index: Int, render: Boolean) {
        taken = null
    }

    @Implementation fun release() = Unit

    companion object {
        private const val MOST_WAITING = 3

        @Implementation
        @JvmStatic
        fun createDecoderByType(type: String): MediaCodec = Shadow.newInstanceOf(MediaCodec::class.java)

        @Implementation
        @JvmStatic
        fun createEncoderByType(type: String): MediaCodec = Shadow.newInstanceOf(MediaCodec::class.java)
    }
}

/** A frame of YUV 4:2:0, plane after plane. */
private class PlayedImage(format: MediaFormat, private val bytes: ByteBuffer) : Image() {
    private val wide = format.getInteger(MediaFormat.KEY_WIDTH)
    private val high = format.getInteger(MediaFormat.KEY_HEIGHT)

    override fun getFormat() = ImageFormat.YUV_420_888

    override fun getWidth() = wide

    override fun getHeight() = high

    override fun getTimestamp() = 0L

    override fun getTransform() = 0

    override fun getScalingMode() = 0

    override fun getCropRect() = Rect(0, 0, wide, high)

    override fun close() = Unit

    override fun getPlanes(): Array<Plane> {
        val luma = wide * high
        return arrayOf(plane(0, luma, wide), plane(luma, luma / 4, wide / 2), plane(luma * 5 / 4, luma / 4, wide / 2))
    }

    private fun plane(at: Int, size: Int, stride: Int) =
        object : Plane() {
            override fun getRowStride() = stride

            override fun getPixelStride() = 1

            override fun getBuffer(): ByteBuffer = bytes.duplicate().apply { limit(at + size).position(at) }.slice()
        }
}

/** Plays the writer of files: the file at its path holds its number in `written`. */
@Implements(MediaMuxer::class)
class PlayedMuxer {
    @RealObject private lateinit var real: MediaMuxer
    private val tracks = ArrayList<Pair<MediaFormat, ArrayList<PlayedSample>>>()
    private lateinit var path: String

    @Implementation
    fun __constructor__(path: String, format: Int) {
        File(path).writeText("begun")
        this.path = path
    }

    @Implementation
    fun addTrack(format: MediaFormat): Int {
        val isSound = format.getString(MediaFormat.KEY_MIME).orEmpty().startsWith("audio/")
        if (PlayedMovie.fault == "sound" && isSound) throw IllegalStateException("Failed to add the track to the muxer")
        tracks += format to ArrayList()
        return tracks.size - 1
    }

    @Implementation fun start() = Unit

    @Implementation
    fun writeSampleData(track: Int, bytes: ByteBuffer, info: MediaCodec.BufferInfo) {
        if (PlayedMovie.fault == "write") throw IllegalStateException("writeSampleData returned an error")
        val last = tracks[track].second.lastOrNull()
        require(info.presentationTimeUs >= 0 && (last == null || info.presentationTimeUs > last.timeUs))
        val content = ByteArray(info.size).also { bytes.duplicate().apply { position(info.offset) }.get(it) }
        tracks[track].second += PlayedSample(content, info.presentationTimeUs)
    }

    @Implementation
    fun stop() {
        if (PlayedMovie.fault == "stop") throw IllegalStateException("Failed to stop the muxer")
        written += PlayedMovie(tracks)
        File(path).writeText("${written.size - 1}")
    }

    @Implementation fun release() = Unit

    companion object {
        val written = ArrayList<PlayedMovie>()
    }
}
