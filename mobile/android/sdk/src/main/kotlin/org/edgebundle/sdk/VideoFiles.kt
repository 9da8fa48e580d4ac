@file:JvmName("VideoFiles")

package org.edgebundle.sdk

import android.content.Context
import android.media.MediaExtractor
import android.net.Uri
import java.io.File
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import org.edgebundle.sdk.core.CallQueue
import org.edgebundle.sdk.core.VideoError
import org.edgebundle.sdk.core.VideoPass
import org.edgebundle.sdk.core.VideoProblem
import org.edgebundle.sdk.core.VideoStages
import org.edgebundle.sdk.core.telling

/** Is told how far a video is, 0 to 1, on the thread that processes it; nothing where its file tells no duration. */
fun interface VideoProgress {
    fun report(done: Float)

    companion object {
        /** Tells nobody. */
        @JvmField val NONE = VideoProgress {}
    }
}

/**
 * A video that was written: its pictures' size, how many frames it has and how many of them the network saw. [notes]
 * say what was left out, and why.
 */
class VideoMade
internal constructor(
    val width: Int,
    val height: Int,
    val frames: Int,
    val keys: Int,
    val hasSound: Boolean,
    val notes: List<String>,
)

/** Where a video is read from, which is opened twice: for its pictures and for its sound. */
internal class VideoSource(private val name: String, val open: (MediaExtractor) -> Unit) {
    override fun toString() = name
}

/**
 * A whole video through the network: each frame of [input], upright, styled and written to [output] as H.264 in an .mp4
 * with its own time, and the sound as it is. The pictures have the network's size (less one row or column where that is
 * odd). The network runs on each [every]-th frame and where the scene is cut; its results are carried to the others
 * along what moves, which is steadier than running it on each (docs/sdk-rules.md, "Video files").
 *
 * Blocks for long: call it off the main thread. Other calls on the model are taken between two runs of the network. It
 * ends by [ImageModel.cancel] or [ImageModel.close] with a CancellationException, and by a [VideoError] that says what
 * failed; then nothing is left at [output]. An existing file there is replaced when the new one is whole. Throws
 * IllegalArgumentException for a network whose output is no picture of its input's size.
 */
@JvmOverloads
@Throws(VideoError::class)
fun ImageModel.processVideo(
    input: File,
    output: File,
    every: Int = USUAL_EVERY,
    progress: VideoProgress = VideoProgress.NONE,
): VideoMade = converted(sourceOf(input), output, every, progress, call())

/** [processVideo] of what a photo picker gives. */
@JvmOverloads
@Throws(VideoError::class)
fun ImageModel.processVideo(
    context: Context,
    input: Uri,
    output: File,
    every: Int = USUAL_EVERY,
    progress: VideoProgress = VideoProgress.NONE,
): VideoMade = converted(sourceOf(context, input), output, every, progress, call())

/** The name that [processVideo] has for networks that change a picture's style. */
@JvmOverloads
@Throws(VideoError::class)
fun ImageModel.stylizeVideo(
    input: File,
    output: File,
    every: Int = USUAL_EVERY,
    progress: VideoProgress = VideoProgress.NONE,
): VideoMade = processVideo(input, output, every, progress)

/** [stylizeVideo] of what a photo picker gives. */
@JvmOverloads
@Throws(VideoError::class)
fun ImageModel.stylizeVideo(
    context: Context,
    input: Uri,
    output: File,
    every: Int = USUAL_EVERY,
    progress: VideoProgress = VideoProgress.NONE,
): VideoMade = processVideo(context, input, output, every, progress)

/** [processVideo] on a thread of its own; cancelling the coroutine ends it. [progress] is told on that thread. */
suspend fun ImageModel.awaitProcessedVideo(
    input: File,
    output: File,
    every: Int = USUAL_EVERY,
    progress: VideoProgress = VideoProgress.NONE,
): VideoMade = onOwnThread { converted(sourceOf(input), output, every, progress, it) }

/** [awaitProcessedVideo] of what a photo picker gives. */
suspend fun ImageModel.awaitProcessedVideo(
    context: Context,
    input: Uri,
    output: File,
    every: Int = USUAL_EVERY,
    progress: VideoProgress = VideoProgress.NONE,
): VideoMade = onOwnThread { converted(sourceOf(context, input), output, every, progress, it) }

private const val USUAL_EVERY = 5

private fun sourceOf(file: File) = VideoSource(file.path) { it.setDataSource(file.path) }

private fun sourceOf(context: Context, uri: Uri) = VideoSource(uri.toString()) { it.setDataSource(context, uri, null) }

private suspend fun ImageModel.onOwnThread(work: (CallQueue.Call) -> VideoMade): VideoMade {
    val call = call()
    return suspendCancellableCoroutine { continuation ->
        continuation.invokeOnCancellation { call.giveUp() }
        val run = Runnable {
            try {
                continuation.resume(work(call))
            } catch (error: Throwable) { // whatever it is, the coroutine must hear of it
                continuation.resumeWithException(error)
            }
        }
        Thread(run, "edgebundle-video").apply { isDaemon = true }.start()
    }
}

private fun ImageModel.converted(
    source: VideoSource,
    output: File,
    every: Int,
    progress: VideoProgress,
    call: CallQueue.Call,
): VideoMade {
    val spec = inputSpec
    require(outputWidth == spec.width && outputHeight == spec.height) {
        "video needs a network whose output is a picture of its input's size"
    }
    val part = File(output.absoluteFile.parentFile, "${output.name}.part")
    try {
        val made =
            SoundTrack.of(source).use { sound ->
                VideoReader(source, spec).use { pass(it, sound, part, every, progress, call) }
            }
        call.check()
        if (!part.renameTo(output)) throw VideoError(VideoProblem.OUTPUT, "$output cannot be written")
        return made
    } finally {
        part.delete() // nothing is there any more once it was renamed
    }
}

private fun ImageModel.pass(
    reader: VideoReader,
    sound: SoundTrack?,
    part: File,
    every: Int,
    progress: VideoProgress,
    call: CallQueue.Call,
): VideoMade {
    val (width, height) = inputSpec.width and 1.inv() to (inputSpec.height and 1.inv())
    return VideoWriter(part, width, height, inputSpec.width, reader.rate, sound).use { writer ->
        val stages =
            object : VideoStages {
                override fun read(frame: IntArray) = reader.read(frame)

                override fun network(frame: IntArray, styled: IntArray) = styled(frame, styled, call)

                override fun write(picture: IntArray, timeUs: Long) {
                    writer.write(picture, timeUs)
                    reader.durationUs?.let { progress.report((timeUs.toFloat() / it).coerceIn(0f, 1f)) }
                }
            }
        val count = VideoPass(inputSpec.width, inputSpec.height, every, stages).run(call::check)
        if (count.frames == 0) throw VideoError(VideoProblem.INPUT, "the video has no frame")
        writer.finish()
        progress.report(1f)
        val notes =
            if (sound == null || writer.hasSound) emptyList()
            else listOf("its sound (${sound.type}) cannot be put into an .mp4 on this device and is left out")
        VideoMade(width, height, count.frames, count.keys, writer.hasSound, notes)
    }
}

/** One run of the network, when its turn on the model has come. */
private fun ImageModel.styled(frame: IntArray, styled: IntArray, call: CallQueue.Call) =
    telling(VideoProblem.NETWORK, "the network failed on a frame") {
        try {
            call.run { render(frame, styled, call) }
        } catch (error: IllegalStateException) {
            call.check() // a model that was closed has cancelled this call
            throw error
        }
    }
