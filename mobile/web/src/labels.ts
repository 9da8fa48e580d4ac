/** What a classifier says: Kotlin's `Labels.kt` and Swift's `Labels.swift`, and beside their scores the probabilities that a page shows. */

import type { Values } from "./engine.js";
import { BundleError, type TensorSpec } from "./manifest.js";

export interface Label {
  readonly name: string;
  /** In the range of the network's own output: often logits. */
  readonly score: number;
  /** 0..1; null where the score is not a number. */
  readonly probability: number | null;
}

/**
 * The `most` labels with the highest of `values`, best first; equal scores in the network's order, what is no number last. A class without
 * a name is called by its number. `logits`: probabilities are the values' softmax, else the values themselves.
 */
export function labelsOf(values: Float32Array, names: readonly string[], most: number, logits: boolean): Label[] {
  if (!(Number.isInteger(most) && most > 0)) throw new BundleError(`at least one label is asked for, not ${most}.`);
  const score = (at: number) => (Number.isNaN(values[at]!) ? -Infinity : values[at]!);
  const best = [...values.keys()].sort((a, b) => (score(a) === score(b) ? a - b : score(a) < score(b) ? 1 : -1)).slice(0, most);
  const shares = logits ? softmax(values) : values;
  return best.map((at) => {
    const share = shares[at]!;
    return { name: names[at] ?? String(at), score: values[at]!, probability: Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : null };
  });
}

/**
 * Whether a classifier's scores are logits. The manifest's range says that they are not by lying within 0..1; where it says nothing, the
 * scores of the bundle's own test picture do, which are the same in every browser.
 */
export function areLogits(spec: TensorSpec, golden: Values | null): boolean {
  if (spec.range) return spec.range[0] < 0 || spec.range[1] > 1;
  const scores = golden?.get(spec.name);
  return scores === undefined || scores.some((value) => value < -ROUNDING || value > 1 + ROUNDING);
}

/** By which integers and fp16 leave 0..1. */
const ROUNDING = 1e-3;

function softmax(values: Float32Array): Float64Array {
  const peak = values.reduce((most, value) => (value > most ? value : most), -Infinity);
  const powers = Float64Array.from(values, (value) => Math.exp(value - peak));
  const sum = powers.reduce((all, power) => (Number.isNaN(power) ? all : all + power), 0);
  return powers.map((power) => power / sum);
}
