/** The benchmark in the worker: one variant, timed as docs/measuring.md says, with what the browser tells of itself. */

import { openBundle } from "./bundle.js";
import { type Accelerator, Engine, gpuName, hardwareGpu, heapBytes, requireKnown, runtimeOf, threaded, type Values } from "./engine.js";
import { compareGolden, goldenInputs, goldenOf, type GoldenResult } from "./golden.js";
import { BundleError, type Variant } from "./manifest.js";

/** Version of LiteRT.js, set when the script is built. */
declare const RUNTIME_VERSION: string;

export interface Order {
  readonly variant: string;
  readonly threads: number;
  readonly warmup: number;
  readonly runs: number;
  /** What executes it, if not what its delegate says; WebGPU in software counts. */
  readonly accelerator?: Accelerator | undefined;
  /** Values by name in the artifact's own layout; without them the golden's, and the outputs are then compared here. */
  readonly inputs?: Readonly<Record<string, Float32Array>>;
}

/** What was measured. Durations in milliseconds, `timer` is the smallest step of the browser's clock. */
export interface Measured {
  readonly accelerator: Accelerator;
  readonly threads: number;
  readonly runtimeVersion: string;
  readonly runtimeStart: number;
  readonly load: number;
  readonly first: number;
  readonly latencies: readonly number[];
  readonly timer: number;
  readonly heapBytes: number | null;
  readonly isolated: boolean;
  readonly gpu: string | null;
  readonly golden: GoldenResult | null;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

/** What executes a variant in a browser: its delegate decides. Throws BundleError for one that no browser has. */
export function acceleratorOf(variant: Variant): Accelerator {
  if (variant.delegate === "xnnpack") return "wasm";
  if (variant.delegate === "gpu") return "webgpu";
  throw new BundleError(`a browser has no delegate ${variant.delegate}.`);
}

export async function measure(bundleUrl: URL, runtime: URL, order: Order): Promise<Measured> {
  const bundle = await openBundle(bundleUrl);
  const variant = bundle.manifest.variants.find(({ id }) => id === order.variant);
  if (variant?.backend !== "tflite") throw new BundleError(`this page has no TFLite variant ${JSON.stringify(order.variant)}.`);
  requireKnown(order.accelerator);
  const accelerator = order.accelerator ?? acceleratorOf(variant);
  const gpu = accelerator === "webgpu" ? await hardwareGpu(true) : undefined;
  const golden = order.inputs ? undefined : goldenOf(bundle, variant);
  const inputs = order.inputs ? new Map(Object.entries(order.inputs)) : golden && (await goldenInputs(bundle, variant, golden));
  if (!inputs) throw new BundleError(`the bundle has no golden to measure ${variant.id} on.`);
  const bytes = await bundle.read(variant.file);
  const timer = timerStep();
  let start = performance.now();
  await runtimeOf(runtime);
  const runtimeStart = performance.now() - start;
  start = performance.now();
  const engine = await Engine.load(runtime, bytes, variant, accelerator, gpu, order.threads);
  const load = performance.now() - start;
  try {
    const { first, latencies, outputs } = await engine.timed(inputs, order.warmup, order.runs);
    return {
      accelerator,
      threads: engine.threads,
      runtimeVersion: RUNTIME_VERSION,
      runtimeStart,
      load,
      first,
      latencies,
      timer,
      heapBytes: heapBytes(),
      isolated: threaded(),
      gpu: await gpuName(),
      golden: golden ? await compareGolden(bundle, variant, golden, outputs) : null,
      outputs: order.inputs ? named(outputs) : {},
    };
  } finally {
    engine.close();
  }
}

function named(values: Values): Record<string, Float32Array> {
  return Object.fromEntries(values);
}

/** The smallest step that `performance.now()` made in ten tries: browsers round it, coarser where a page is not isolated. */
function timerStep(): number {
  let finest = Infinity;
  for (let turn = 0; turn < 10; turn++) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    finest = Math.min(finest, now - start);
  }
  return finest;
}
