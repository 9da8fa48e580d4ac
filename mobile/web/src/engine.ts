/** One artifact in LiteRT.js, inside a worker: by WebAssembly, with threads where the page is isolated, or by WebGPU. */

import type * as LiteRt from "@litertjs/core";
import { BundleError, type Variant } from "./manifest.js";

type Runtime = Pick<typeof LiteRt, "loadAndCompile" | "loadLiteRt" | "setWebGpuDevice" | "Tensor">;
export type Accelerator = "wasm" | "webgpu";
/** Values of tensors by name, in the artifact's own layout. */
export type Values = ReadonlyMap<string, Float32Array>;

declare function importScripts(...urls: string[]): void;

let loading: Promise<Runtime> | undefined;

/** Whether WebAssembly may use threads here: only a page that is isolated from others has shared memory. */
export function threaded(): boolean {
  return globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer !== "undefined";
}

/** LiteRT.js from the folder `url`, loaded once, at the first use. Throws BundleError where the browser is too old. */
async function runtimeOf(url: URL): Promise<Runtime> {
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
      await runtime.loadLiteRt(new URL("./", url).href, { threads: threaded() });
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

export class Engine {
  private constructor(
    private readonly runtime: Runtime,
    private readonly model: LiteRt.CompiledModel,
    private readonly variant: Variant,
    readonly accelerator: Accelerator,
  ) {}

  /** Compiles the artifact. Throws BundleError for WebGPU that would leave a part of the network to WebAssembly. */
  static async load(url: URL, bytes: Uint8Array, variant: Variant, accelerator: Accelerator, gpu?: GPUDevice): Promise<Engine> {
    const runtime = await runtimeOf(url);
    if (accelerator === "webgpu") {
      if (!gpu) throw new BundleError("this browser has no WebGPU here.");
      runtime.setWebGpuDevice(gpu);
    }
    const model = await runtime.loadAndCompile(bytes, { accelerator });
    if (accelerator === "webgpu" && !model.isFullyAccelerated) {
      model.delete();
      throw new BundleError("WebGPU takes only a part of this network.");
    }
    return new Engine(runtime, model, variant, accelerator);
  }

  async run(inputs: Values): Promise<Values> {
    const given: LiteRt.Tensor[] = new Array(this.variant.inputs.length);
    for (const binding of this.variant.inputs) {
      const values = inputs.get(binding.name);
      if (!values) throw new BundleError(`the input ${JSON.stringify(binding.name)} has no values.`);
      const typed = binding.dtype === "float32" ? values : Int32Array.from(values);
      given[binding.index] = new this.runtime.Tensor(typed, [...binding.shape]);
    }
    let results: LiteRt.Tensor[] = [];
    try {
      results = await this.model.run(given);
      const read = new Map<string, Float32Array>();
      for (const binding of this.variant.outputs) {
        read.set(binding.name, Float32Array.from(await results[binding.index]!.data()));
      }
      return read;
    } finally {
      for (const tensor of [...given, ...results]) if (!tensor.deleted) tensor.delete();
    }
  }

  close(): void {
    if (!this.model.deleted) this.model.delete();
  }
}
