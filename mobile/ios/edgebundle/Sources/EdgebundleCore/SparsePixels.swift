private let block = 4

/// One pixel of each block of 4 x 4 pixels, as goldens of packages hold expected pictures: block (row, column) gives
/// its pixel (column % 4, (column / 4 + row) % 4), so that each row and column has the same share. The rule is that of
/// builder/bundle/sparse.py.
func sparsePixels(_ argb: [UInt32], width: Int, height: Int) -> [UInt32] {
    var found: [UInt32] = []
    found.reserveCapacity(sparseSize(width) * sparseSize(height))
    for row in 0..<sparseSize(height) {
        for column in 0..<sparseSize(width) {
            found.append(argb[(block * row + column % block) * width + block * column + (column / block + row) % block])
        }
    }
    return found
}

/// Width or height of the sparse picture of one that is `size` pixels wide or high.
func sparseSize(_ size: Int) -> Int { size / block }
