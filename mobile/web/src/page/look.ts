/** What the page shows of one picture: what the network makes of it, or what a classifier sees in it. */

import type { Label } from "../labels.js";
import type { Facts } from "../messages.js";
import type { ImageModel, ProcessOptions } from "../model.js";
import type { Sent } from "../remote.js";
import { say } from "./strings.js";

export interface Look {
  readonly original: ImageBitmap;
  /** Null of a network that gives labels alone. */
  readonly picture: ImageBitmap | null;
  readonly labels: readonly Label[];
  readonly milliseconds: number;
  readonly sent: Sent | null;
}

/** Throws where there is nothing to show, with what the network gives. */
export async function lookAt(model: ImageModel, source: ImageBitmap, options: ProcessOptions): Promise<Look> {
  const { facts } = model;
  if (showsLabels(facts)) return { picture: null, sent: null, ...(await model.classify(source, options)) };
  if (facts.remote === null && facts.pictures.length === 0) throw new Error(say("nothing", { list: listed(facts, Object.keys(facts.outputs)) }));
  return { labels: [], ...(await model.process(source, options)) };
}

/** What the network gives beside what the page shows: masks of one channel, values. Empty where it shows all. */
export function notShown(facts: Facts): string {
  const names = Object.keys(facts.outputs).filter((name) => !facts.pictures.includes(name));
  return showsLabels(facts) && names.length === 1 ? "" : listed(facts, names);
}

function showsLabels(facts: Facts): boolean {
  return facts.isClassifier && facts.pictures.length === 0;
}

function listed({ outputs }: Facts, names: readonly string[]): string {
  return names.map((name) => say("values", { name, count: outputs[name]! })).join(", ");
}
