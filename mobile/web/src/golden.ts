/** A bundle's golden: what is put in, what must come out, and how near a browser's output is to it. */

import type { Bundle } from "./bundle.js";
import { pixelsToTensor, psnrDb, tensorToPixels } from "./codec.js";
import type { Values } from "./engine.js";
import { BundleError, type Golden, type GoldenTensor, specsOf, type TensorSpec, type Variant } from "./manifest.js";
import { pixelsOf } from "./pictures.js";
import { sparsePixels, sparseSize } from "./sparse.js";

/** Agreement with a golden, of the output that agrees least. Names are those of a run record. */
export interface GoldenResult {
  readonly id: string;
  readonly passed: boolean;
  readonly psnr_db: number;
  readonly max_abs_error: number;
  readonly min_psnr_db: number;
}

/** The golden that says what a variant gives; undefined where the bundle has none. */
export function goldenOf(bundle: Bundle, variant: Variant): Golden | undefined {
  return bundle.manifest.goldens.find((one) => one.expected.some((expected) => expected.variant === variant.id));
}

/** What a golden puts in, by name in the artifact's own layout. */
export async function goldenInputs(bundle: Bundle, variant: Variant, golden: Golden): Promise<Values> {
  const inputs = new Map<string, Float32Array>();
  for (const spec of specsOf(bundle.manifest.inputs, variant.inputs)) {
    const tensor = golden.inputs.find((one) => one.name === spec.name);
    if (!tensor) throw new BundleError(`the golden has no input ${JSON.stringify(spec.name)}.`);
    const layout = variant.inputs.find((one) => one.name === spec.name)!.layout;
    inputs.set(spec.name, await goldenValues(bundle, tensor, spec, layout));
  }
  return inputs;
}

/** Holds outputs against a golden. Throws BundleError where it names a tensor that there is not. */
export async function compareGolden(bundle: Bundle, variant: Variant, golden: Golden, outputs: Values): Promise<GoldenResult> {
  const expected = golden.expected.find((one) => one.variant === variant.id)!;
  const specs = specsOf(bundle.manifest.outputs, variant.outputs);
  let [psnr, error] = [Infinity, 0];
  for (const tensor of expected.tensors) {
    const spec = specs.find((one) => one.name === tensor.name);
    const got = outputs.get(tensor.name);
    if (!spec || !got) throw new BundleError(`the golden names an output ${JSON.stringify(tensor.name)} that there is not.`);
    const found = await agreement(bundle, variant, tensor, spec, got);
    [psnr, error] = [Math.min(psnr, found.psnr), Math.max(error, found.error)];
  }
  return { id: golden.id, passed: psnr >= expected.min_psnr_db, psnr_db: psnr, max_abs_error: error, min_psnr_db: expected.min_psnr_db };
}

/** Values of a golden's tensor in a layout. Throws BundleError when its file has another size than the tensor. */
async function goldenValues(bundle: Bundle, tensor: GoldenTensor, spec: TensorSpec, layout: Variant["inputs"][0]["layout"]): Promise<Float32Array> {
  const bytes = await bundle.read(tensor.file);
  const count = spec.shape.reduce((product, size) => product * size, 1);
  if (tensor.encoding === "f32") {
    if (bytes.byteLength !== 4 * count) throw new BundleError(`${tensor.file} has another size than its tensor.`);
    const values = new Float32Array(bytes.slice().buffer);
    return layout === "NHWC" ? channelsLast(values, spec.shape) : values;
  }
  const picture = await pixelsOf(new Blob([bytes as BlobPart]));
  const size = tensor.encoding === "png_sparse" ? sparseSize : (side: number) => side;
  if (picture.width !== size(spec.shape[3]!) || picture.height !== size(spec.shape[2]!)) {
    throw new BundleError(`${tensor.file} has another size than its tensor.`);
  }
  return pixelsToTensor(picture.data, spec, layout);
}

async function agreement(
  bundle: Bundle,
  variant: Variant,
  tensor: GoldenTensor,
  spec: TensorSpec,
  got: Float32Array,
): Promise<{ psnr: number; error: number }> {
  const layout = variant.outputs.find((one) => one.name === spec.name)!.layout;
  const expected = await goldenValues(bundle, tensor, spec, layout);
  // An 8-bit golden is compared with what the same 8 bits make of our output; what is not finite they would hide.
  const finite = got.every(Number.isFinite);
  const ours = finite && tensor.encoding !== "f32" ? pixelsToTensor(compared(tensor, tensorToPixels(got, spec, layout), spec), spec, layout) : got;
  const peak = spec.kind === "image" && spec.range ? spec.range[1] - spec.range[0] : spread(expected);
  return { psnr: psnrDb(ours, expected, peak), error: finite ? largest(ours, expected) : LARGEST_FLOAT };
}

function compared(tensor: GoldenTensor, rgba: Uint8ClampedArray, spec: TensorSpec): Uint8ClampedArray {
  return tensor.encoding === "png_sparse" ? sparsePixels(rgba, spec.shape[3]!, spec.shape[2]!) : rgba;
}

/** JSON has no infinity, so that the largest float32 stands for the error of an output that is not finite. */
const LARGEST_FLOAT = 3.4028234663852886e38;

function largest(ours: Float32Array, expected: Float32Array): number {
  let error = 0;
  for (let at = 0; at < expected.length; at++) error = Math.max(error, Math.abs(ours[at]! - expected[at]!));
  return error;
}

function spread(values: Float32Array): number {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return high === low ? Math.abs(high) : high - low; // of a single value its size
}

/** NCHW to NHWC. */
function channelsLast(values: Float32Array, shape: readonly number[]): Float32Array {
  const [, channels, height, width] = shape as [number, number, number, number];
  const moved = new Float32Array(values.length);
  const plane = height * width;
  for (let c = 0; c < channels; c++) for (let i = 0; i < plane; i++) moved[i * channels + c] = values[c * plane + i]!;
  return moved;
}
