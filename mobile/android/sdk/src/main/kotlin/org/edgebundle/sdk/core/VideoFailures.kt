package org.edgebundle.sdk.core

import java.io.IOException
import java.util.concurrent.CancellationException

/**
 * [work], whose failures of any kind are a [VideoError] of this [problem]: "[what] failed" and what was thrown. A
 * cancellation stays one.
 */
internal inline fun <T> telling(problem: VideoProblem, what: String, work: () -> T): T {
    try {
        return work()
    } catch (error: VideoError) {
        throw error
    } catch (error: CancellationException) {
        throw error
    } catch (error: IOException) {
        throw told(problem, what, error)
    } catch (error: BundleError) {
        throw told(problem, what, error)
    } catch (error: RuntimeException) { // codecs throw of many kinds, and none is declared
        throw told(problem, what, error)
    } catch (error: OutOfMemoryError) {
        throw told(problem, what, error)
    }
}

internal fun told(problem: VideoProblem, what: String, error: Throwable) =
    VideoError(problem, "$what (${error.message ?: error.javaClass.simpleName})", error)
