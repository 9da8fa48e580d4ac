/** Which variant this browser runs, and how: tried one after the other, each checked on the bundle's golden. */

import { browserOf } from "./browser.js";
import type { Bundle } from "./bundle.js";
import { type Accelerator, Engine, gpuName, hardwareGpu, requireKnown, type Values } from "./engine.js";
import { compareGolden, goldenInputs, goldenOf } from "./golden.js";
import { BundleError, type Variant } from "./manifest.js";

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
  /** The bundle's test picture: null where it has none for this variant. */
  readonly golden: Checked | null;
  readonly tried: readonly Tried[];
}

/** A golden that came out right: its agreement in dB, what was put in, and what came out, in the artifact's own layout. */
export interface Checked {
  readonly db: number;
  readonly inputs: Values;
  readonly outputs: Values;
}

interface Candidate {
  readonly variant: Variant;
  readonly accelerator: Accelerator;
}

/**
 * The first candidate that loads and passes its golden, in the order that the bundle says was measured in browsers like this one. What was
 * not measured follows: WebGPU before WebAssembly where the machine has a GPU, and in WebAssembly files in fp16 last, which are many times
 * slower there. Throws BundleError when none works.
 */
export async function chooseVariant(bundle: Bundle, runtime: URL, wish: Wish): Promise<Opened> {
  requireKnown(wish.accelerator);
  const gpu = wish.accelerator === "wasm" ? undefined : await hardwareGpu(wish.accelerator === "webgpu");
  const tried: Tried[] = [];
  for (const candidate of await ranked(candidates(bundle, wish, gpu !== undefined), bundle)) {
    const { variant, accelerator } = candidate;
    let engine: Engine | undefined;
    try {
      engine = await Engine.load(runtime, await bundle.read(variant.file), variant, accelerator, gpu);
      return { engine, variant, golden: await checkGolden(bundle, variant, engine), tried };
    } catch (error) {
      engine?.close();
      tried.push({ variant: variant.id, accelerator, reason: (error as Error).message });
    }
  }
  const reasons = tried.map(({ variant, accelerator, reason }) => `${variant} by ${accelerator}: ${reason}`).join(" ");
  throw new BundleError(`no variant of this bundle works in this browser. ${reasons}`);
}

/** By the order that was measured here; what it does not name keeps its place behind. */
async function ranked(every: readonly Candidate[], { manifest }: Bundle): Promise<readonly Candidate[]> {
  const { browser_rankings: rankings } = manifest;
  if (!rankings?.length) return every;
  const [browser, gpu] = [browserOf(navigator.userAgent).name, await gpuName()];
  const ways = rankings.find((ranking) => ranking.browser === browser && ranking.gpu === gpu)?.ways ?? [];
  const place = ({ variant, accelerator }: Candidate) => {
    const at = ways.findIndex((way) => way.variant === variant.id && way.accelerator === accelerator);
    return at < 0 ? ways.length : at;
  };
  return [...every].sort((one, other) => place(one) - place(other));
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
async function checkGolden(bundle: Bundle, variant: Variant, engine: Engine): Promise<Checked | null> {
  const golden = goldenOf(bundle, variant);
  if (!golden) return null;
  const inputs = await goldenInputs(bundle, variant, golden);
  const outputs = await engine.run(inputs);
  const { passed, psnr_db, min_psnr_db } = await compareGolden(bundle, variant, golden, outputs);
  if (!passed) throw new BundleError(`its golden picture came out wrong (${psnr_db.toFixed(1)} dB, at least ${min_psnr_db} dB).`);
  return { db: psnr_db, inputs, outputs };
}
