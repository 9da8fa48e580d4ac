/** What runtime/litert.js gives: LiteRT.js as one classic script, which a worker loads by `importScripts`. */
import { loadAndCompile, loadLiteRt, setWebGpuDevice, Tensor } from "@litertjs/core";

Object.assign(globalThis, { edgebundleRuntime: { loadAndCompile, loadLiteRt, setWebGpuDevice, Tensor } });
