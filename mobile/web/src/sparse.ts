/** Sparse pictures: one pixel of each block of 4 x 4, as goldens of packages hold what must come out (builder/bundle/sparse.py). */

const BLOCK = 4;

/** Width or height of the sparse picture of one that is `size` pixels wide or high. */
export function sparseSize(size: number): number {
  return Math.floor(size / BLOCK);
}

/** Of RGBA bytes: block (row, column) gives its pixel (column % 4, (column / 4 + row) % 4). */
export function sparsePixels(rgba: Uint8ClampedArray, width: number, height: number): Uint8ClampedArray {
  const [rows, columns] = [sparseSize(height), sparseSize(width)];
  const found = new Uint8ClampedArray(rows * columns * 4);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const y = BLOCK * row + (column % BLOCK);
      const x = BLOCK * column + ((Math.floor(column / BLOCK) + row) % BLOCK);
      found.set(rgba.subarray((y * width + x) * 4, (y * width + x) * 4 + 4), (row * columns + column) * 4);
    }
  }
  return found;
}
