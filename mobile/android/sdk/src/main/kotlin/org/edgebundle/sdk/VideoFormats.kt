package org.edgebundle.sdk

import android.graphics.ImageFormat
import android.media.Image
import android.media.MediaFormat
import org.edgebundle.sdk.core.VideoError
import org.edgebundle.sdk.core.VideoProblem
import org.edgebundle.sdk.core.YuvColours
import org.edgebundle.sdk.core.YuvFrame
import org.edgebundle.sdk.core.YuvPlane

/** A number of a format, or `null` where it does not tell. */
internal fun MediaFormat.number(key: String): Int? {
    if (!containsKey(key)) return null
    return try {
        getInteger(key)
    } catch (_: ClassCastException) { // some tell their frame rate with a fraction
        getFloat(key).toInt()
    }
}

/**
 * How a decoder's frames say colours. Where it does not tell, as players take it: limited, BT.709 from 720 rows on.
 * Throws [VideoError] for pictures of a high dynamic range: their colours would be wrong.
 */
internal fun coloursOf(format: MediaFormat, height: Int): YuvColours {
    val transfer = format.number(MediaFormat.KEY_COLOR_TRANSFER)
    val standard = format.number(MediaFormat.KEY_COLOR_STANDARD)
    if (
        transfer == MediaFormat.COLOR_TRANSFER_ST2084 ||
            transfer == MediaFormat.COLOR_TRANSFER_HLG ||
            standard == MediaFormat.COLOR_STANDARD_BT2020
    ) {
        throw VideoError(
            VideoProblem.INPUT,
            "the video is of a high dynamic range (HDR), which is not read; record or export it in standard range",
        )
    }
    val is709 = if (standard == null) height >= HD_ROWS else standard == MediaFormat.COLOR_STANDARD_BT709
    val isFull = format.number(MediaFormat.KEY_COLOR_RANGE) == MediaFormat.COLOR_RANGE_FULL
    return when {
        is709 -> if (isFull) YuvColours.FULL_709 else YuvColours.LIMITED_709
        else -> if (isFull) YuvColours.FULL_601 else YuvColours.LIMITED_601
    }
}

/** The visible part of a decoder's picture as a frame. Throws [VideoError] for other pictures than 8-bit 4:2:0. */
internal fun frameOf(image: Image, rotation: Int, colours: YuvColours): YuvFrame {
    if (image.format != ImageFormat.YUV_420_888) {
        throw VideoError(
            VideoProblem.DECODER,
            "the decoder gives pictures of format ${image.format}, and 8-bit YUV 4:2:0 is read",
        )
    }
    val part = image.cropRect
    val planes =
        image.planes.mapIndexed { i, plane ->
            val (left, top) = if (i == 0) part.left to part.top else part.left / 2 to part.top / 2
            val bytes = plane.buffer.duplicate()
            bytes.position(top * plane.rowStride + left * plane.pixelStride)
            YuvPlane(bytes.slice(), plane.rowStride, plane.pixelStride)
        }
    return YuvFrame(part.width(), part.height(), planes[0], planes[1], planes[2], rotation, colours)
}

private const val HD_ROWS = 720
