/** Large pictures from tiles: the algorithm of docs/formats/tiling.md, as Python, Kotlin and Swift realise it. */

import { BundleError, type Tiling } from "./manifest.js";

/** Source pixels over which a tile takes over from the one before. */
const BAND = 8;
/** A tile must move on by at least this part of its side. */
const LEAST_STEP = 4;
const ONE = 256;

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Opaque RGBA bytes. */
  readonly data: Uint8ClampedArray;
}

export type Render = (tile: Pixels) => Promise<Uint8ClampedArray>;

export class Tiler {
  private constructor(
    readonly width: number,
    readonly height: number,
    readonly scale: number,
    private readonly margin: number,
    private readonly band: number,
    private readonly multiple: number,
  ) {}

  /** Tiles for a network's input by the facts of its bundle. Throws BundleError where it cannot work in tiles. */
  static of(width: number, height: number, scale: number, facts: Tiling | null | undefined): Tiler {
    if (facts && !facts.allowed) throw new BundleError(`this network cannot work in tiles (${facts.reason}).`);
    const side = Math.min(width, height);
    if (!facts || facts.overlap === null) return new Tiler(width, height, scale, 0, Math.floor(side / 8), 1);
    const made = new Tiler(width, height, scale, facts.overlap, BAND, facts.multiple ?? 1);
    if (LEAST_STEP * made.step(side) < side) {
      throw new BundleError(`this network needs ${facts.overlap} pixels around each tile, too many for tiles of ${side}.`);
    }
    return made;
  }

  private step(side: number): number {
    return Math.floor((side - 2 * this.margin - this.band) / this.multiple) * this.multiple;
  }

  /** Where tiles start along a picture's side; the last one ends at the picture's edge or just behind it. */
  starts(size: number, side: number): number[] {
    if (size <= side) return [0];
    const step = this.step(side);
    const last = Math.ceil((size - side) / this.multiple) * this.multiple;
    const all: number[] = [];
    for (let start = 0; start < last; start += step) all.push(start);
    return [...all, last];
  }

  /** The output for a picture; `onTile` hears how many of how many tiles are done. */
  async run(picture: Pixels, render: Render, onTile: (done: number, all: number) => void = () => {}): Promise<Pixels> {
    const tops = this.starts(picture.height, this.height);
    const lefts = this.starts(picture.width, this.width);
    const [width, height] = [picture.width * this.scale, picture.height * this.scale];
    const whole = new Uint8ClampedArray(width * height * 4);
    let done = 0;
    for (const top of tops) {
      const row = new Uint8ClampedArray(width * this.height * this.scale * 4);
      for (const left of lefts) {
        const tile = await render({ width: this.width, height: this.height, data: this.cut(picture, left, top) });
        this.takeOverColumns(row, width, tile, left * this.scale);
        onTile(++done, tops.length * lefts.length);
      }
      this.takeOverRows(whole, width, height, row, top * this.scale);
    }
    return { width, height, data: whole };
  }

  /** A tile's pixels; beyond the picture its edge pixels go on. */
  private cut(picture: Pixels, left: number, top: number): Uint8ClampedArray {
    const tile = new Uint8ClampedArray(this.width * this.height * 4);
    for (let y = 0; y < this.height; y++) {
      const source = Math.min(top + y, picture.height - 1) * picture.width;
      for (let x = 0; x < this.width; x++) {
        const from = (source + Math.min(left + x, picture.width - 1)) * 4;
        tile.set(picture.data.subarray(from, from + 4), (y * this.width + x) * 4);
      }
    }
    return tile;
  }

  /** Of 256: how much of a tile behind another counts at output place `at`. */
  private weight(at: number): number {
    const into = at - this.margin * this.scale;
    const band = this.band * this.scale;
    if (into < 0) return 0;
    return into >= band ? ONE : Math.floor(((2 * into + 1) * ONE) / (2 * band));
  }

  private takeOverColumns(row: Uint8ClampedArray, width: number, tile: Uint8ClampedArray, left: number): void {
    const side = this.width * this.scale;
    for (let x = 0; x < Math.min(side, width - left); x++) {
      const weight = left === 0 ? ONE : this.weight(x);
      for (let y = 0; y < this.height * this.scale; y++) {
        mix(row, (y * width + left + x) * 4, tile, (y * side + x) * 4, weight);
      }
    }
  }

  private takeOverRows(whole: Uint8ClampedArray, width: number, height: number, row: Uint8ClampedArray, top: number): void {
    for (let y = 0; y < Math.min(this.height * this.scale, height - top); y++) {
      const weight = top === 0 ? ONE : this.weight(y);
      for (let x = 0; x < width; x++) mix(whole, ((top + y) * width + x) * 4, row, (y * width + x) * 4, weight);
    }
  }
}

/** Mixes one pixel in 8 bits. */
function mix(target: Uint8ClampedArray, at: number, fresh: Uint8ClampedArray, from: number, weight: number): void {
  for (let k = 0; k < 3; k++) {
    target[at + k] = Math.floor((target[at + k]! * (ONE - weight) + fresh[from + k]! * weight + ONE / 2) / ONE);
  }
  target[at + 3] = 255;
}
