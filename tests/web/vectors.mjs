// The page's arithmetic against docs/formats/vectors: node vectors.js FOLDER prints one line a file, and ends with 1 at a difference.
import { deepStrictEqual, ok, throws } from "node:assert";
import { readFileSync } from "node:fs";

import { browserOf, systemOf } from "../src/browser.js";
import { composeOnWhite, pixelsToTensor, tensorToPixels } from "../src/codec.js";
import { labelsOf } from "../src/labels.js";
import { BundleError } from "../src/manifest.js";
import { boundedSize, MOST_PIXELS } from "../src/pictures.js";
import { sparsePixels } from "../src/sparse.js";
import { Tiler } from "../src/tiler.js";

const folder = process.argv[2];
const cases = (file) => JSON.parse(readFileSync(`${folder}/${file}`, "utf-8")).cases;
const bytes = (text) => new Uint8ClampedArray(Buffer.from(text, "base64"));
const words = (text) => Array.from(new Uint32Array(new Uint8Array(Buffer.from(text, "base64")).buffer));
const bits = (floats) => Array.from(new Uint32Array(floats.slice().buffer));

/** Opaque RGBA bytes of RGB bytes. */
function rgba(text) {
  const rgb = bytes(text);
  return new Uint8ClampedArray((rgb.length / 3) * 4).map((_, at) => (at % 4 === 3 ? 255 : rgb[((at - (at % 4)) / 4) * 3 + (at % 4)]));
}

function noise(width, height) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const word = (7919 * x + 104729 * y) % (1 << 24);
      data.set([word >> 16, (word >> 8) & 255, word & 255, 255], (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

async function tiles(one) {
  const [tileHeight, tileWidth] = one.tile;
  if (!one.picture) {
    if (one.refused) return throws(() => Tiler.of(tileWidth, tileHeight, 1, one.facts), BundleError);
    const made = Tiler.of(tileWidth, tileHeight, 1, one.facts);
    return deepStrictEqual([made.margin, made.band, made.multiple], [one.margin, one.band, one.multiple]);
  }
  const [height, width] = one.picture;
  const tiler = new Tiler(tileWidth, tileHeight, one.scale, one.margin, one.band, one.multiple);
  deepStrictEqual([tiler.starts(height, tileHeight), tiler.starts(width, tileWidth)], [one.rows, one.columns]);
  let number = 0;
  const result = await tiler.run(noise(width, height), async (tile) => {
    const wide = tileWidth * one.scale;
    const made = new Uint8ClampedArray(wide * tileHeight * one.scale * 4);
    for (let at = 0; at < made.length / 4; at++) {
      const from = Math.floor(Math.floor(at / wide) / one.scale) * tileWidth + Math.floor((at % wide) / one.scale);
      for (let k = 0; k < 3; k++) made[at * 4 + k] = (tile.data[from * 4 + k] + 37 * number) & 255;
      made[at * 4 + 3] = 255;
    }
    number++;
    return made;
  });
  deepStrictEqual(result.data, rgba(one.result));
}

async function pictures(one) {
  deepStrictEqual(bits(pixelsToTensor(rgba(one.pixels), one.spec, one.binding.layout)), words(one.tensor), one.id);
  const output = new Float32Array(new Uint32Array(words(one.output)).buffer);
  deepStrictEqual(tensorToPixels(output, one.spec, one.binding.layout), rgba(one.output_pixels), one.id);
}

async function transparency(one) {
  deepStrictEqual(composeOnWhite(bytes(one.straight)), rgba(one.opaque));
}

async function sparse(one) {
  const [height, width] = one.size;
  deepStrictEqual(sparsePixels(rgba(one.pixels), width, height), rgba(one.sparse));
}

async function browsers(one) {
  deepStrictEqual({ ...browserOf(one.agent), system: systemOf(one.agent) }, { name: one.name, version: one.version, system: one.system });
}

async function labels({ values, names, most, labels, places }) {
  const scores = new Float32Array(new Uint32Array(words(values)).buffer);
  const found = labelsOf(scores, names, most, true);
  deepStrictEqual(found.map(({ name }) => name), labels);
  deepStrictEqual(found.map(({ score }) => score), places.map((at) => scores[at]));
  throws(() => labelsOf(scores, names, 0, true), BundleError);
}

for (const [file, check] of Object.entries({ "tiling.json": tiles, "pictures.json": pictures, "transparency.json": transparency, "sparse.json": sparse, "browsers.json": browsers, "labels.json": labels })) {
  const all = cases(file);
  for (const one of all) await check(one);
  console.log(`${file}: ${all.length}`);
}

// What a network makes of the largest picture fits a canvas too.
for (const scale of [1, 2, 4]) {
  const [width, height] = boundedSize(12_000, 9_000, scale);
  ok(width * height * scale ** 2 <= MOST_PIXELS && width * height * scale ** 2 > 0.99 * MOST_PIXELS);
  deepStrictEqual(boundedSize(640, 480, scale), [640, 480]);
}
