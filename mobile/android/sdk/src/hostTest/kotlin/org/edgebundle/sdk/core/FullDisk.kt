package org.edgebundle.sdk.core

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer

/**
 * Copies 200,000 bytes into the folder that it is given, where the system lets a file have less, and prints what is
 * left there.
 */
fun main(arguments: Array<String>) {
    val content = ByteArray(200_000) { it.toByte() }
    val folder = File(arguments.single())
    try {
        copyOnce(ByteBuffer.allocateDirect(content.size).put(content), folder, sha256(content))
        println("copied")
    } catch (error: IOException) {
        println("refused: ${error.message}")
    }
    println("left: ${folder.list().orEmpty().toList()}")
}
