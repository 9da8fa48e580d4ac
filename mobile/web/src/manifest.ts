/** `manifest.json` as the page needs it. Names and meaning are those of builder/bundle/manifest.py. */

export const SCHEMA = 1;

export interface TensorSpec {
  readonly name: string;
  readonly kind: "image" | "vector" | "tensor";
  /** Logical sizes, NCHW for pictures. */
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "int64";
  readonly color_order: "RGB" | "BGR" | null;
  readonly range: readonly [number, number] | null;
  readonly mean: readonly number[] | null;
  readonly std: readonly number[] | null;
  readonly resize: "stretch" | "center_crop" | null;
  readonly labels: readonly string[] | null;
}

export interface Binding {
  readonly name: string;
  readonly index: number;
  readonly layout: "NCHW" | "NHWC" | "plain" | "image";
  readonly shape: readonly number[];
  readonly dtype: string;
}

export interface Tiling {
  readonly allowed: boolean;
  readonly overlap: number | null;
  readonly multiple: number | null;
  readonly scale: number | null;
  readonly reason: string | null;
}

export interface Layer {
  readonly realised: string;
}

export interface Variant {
  readonly id: string;
  readonly backend: string;
  readonly delegate: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly inputs: readonly Binding[];
  readonly outputs: readonly Binding[];
  readonly layers: readonly Layer[];
  readonly tiling?: Tiling | null;
}

export interface GoldenTensor {
  readonly name: string;
  readonly file: string;
  /** `png_sparse`: an expected picture of which one pixel of each block of 4 x 4 is told. */
  readonly encoding: "png" | "png_sparse" | "f32";
}

export interface Golden {
  readonly id: string;
  readonly inputs: readonly GoldenTensor[];
  readonly expected: readonly {
    readonly variant: string;
    readonly tensors: readonly GoldenTensor[];
    readonly min_psnr_db: number;
  }[];
}

/** An order that pages measured in one kind of browser, fastest first; `gpu` is null where it has no WebGPU. */
export interface BrowserRanking {
  readonly browser: string;
  readonly gpu: string | null;
  readonly ways: readonly { readonly variant: string; readonly accelerator: "wasm" | "webgpu" }[];
}

export interface Manifest {
  readonly schema: number;
  readonly model: { readonly name: string; readonly version: string; readonly licence: string };
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly variants: readonly Variant[];
  readonly goldens: readonly Golden[];
  readonly browser_rankings?: readonly BrowserRanking[];
  readonly files: readonly { readonly file: string; readonly sha256: string }[];
}

/** A bundle that cannot be used; the message says why and what helps. */
export class BundleError extends Error {}

/** Reads a manifest. Throws BundleError for text that is none, a newer schema, or a path that leaves the bundle. */
export function parseManifest(text: string): Manifest {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new BundleError("manifest.json is not JSON: build the page again with 'builder package --target web'.");
  }
  const manifest = read as Manifest;
  if (typeof manifest.schema !== "number" || !Array.isArray(manifest.variants) || !Array.isArray(manifest.files)) {
    throw new BundleError("manifest.json is not a bundle's: build the page again with 'builder package --target web'.");
  }
  if (manifest.schema > SCHEMA) {
    throw new BundleError(`the bundle has schema ${manifest.schema}, this page reads ${SCHEMA}: build the page again.`);
  }
  for (const { file } of manifest.files) insidePath(file);
  return manifest;
}

/** A path of the bundle; throws BundleError for one that leaves it. */
export function insidePath(path: string): string {
  if (path === "" || path.startsWith("/") || /[\\:?#]/.test(path) || path.split("/").includes("..")) {
    throw new BundleError(`${JSON.stringify(path)} is not a path inside the bundle.`);
  }
  return path;
}

/** The tensors of a bundle with the logical sizes that one variant has for them. */
export function specsOf(specs: readonly TensorSpec[], bindings: readonly Binding[]): TensorSpec[] {
  return specs.map((spec) => {
    const binding = bindings.find((candidate) => candidate.name === spec.name);
    if (!binding) throw new BundleError(`the variant has no tensor ${JSON.stringify(spec.name)}.`);
    const [n, h, w, c] = binding.shape;
    const shape = binding.layout === "NHWC" ? [n!, c!, h!, w!] : binding.shape;
    return { ...spec, shape };
  });
}
