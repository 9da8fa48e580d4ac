package org.edgebundle.sdk.core

/** Which part of a video's way failed. */
enum class VideoProblem {
    /** The input cannot be read, or is no video. */
    INPUT,

    /** This device cannot decode what the input holds. */
    DECODER,

    /** The network failed on a frame. */
    NETWORK,

    /** This device cannot encode the result. */
    ENCODER,

    /** The output cannot be written. */
    OUTPUT,
}

/** A video could not be processed; the message says what failed and why. Nothing was left at the output's place. */
class VideoError(val problem: VideoProblem, message: String, cause: Throwable? = null) : Exception(message, cause)
