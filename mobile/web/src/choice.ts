/** Which variant this browser runs, and how: tried one after the other, each checked on the bundle's golden. */

import type { Bundle } from "./bundle.js";
import { pixelsToTensor, psnrDb, tensorToPixels } from "./codec.js";
import { type Accelerator, Engine, hardwareGpu, type Values } from "./engine.js";
import { BundleError, type Golden, type GoldenTensor, specsOf, type TensorSpec, type Variant } from "./manifest.js";
import { pixelsOf } from "./pictures.js";

export interface Wish {
  /** Only this variant. */
  readonly variant?: string | undefined;
  /** Only this accelerator; WebGPU in software counts when it is asked for. */
  readonly accelerator?: Accelerator | undefined;
}

export interface Tried {
  readonly variant: string;
  readonly accelerator: Accelerator;
  readonly reason: string;
}

export interface Opened {
  readonly engine: Engine;
  readonly variant: Variant;
  /** Agreement with the golden in dB; null where the bundle has none for this variant. */
  readonly goldenDb: number | null;
  readonly tried: readonly Tried[];
}

interface Candidate {
  readonly variant: Variant;
  readonly accelerator: Accelerator;
}

/**
 * The first candidate that loads and passes its golden. WebGPU comes before WebAssembly where the machine has a GPU.
 * A file in fp16 comes last in WebAssembly, which is many times slower with it. Throws BundleError when none works.
 */
export async function chooseVariant(bundle: Bundle, runtime: URL, wish: Wish): Promise<Opened> {
  const gpu = wish.accelerator === "wasm" ? undefined : await hardwareGpu(wish.accelerator === "webgpu");
  const tried: Tried[] = [];
  for (const candidate of candidates(bundle, wish, gpu !== undefined)) {
    const { variant, accelerator } = candidate;
    let engine: Engine | undefined;
    try {
      engine = await Engine.load(runtime, await bundle.read(variant.file), variant, accelerator, gpu);
      return { engine, variant, goldenDb: await checkGolden(bundle, variant, engine), tried };
    } catch (error) {
      engine?.close();
      tried.push({ variant: variant.id, accelerator, reason: (error as Error).message });
    }
  }
  const reasons = tried.map(({ variant, accelerator, reason }) => `${variant} by ${accelerator}: ${reason}`).join(" ");
  throw new BundleError(`no variant of this bundle works in this browser. ${reasons}`);
}

function candidates(bundle: Bundle, wish: Wish, gpu: boolean): Candidate[] {
  const runnable = bundle.manifest.variants.filter((variant) => variant.backend === "tflite");
  if (runnable.length === 0) throw new BundleError("this bundle has no TFLite variant, which is what a browser runs.");
  const wanted = runnable.filter((variant) => wish.variant === undefined || variant.id === wish.variant);
  if (wanted.length === 0) {
    const known = runnable.map((variant) => variant.id).join(", ");
    throw new BundleError(`there is no variant ${JSON.stringify(wish.variant)}; this bundle has ${known}.`);
  }
  const byGpu: Candidate[] = gpu ? wanted.map((variant) => ({ variant, accelerator: "webgpu" })) : [];
  if (wish.accelerator === "webgpu") return byGpu;
  const half = (variant: Variant) => variant.layers.some((layer) => layer.realised === "fp16");
  const inWasm = [...wanted.filter((variant) => !half(variant)), ...wanted.filter(half)];
  return [...byGpu, ...inWasm.map((variant): Candidate => ({ variant, accelerator: "wasm" }))];
}

/** Runs the golden of a variant. Throws BundleError when the picture is not what it must be. */
async function checkGolden(bundle: Bundle, variant: Variant, engine: Engine): Promise<number | null> {
  const golden = bundle.manifest.goldens.find((one) => one.expected.some((expected) => expected.variant === variant.id));
  if (!golden) return null;
  const expected = golden.expected.find((one) => one.variant === variant.id)!;
  const outputs = await engine.run(await goldenInputs(bundle, variant, golden));
  const specs = specsOf(bundle.manifest.outputs, variant.outputs);
  let worst = Infinity;
  for (const tensor of expected.tensors) {
    const spec = specs.find((one) => one.name === tensor.name);
    const got = outputs.get(tensor.name);
    if (!spec || !got) throw new BundleError(`the golden names an output ${JSON.stringify(tensor.name)} that there is not.`);
    worst = Math.min(worst, await agreement(bundle, variant, tensor, spec, got));
  }
  if (!(worst >= expected.min_psnr_db)) {
    throw new BundleError(`its golden picture came out wrong (${worst.toFixed(1)} dB, at least ${expected.min_psnr_db} dB).`);
  }
  return worst;
}

async function goldenInputs(bundle: Bundle, variant: Variant, golden: Golden): Promise<Values> {
  const inputs = new Map<string, Float32Array>();
  for (const spec of specsOf(bundle.manifest.inputs, variant.inputs)) {
    const tensor = golden.inputs.find((one) => one.name === spec.name);
    if (!tensor) throw new BundleError(`the golden has no input ${JSON.stringify(spec.name)}.`);
    const layout = variant.inputs.find((one) => one.name === spec.name)!.layout;
    inputs.set(spec.name, await goldenValues(bundle, tensor, spec, layout));
  }
  return inputs;
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
  if (picture.width !== spec.shape[3] || picture.height !== spec.shape[2]) {
    throw new BundleError(`${tensor.file} has another size than its tensor.`);
  }
  return pixelsToTensor(picture.data, spec, layout);
}

async function agreement(bundle: Bundle, variant: Variant, tensor: GoldenTensor, spec: TensorSpec, got: Float32Array): Promise<number> {
  const layout = variant.outputs.find((one) => one.name === spec.name)!.layout;
  const expected = await goldenValues(bundle, tensor, spec, layout);
  // An 8-bit golden is compared with what the same 8 bits make of our output.
  const ours = tensor.encoding === "png" ? pixelsToTensor(tensorToPixels(got, spec, layout), spec, layout) : got;
  const peak = spec.kind === "image" && spec.range ? spec.range[1] - spec.range[0] : spread(expected);
  return psnrDb(ours, expected, peak);
}

function spread(values: Float32Array): number {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return high - low;
}

/** NCHW to NHWC. */
function channelsLast(values: Float32Array, shape: readonly number[]): Float32Array {
  const [, channels, height, width] = shape as [number, number, number, number];
  const moved = new Float32Array(values.length);
  const plane = height * width;
  for (let c = 0; c < channels; c++) for (let i = 0; i < plane; i++) moved[i * channels + c] = values[c * plane + i]!;
  return moved;
}
