/** What a page and its worker say to one another. */

import type { Tried, Wish } from "./choice.js";
import type { Accelerator } from "./engine.js";
import type { Label } from "./labels.js";
import type { Measured, Order } from "./measure.js";

export interface VectorInput {
  readonly name: string;
  readonly length: number;
  readonly labels: readonly string[];
}

/** What was opened. */
export interface Facts {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly variant: string;
  readonly variantSha256: string;
  readonly accelerator: Accelerator | "remote";
  /** The server that computes; null where this browser does. */
  readonly remote: string | null;
  readonly threads: boolean;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  /** Whether pictures keep their size, by tiles. */
  readonly tiles: boolean;
  readonly vectors: readonly VectorInput[];
  readonly variants: readonly string[];
  /** Each output of the network, and how many values it has. */
  readonly outputs: Readonly<Record<string, number>>;
  /** Outputs that are pictures: what `process` gives. */
  readonly pictures: readonly string[];
  /** Whether it gives labels: what `classify` is for. */
  readonly isClassifier: boolean;
  readonly goldenDb: number | null;
  readonly tried: readonly Tried[];
}

/** Numbers for each vector that the network takes, such as a style. */
export type Vectors = Readonly<Record<string, readonly number[]>>;

export type Request =
  | { readonly do: "open"; readonly id: number; readonly bundle: string; readonly runtime: string; readonly wish: Wish }
  | {
      readonly do: "process";
      readonly id: number;
      readonly picture: ImageBitmap;
      /** 0..1: how much of the result is mixed over the original. */
      readonly strength: number;
      readonly vectors: Vectors;
      /** The network's own size even where tiles would keep the picture's. */
      readonly small: boolean;
      /** Which of the network's pictures, if not the first. */
      readonly output: string | undefined;
    }
  | { readonly do: "classify"; readonly id: number; readonly picture: ImageBitmap; readonly most: number; readonly vectors: Vectors }
  | { readonly do: "run"; readonly id: number; readonly picture: ImageBitmap; readonly vectors: Vectors }
  | { readonly do: "measure"; readonly id: number; readonly bundle: string; readonly runtime: string; readonly order: Order }
  | { readonly do: "cancel"; readonly id: number };

export type Answer =
  | { readonly id: number; readonly is: "opened"; readonly facts: Facts }
  | { readonly id: number; readonly is: "progress"; readonly done: number; readonly all: number }
  | { readonly id: number; readonly is: "picture"; readonly picture: ImageBitmap; readonly original: ImageBitmap; readonly milliseconds: number }
  | { readonly id: number; readonly is: "labels"; readonly labels: readonly Label[]; readonly original: ImageBitmap; readonly milliseconds: number }
  | { readonly id: number; readonly is: "values"; readonly values: Readonly<Record<string, Float32Array>> }
  | { readonly id: number; readonly is: "measured"; readonly measured: Measured }
  | { readonly id: number; readonly is: "cancelled" }
  | { readonly id: number; readonly is: "failed"; readonly reason: string };
