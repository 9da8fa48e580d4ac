package org.edgebundle.sdk.core

/**
 * How the three planes of a frame say a colour, in 16-bit fixed point (ITU-R BT.601 and BT.709): cameras give
 * [FULL_601], files of videos mostly the limited ones, where luma is 16 to 235.
 */
enum class YuvColours(
    internal val black: Int,
    internal val luma: Int,
    internal val redOfRed: Int,
    internal val greenOfBlue: Int,
    internal val greenOfRed: Int,
    internal val blueOfBlue: Int,
) {
    FULL_601(0, 65536, 91881, 22553, 46802, 116130),
    LIMITED_601(16, 76309, 104597, 25675, 53279, 132201),
    FULL_709(0, 65536, 103206, 12276, 30679, 121609),
    LIMITED_709(16, 76309, 117489, 13975, 34925, 138438),
}
