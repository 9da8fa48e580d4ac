package org.edgebundle.sdk.core

private const val BLOCK = 4

/**
 * One pixel of each block of 4 x 4 pixels, as goldens of packages hold expected pictures: block (row, column) gives its
 * pixel (column % 4, (column / 4 + row) % 4), so that each row and column has the same share. The rule is that of
 * builder/bundle/sparse.py.
 */
internal fun sparsePixels(argb: IntArray, width: Int, height: Int): IntArray {
    val columns = width / BLOCK
    return IntArray(columns * (height / BLOCK)) { i ->
        val row = i / columns
        val column = i % columns
        argb[(BLOCK * row + column % BLOCK) * width + BLOCK * column + (column / BLOCK + row) % BLOCK]
    }
}

/** Width or height of the sparse picture of one that is [size] pixels wide or high. */
internal fun sparseSize(size: Int) = size / BLOCK
