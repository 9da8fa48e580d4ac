package org.edgebundle.app

import android.graphics.Bitmap
import android.media.MediaFormat
import java.io.File
import java.nio.ByteBuffer
import java.util.concurrent.CancellationException
import kotlin.math.abs
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.VideoMade
import org.edgebundle.sdk.awaitProcessedVideo
import org.edgebundle.sdk.core.Crop
import org.edgebundle.sdk.core.VideoError
import org.edgebundle.sdk.core.VideoProblem
import org.edgebundle.sdk.core.YuvColours
import org.edgebundle.sdk.core.YuvFrame
import org.edgebundle.sdk.core.YuvPlane
import org.edgebundle.sdk.processVideo
import org.edgebundle.sdk.stylizeVideo
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Whole videos with the real TensorFlow Lite, over doubles that play Android's reader, codecs and writer of files. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], shadows = [PlayedExtractor::class, PlayedCodec::class, PlayedMuxer::class])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class VideoFilesTest {
    private val output = File(APP.filesDir, "out.mp4")

    @After
    fun noFault() {
        PlayedMovie.fault = ""
    }

    private fun opened(work: (ImageModel) -> Unit) = ImageModel.open(APP, threads = 2).use(work)

    /** A video of 80 x 60 pixels, whose frames have one grey each; with so many packets of sound, one each 20 ms. */
    private fun movie(greys: List<Int>, sounds: Int = 0, rotation: Int = 0): File {
        val format =
            MediaFormat.createVideoFormat("video/avc", WIDTH, HEIGHT).apply {
                setInteger(MediaFormat.KEY_ROTATION, rotation)
                setInteger(MediaFormat.KEY_FRAME_RATE, 30)
                setLong(MediaFormat.KEY_DURATION, greys.size * 33_366L)
            }
        val frames = greys.mapIndexed { i, grey -> PlayedSample(picture { _, _ -> grey }, i * 33_366L) }
        val sound = MediaFormat.createAudioFormat("audio/mp4a-latm", 44_100, 1)
        val packets = List(sounds) { PlayedSample(byteArrayOf(it.toByte()), it * 20_000L) }
        return put(listOf(format to frames) + if (sounds > 0) listOf(sound to packets) else emptyList())
    }

    private fun put(tracks: List<Pair<MediaFormat, List<PlayedSample>>>): File =
        File(APP.filesDir, "in ${PlayedMovie.files.size}.mp4").also { PlayedMovie.files[it.path] = PlayedMovie(tracks) }

    private fun picture(luma: (Int, Int) -> Int) =
        ByteArray(WIDTH * HEIGHT * 3 / 2) {
            if (it < WIDTH * HEIGHT) luma(it % WIDTH, it / WIDTH).toByte() else 128.toByte()
        }

    private fun written() = PlayedMuxer.written[output.readText().toInt()].tracks

    /** The pixels of a written frame, as a player shows them. */
    private fun shown(sample: PlayedSample, size: Int): IntArray {
        val luma = size * size
        fun plane(at: Int, bytes: Int, stride: Int) =
            YuvPlane(ByteBuffer.wrap(sample.bytes, at, bytes).slice(), stride, 1)
        val frame =
            YuvFrame(
                size,
                size,
                plane(0, luma, size),
                plane(luma, luma / 4, size / 2),
                plane(luma * 5 / 4, luma / 4, size / 2),
                0,
                YuvColours.LIMITED_601,
            )
        return IntArray(luma).also { frame.read(Crop(0, 0, size, size), size, size, it) }
    }

    private fun assertShows(wanted: Bitmap, sample: PlayedSample) {
        val pixels = shown(sample, wanted.width)
        val worst =
            pixels.indices.maxOf { i ->
                val pixel = wanted.getPixel(i % wanted.width, i / wanted.width)
                listOf(0, 8, 16).maxOf { abs((pixel shr it and 255) - (pixels[i] shr it and 255)) }
            }
        // Luma and colours are rounded on the way, and the picture of one grey is nearly of one colour.
        assertTrue("$worst", worst <= 24)
    }

    private fun grey(luma: Int, size: Int): Bitmap {
        val level = ((luma - 16) * 255 + 109) / 219
        val word = 0xff000000.toInt() or level * 0x010101
        return Bitmap.createBitmap(IntArray(size * size) { word }, size, size, Bitmap.Config.ARGB_8888)
    }

    @Test
    fun everyFrameIsWrittenWithItsTimeAndTheSoundIsCopied() = opened { model ->
        val greys = listOf(60, 60, 200, 120)
        val told = ArrayList<Float>()
        val made = model.stylizeVideo(movie(greys, sounds = 7), output, every = 1, progress = told::add)
        assertEquals(listOf(4, 4), listOf(made.frames, made.keys))
        assertTrue(made.hasSound && made.notes.isEmpty())
        val (pictures, sound) = written()
        assertEquals(List(4) { it * 33_366L }, pictures.second.map { it.timeUs })
        greys.zip(pictures.second).forEach { (grey, sample) ->
            assertShows(model.process(grey(grey, made.width)), sample)
        }
        assertEquals(List(7) { it.toByte() to it * 20_000L }, sound.second.map { it.bytes[0] to it.timeUs })
        assertEquals(told.sorted(), told)
        assertEquals(1f, told.last())
    }

    @Test
    fun theNetworkRunsOnEveryKthFrameAndWhereTheSceneIsCut() = opened { model ->
        val made = model.processVideo(movie(List(7) { 50 } + List(3) { 220 }), output, every = 3)
        assertEquals(listOf(10, 4), listOf(made.frames, made.keys))
    }

    @Test
    fun aVideoThatWasHeldUprightIsSeenUpright() = opened { model ->
        // Stored on its side: what is shown at the top lies at the left.
        val stored = picture { x, _ -> if (x < WIDTH / 2) 235 else 16 }
        val format =
            MediaFormat.createVideoFormat("video/avc", WIDTH, HEIGHT).apply { setInteger(MediaFormat.KEY_ROTATION, 90) }
        val made = model.processVideo(put(listOf(format to listOf(PlayedSample(stored, 0)))), output)
        val size = made.width
        val upright = IntArray(size * size) { if (it / size < size / 2) 0xffffffff.toInt() else 0xff000000.toInt() }
        val wanted = Bitmap.createBitmap(upright, size, size, Bitmap.Config.ARGB_8888)
        val pixels = shown(written()[0].second[0], size)
        val styled = model.process(wanted)
        for (row in listOf(size / 4, 3 * size / 4)) {
            val pixel = styled.getPixel(size / 2, row)
            val other = pixels[row * size + size / 2]
            assertTrue(listOf(0, 8, 16).all { abs((pixel shr it and 255) - (other shr it and 255)) <= 24 })
        }
    }

    private fun says(problem: VideoProblem, words: String, work: () -> VideoMade) {
        val error = assertThrows(VideoError::class.java) { work() }
        assertEquals(error.message, problem, error.problem)
        assertTrue(error.message, error.message.orEmpty().contains(words))
        assertFalse(output.exists())
        assertEquals(emptyList<String>(), APP.filesDir.list().orEmpty().filter { it.endsWith(".part") })
    }

    @Test
    fun whatFailsIsSaidByItsKindAndNothingIsLeft() = opened { model ->
        val good = movie(List(8) { 90 }, sounds = 3)
        val sound = put(listOf(MediaFormat.createAudioFormat("audio/mp4a-latm", 44_100, 1) to emptyList()))
        val hdr =
            MediaFormat.createVideoFormat("video/hevc", WIDTH, HEIGHT).apply {
                setInteger(MediaFormat.KEY_COLOR_TRANSFER, MediaFormat.COLOR_TRANSFER_HLG)
            }
        says(VideoProblem.INPUT, "cannot be read as a video") { model.processVideo(File("/absent.mp4"), output) }
        says(VideoProblem.INPUT, "no track of pictures") { model.processVideo(sound, output) }
        says(VideoProblem.INPUT, "no frame") { model.processVideo(movie(emptyList()), output) }
        says(VideoProblem.INPUT, "HDR") {
            model.processVideo(put(listOf(hdr to listOf(PlayedSample(picture { _, _ -> 1 }, 0)))), output)
        }
        says(VideoProblem.OUTPUT, "cannot be written") { model.processVideo(good, File("/absent/folder/out.mp4")) }
        val faults =
            mapOf(
                "decoder" to (VideoProblem.DECODER to "cannot decode video/avc"),
                "decode" to (VideoProblem.DECODER to "codec died"),
                "encoder" to (VideoProblem.ENCODER to "cannot encode 64 x 64 pixels"),
                "encode" to (VideoProblem.ENCODER to "codec died"),
                "write" to (VideoProblem.OUTPUT to "cannot be written"),
                "stop" to (VideoProblem.OUTPUT to "the end of the video"),
            )
        for ((fault, told) in faults) {
            PlayedMovie.fault = fault
            says(told.first, told.second) { model.processVideo(good, output) }
        }
        assertThrows(IllegalArgumentException::class.java) { model.processVideo(good, output, every = 0) }
    }

    @Test
    fun soundThatNoFileHoldsIsLeftOutAndThatIsSaid() = opened { model ->
        PlayedMovie.fault = "sound"
        val made = model.processVideo(movie(listOf(80, 80), sounds = 3), output)
        assertFalse(made.hasSound)
        assertTrue(made.notes.single(), "audio/mp4a-latm" in made.notes.single())
        assertEquals(1, written().size)
    }

    @Test
    fun cancelEndsAVideoAndKeepsWhatWasThere() = opened { model ->
        output.writeText("mine")
        val input = movie(List(300) { 70 })
        assertThrows(CancellationException::class.java) {
            model.processVideo(input, output) { if (it > 0.1f) model.cancel() }
        }
        runBlocking {
            val job = launch(Dispatchers.Default) { model.awaitProcessedVideo(input, output) }
            while (job.isActive && !File(output.path + ".part").exists()) Thread.sleep(1)
            job.cancelAndJoin()
        }
        assertEquals("mine", output.readText())
        assertEquals(64, model.process(grey(90, 64)).width)
    }

    @Test
    fun aClosedModelEndsItsVideo() {
        val model = ImageModel.open(APP, threads = 1)
        assertThrows(CancellationException::class.java) {
            model.processVideo(movie(List(300) { 70 }), output) { if (it > 0.1f) Thread { model.close() }.start() }
        }
        assertFalse(output.exists())
    }

    private companion object {
        const val WIDTH = 80
        const val HEIGHT = 60
    }
}
