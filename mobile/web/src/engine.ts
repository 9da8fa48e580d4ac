/** One artifact in LiteRT.js, inside a worker: by WebAssembly, with threads where the page is isolated, or by WebGPU. */

import type * as LiteRt from "@litertjs/core";
import { BundleError, type Variant } from "./manifest.js";

type Runtime = Pick<typeof LiteRt, "loadAndCompile" | "loadLiteRt" | "setWebGpuDevice" | "Tensor">;
const ACCELERATORS = ["wasm", "webgpu"] as const;
export type Accelerator = (typeof ACCELERATORS)[number];
/** Values of tensors by name, in the artifact's own layout. */
export type Values = ReadonlyMap<string, Float32Array>;

declare function importScripts(...urls: string[]): void;

/** Of a timed run. Durations in milliseconds, as `performance.now()` gives them. */
export interface Timed {
  readonly first: number;
  readonly latencies: readonly number[];
  /** Of the last inference. */
  readonly outputs: Values;
}

let loading: Promise<Runtime> | undefined;
let loaded: LiteRt.LiteRt | undefined;

/** Bytes of the runtime's memory, which only grows: what it needed at most. Null before it is loaded. */
export function heapBytes(): number | null {
  return loaded?.liteRtWasm.HEAPU8.buffer.byteLength ?? null;
}

/** Throws BundleError for an accelerator that there is not: a page's address asks for one, and anybody writes it. */
export function requireKnown(accelerator: Accelerator | undefined): void {
  if (accelerator === undefined || ACCELERATORS.includes(accelerator)) return;
  throw new BundleError(`there is no accelerator ${JSON.stringify(accelerator)}: write ${ACCELERATORS.join(" or ")}.`);
}

/** Whether WebAssembly may use threads here: only a page that is isolated from others has shared memory. */
export function threaded(): boolean {
  return globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer !== "undefined";
}

/** LiteRT.js from the folder `url`, loaded once, at the first use. Throws BundleError where the browser is too old. */
export async function runtimeOf(url: URL): Promise<Runtime> {
  loading ??= (async () => {
    if (typeof WebAssembly !== "object") throw new BundleError("this browser has no WebAssembly: update it.");
    importScripts(new URL("litert.js", url).href);
    const scope = globalThis as unknown as { edgebundleRuntime: Runtime; Module: object };
    const runtime = scope.edgebundleRuntime;
    // In a worker the runtime looks for its files beside the worker's script, if nobody says where they are.
    scope.Module = {
      locateFile: (name: string) => new URL(name, url).href,
      mainScriptUrlOrBlob: new URL("litert_wasm_threaded_internal.js", url).href,
    };
    try {
      loaded = await runtime.loadLiteRt(new URL("./", url).href, { threads: threaded() });
    } catch (error) {
      throw new BundleError(`the runtime does not start in this browser (${(error as Error).message}): update it.`);
    }
    return runtime;
  })();
  return loading;
}

/** A GPU of this machine that is worth using; undefined where there is none, or only one in software. */
export async function hardwareGpu(allowSoftware: boolean): Promise<GPUDevice | undefined> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return undefined;
  const software = adapter.info?.isFallbackAdapter === true || /swiftshader|llvmpipe/i.test(adapter.info?.description ?? "") ||
    /swiftshader/i.test(adapter.info?.architecture ?? "");
  if (software && !allowSoftware) return undefined;
  const features = (adapter.features.has("shader-f16") ? ["shader-f16"] : []) as GPUFeatureName[];
  const limits = adapter.limits;
  return adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: { maxBufferSize: limits.maxBufferSize, maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize },
  });
}

/** What the browser tells of its GPU; null where it has no WebGPU. */
export async function gpuName(): Promise<string | null> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return null;
  const { vendor, architecture, description } = adapter.info;
  return [vendor, architecture, description].filter(Boolean).join(" ") || "a GPU that the browser does not name";
}

export class Engine {
  private constructor(
    private readonly runtime: Runtime,
    private readonly model: LiteRt.CompiledModel,
    private readonly variant: Variant,
    readonly accelerator: Accelerator,
    /** Threads of WebAssembly; 1 where the page has no shared memory. */
    readonly threads: number,
  ) {}

  /**
   * Compiles the artifact, for at most `threads` threads where it is said. Throws BundleError for WebGPU that would leave a part of
   * the network to WebAssembly.
   */
  static async load(
    url: URL,
    bytes: Uint8Array,
    variant: Variant,
    accelerator: Accelerator,
    gpu?: GPUDevice,
    threads?: number,
  ): Promise<Engine> {
    const runtime = await runtimeOf(url);
    if (accelerator === "webgpu") {
      if (!gpu) throw new BundleError("this browser has no WebGPU here.");
      runtime.setWebGpuDevice(gpu);
    }
    const most = threaded() ? (loaded?.liteRtWasm.getThreadCount() ?? 1) : 1;
    const numThreads = Math.min(threads ?? most, most);
    const model = await runtime.loadAndCompile(bytes, threads === undefined ? { accelerator } : { accelerator, cpuOptions: { numThreads } });
    if (accelerator === "webgpu" && !model.isFullyAccelerated) {
      model.delete();
      throw new BundleError("WebGPU takes only a part of this network.");
    }
    return new Engine(runtime, model, variant, accelerator, numThreads);
  }

  async run(inputs: Values): Promise<Values> {
    const given = this.given(inputs);
    let results: LiteRt.Tensor[] = [];
    try {
      results = await this.model.run(given);
      return await this.read(results);
    } finally {
      release([...given, ...results]);
    }
  }

  /**
   * One inference, `warmup` more, then `runs` that are timed. Only the inference is inside a sample; of WebGPU reading its outputs is,
   * since nothing else tells that it has ended.
   */
  async timed(inputs: Values, warmup: number, runs: number): Promise<Timed> {
    const latencies: number[] = [];
    let first = 0;
    let outputs: Values = new Map();
    const last = warmup + runs;
    for (let turn = 0; turn <= last; turn++) {
      const given = this.given(inputs);
      const start = performance.now();
      const results = await this.model.run(given);
      if (this.accelerator === "webgpu") outputs = await this.read(results);
      const took = performance.now() - start;
      if (turn === last && this.accelerator === "wasm") outputs = await this.read(results);
      release([...given, ...results]);
      if (turn === 0) first = took;
      else if (turn > warmup) latencies.push(took);
    }
    return { first, latencies, outputs };
  }

  private given(inputs: Values): LiteRt.Tensor[] {
    const given: LiteRt.Tensor[] = new Array(this.variant.inputs.length);
    for (const binding of this.variant.inputs) {
      const values = inputs.get(binding.name);
      if (!values) throw new BundleError(`the input ${JSON.stringify(binding.name)} has no values.`);
      const typed = binding.dtype === "float32" ? values : Int32Array.from(values);
      given[binding.index] = new this.runtime.Tensor(typed, [...binding.shape]);
    }
    return given;
  }

  private async read(results: readonly LiteRt.Tensor[]): Promise<Values> {
    const read = new Map<string, Float32Array>();
    for (const binding of this.variant.outputs) {
      read.set(binding.name, Float32Array.from(await results[binding.index]!.data()));
    }
    return read;
  }

  close(): void {
    if (!this.model.deleted) this.model.delete();
  }
}

function release(tensors: readonly LiteRt.Tensor[]): void {
  for (const tensor of tensors) if (!tensor.deleted) tensor.delete();
}
