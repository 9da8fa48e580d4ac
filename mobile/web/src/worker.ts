/** The worker's side: it opens a bundle, and processes one picture at a time. The page stays free meanwhile. */

import { type Bundle, openBundle } from "./bundle.js";
import { chooseVariant, type Opened } from "./choice.js";
import { pixelsToTensor, tensorToPixels } from "./codec.js";
import { threaded } from "./engine.js";
import { BundleError, specsOf, type TensorSpec } from "./manifest.js";
import { measure, type Measured } from "./measure.js";
import type { Answer, Facts, Request, VectorInput } from "./messages.js";
import { boundedPixels, fittedPixels } from "./pictures.js";
import { type Pixels, Tiler } from "./tiler.js";

class Cancelled extends Error {}

interface Model extends Opened {
  readonly bundle: Bundle;
  readonly input: TensorSpec;
  readonly output: TensorSpec;
  readonly vectors: readonly VectorInput[];
  readonly tiler: Tiler | undefined;
}

let model: Model | undefined;
let queue: Promise<void> = Promise.resolve();
const cancelled = new Set<number>();

/** Starts to listen. Requests are done one after the other; `cancel` is heard at once. */
export function serve(): void {
  addEventListener("message", (event: MessageEvent<Request>) => {
    const request = event.data;
    if (request.do === "cancel") {
      cancelled.add(request.id);
      return;
    }
    queue = queue.then(() => answer(request));
  });
}

function say(answer: Answer, transfer: Transferable[] = []): void {
  postMessage(answer, { transfer });
}

async function answer(request: Exclude<Request, { do: "cancel" }>): Promise<void> {
  const { id } = request;
  try {
    stopIfCancelled(id);
    if (request.do === "open") say({ id, is: "opened", facts: await open(request) });
    else if (request.do === "measure") say({ id, is: "measured", measured: await measured(request) });
    else await process(request);
  } catch (error) {
    if (error instanceof Cancelled) say({ id, is: "cancelled" });
    else say({ id, is: "failed", reason: error instanceof Error ? error.message : String(error) });
  } finally {
    cancelled.delete(id);
    if (request.do === "process") request.picture.close();
  }
}

function measured({ bundle, runtime, order }: Extract<Request, { do: "measure" }>): Promise<Measured> {
  return measure(new URL(bundle), new URL(runtime), order);
}

function stopIfCancelled(id: number): void {
  if (cancelled.has(id)) throw new Cancelled();
}

async function open(request: Extract<Request, { do: "open" }>): Promise<Facts> {
  model?.engine.close();
  model = undefined;
  const bundle = await openBundle(new URL(request.bundle));
  const opened = await chooseVariant(bundle, new URL(request.runtime), request.wish);
  const inputs = specsOf(bundle.manifest.inputs, opened.variant.inputs);
  const outputs = specsOf(bundle.manifest.outputs, opened.variant.outputs);
  const input = only(inputs, "input");
  const output = only(outputs, "output");
  const vectors = inputs
    .filter((spec) => spec.kind !== "image")
    .map(({ name, shape, labels }) => ({ name, length: shape.reduce((a, b) => a * b, 1), labels: labels ?? [] }));
  const tiler = vectors.length === 0 ? tilerOf(opened, input, output) : undefined;
  model = { ...opened, bundle, input, output, vectors, tiler };
  const { manifest } = bundle;
  return {
    ...manifest.model,
    variant: opened.variant.id,
    variantSha256: opened.variant.sha256,
    accelerator: opened.engine.accelerator,
    remote: null,
    threads: opened.engine.accelerator === "wasm" && threaded(),
    bytes: opened.variant.bytes,
    width: input.shape[3]!,
    height: input.shape[2]!,
    tiles: tiler !== undefined,
    vectors,
    variants: manifest.variants.filter((variant) => variant.backend === "tflite").map((variant) => variant.id),
    goldenDb: opened.goldenDb,
    tried: opened.tried,
  };
}

function only(specs: readonly TensorSpec[], what: string): TensorSpec {
  const pictures = specs.filter((spec) => spec.kind === "image");
  if (pictures.length === 0) throw new BundleError(`this network has no ${what} that is a picture: the page cannot show it.`);
  return pictures[0]!;
}

function tilerOf(opened: Opened, input: TensorSpec, output: TensorSpec): Tiler | undefined {
  const scale = output.shape[3]! / input.shape[3]!;
  if (!opened.variant.tiling?.allowed || !Number.isInteger(scale)) return undefined;
  try {
    return Tiler.of(input.shape[3]!, input.shape[2]!, scale, opened.variant.tiling);
  } catch {
    return undefined; // pictures then take the network's own size, which the page says
  }
}

function opened(): Model {
  if (!model) throw new BundleError("no bundle is open.");
  return model;
}

async function process(request: Extract<Request, { do: "process" }>): Promise<void> {
  const { id, picture, strength, small } = request;
  const { tiler, input } = opened();
  const started = performance.now();
  const vectors = vectorsOf(request.vectors);
  const render = async (tile: Pixels) => {
    stopIfCancelled(id);
    await Promise.resolve();
    return styled(tile, vectors);
  };
  let before: Pixels;
  let after: Pixels;
  if (tiler && !small) {
    before = await boundedPixels(picture);
    after = await tiler.run(before, render, (done, all) => say({ id, is: "progress", done, all }));
  } else {
    before = await fittedPixels(picture, input.shape[3]!, input.shape[2]!, input.resize);
    const { output } = opened();
    after = { width: output.shape[3]!, height: output.shape[2]!, data: await render(before) };
  }
  stopIfCancelled(id);
  if (strength < 1 && after.width === before.width) mixOver(before, after, strength);
  const [original, result] = await Promise.all([bitmap(before), bitmap(after)]);
  say({ id, is: "picture", picture: result, original, milliseconds: performance.now() - started }, [result, original]);
}

/** The output's pixels for pixels of the network's own size. */
async function styled(pixels: Pixels, vectors: ReadonlyMap<string, Float32Array>): Promise<Uint8ClampedArray> {
  const { engine, variant, input, output } = opened();
  const layout = variant.inputs.find((binding) => binding.name === input.name)!.layout;
  const inputs = new Map(vectors).set(input.name, pixelsToTensor(pixels.data, input, layout));
  const outputs = await engine.run(inputs);
  const outLayout = variant.outputs.find((binding) => binding.name === output.name)!.layout;
  return tensorToPixels(outputs.get(output.name)!, output, outLayout);
}

function vectorsOf(given: Readonly<Record<string, readonly number[]>>): Map<string, Float32Array> {
  const made = new Map<string, Float32Array>();
  for (const { name, length } of opened().vectors) {
    const values = given[name] ?? Array.from({ length }, (_, at) => (at === 0 ? 1 : 0));
    if (values.length !== length) throw new BundleError(`the input ${JSON.stringify(name)} takes ${length} numbers.`);
    made.set(name, Float32Array.from(values));
  }
  return made;
}

function mixOver(before: Pixels, after: Pixels, strength: number): void {
  for (let at = 0; at < after.data.length; at++) {
    after.data[at] = Math.round(before.data[at]! + (after.data[at]! - before.data[at]!) * strength);
  }
}

function bitmap(pixels: Pixels): Promise<ImageBitmap> {
  return createImageBitmap(new ImageData(pixels.data as Uint8ClampedArray<ArrayBuffer>, pixels.width, pixels.height));
}
