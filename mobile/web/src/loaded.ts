/** A bundle that is open in the worker: the variant that works here, and what a page can do with its inputs and outputs. */

import type { Bundle } from "./bundle.js";
import type { Opened } from "./choice.js";
import { threaded } from "./engine.js";
import { areLogits } from "./labels.js";
import { BundleError, specsOf, type TensorSpec } from "./manifest.js";
import type { Facts, VectorInput } from "./messages.js";
import { Tiler } from "./tiler.js";

export interface Loaded extends Opened {
  readonly bundle: Bundle;
  readonly input: TensorSpec;
  readonly outputs: readonly TensorSpec[];
  /** Outputs that are pictures, the first of which is shown unless another one is asked for. */
  readonly pictures: readonly TensorSpec[];
  /** Of a classifier: the output with labels, and whether its scores are logits. */
  readonly scores: { readonly spec: TensorSpec; readonly logits: boolean } | undefined;
  readonly vectors: readonly VectorInput[];
}

/** Throws BundleError for a network that takes no picture. */
export function describeLoaded(bundle: Bundle, opened: Opened): Loaded {
  const inputs = specsOf(bundle.manifest.inputs, opened.variant.inputs);
  const outputs = specsOf(bundle.manifest.outputs, opened.variant.outputs);
  const input = inputs.find((spec) => spec.kind === "image");
  if (!input) throw new BundleError("this network takes no picture, so that a page cannot use it.");
  const labelled = outputs.find((spec) => spec.labels);
  const vectors = inputs
    .filter((spec) => spec !== input)
    .map(({ name, shape, labels }) => ({ name, length: sizeOf(shape), labels: labels ?? [] }));
  return {
    ...opened,
    bundle,
    input,
    outputs,
    pictures: outputs.filter((spec) => spec.kind === "image"),
    scores: labelled && { spec: labelled, logits: areLogits(labelled, opened.golden?.outputs ?? null) },
    vectors,
  };
}

export function factsOf(loaded: Loaded): Facts {
  const { bundle, engine, variant, input, outputs, pictures } = loaded;
  const { manifest } = bundle;
  return {
    ...manifest.model,
    variant: variant.id,
    variantSha256: variant.sha256,
    accelerator: engine.accelerator,
    remote: null,
    threads: engine.accelerator === "wasm" && threaded(),
    bytes: variant.bytes,
    width: input.shape[3]!,
    height: input.shape[2]!,
    tiles: pictures.some((output) => tilerOf(loaded, output) !== undefined),
    vectors: loaded.vectors,
    variants: manifest.variants.filter(({ backend }) => backend === "tflite").map(({ id }) => id),
    outputs: Object.fromEntries(outputs.map(({ name, shape }) => [name, sizeOf(shape)])),
    pictures: pictures.map(({ name }) => name),
    isClassifier: loaded.scores !== undefined,
    goldenDb: loaded.golden?.db ?? null,
    tried: loaded.tried,
  };
}

/** The picture of this name, else the first one. Throws BundleError where there is none, with what there is. */
export function pictureOf({ outputs, pictures }: Loaded, name: string | undefined): TensorSpec {
  const output = name === undefined ? pictures[0] : pictures.find((spec) => spec.name === name);
  if (output) return output;
  const given = outputs.map((spec) => spec.name).join(", ");
  throw new BundleError(
    name === undefined
      ? `this network gives no picture, but ${given}: use classify or run.`
      : `this network gives no picture ${JSON.stringify(name)}; it gives ${given}.`,
  );
}

/** Tiles for a picture that the network gives; undefined where pictures take the network's own size. */
export function tilerOf({ variant, input, vectors }: Loaded, output: TensorSpec): Tiler | undefined {
  const scale = output.shape[3]! / input.shape[3]!;
  if (vectors.length > 0 || !variant.tiling?.allowed || !Number.isInteger(scale)) return undefined;
  try {
    return Tiler.of(input.shape[3]!, input.shape[2]!, scale, variant.tiling);
  } catch {
    return undefined; // pictures then take the network's own size, which the page says
  }
}

/** Numbers for each vector: those that are given, else those of the bundle's test picture, else the first of its choices. */
export function vectorsOf({ vectors, golden }: Loaded, given: Readonly<Record<string, readonly number[]>>): Map<string, Float32Array> {
  const unknown = Object.keys(given).find((name) => !vectors.some((vector) => vector.name === name));
  if (unknown !== undefined) throw new BundleError(`this network takes no vector ${JSON.stringify(unknown)}.`);
  return new Map(
    vectors.map(({ name, length }) => {
      const values = given[name] ?? golden?.inputs.get(name) ?? Array.from({ length }, (_, at) => (at === 0 ? 1 : 0));
      if (values.length !== length) throw new BundleError(`the input ${JSON.stringify(name)} takes ${length} numbers.`);
      return [name, Float32Array.from(values)];
    }),
  );
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
