/** The worker's side: it opens a bundle, and processes one picture at a time. The page stays free meanwhile. */

import { openBundle } from "./bundle.js";
import { chooseVariant } from "./choice.js";
import { logicalValues, pixelsToTensor, tensorToPixels } from "./codec.js";
import type { Values } from "./engine.js";
import { labelsOf } from "./labels.js";
import { describeLoaded, factsOf, type Loaded, pictureOf, tilerOf, vectorsOf } from "./loaded.js";
import { BundleError, type TensorSpec } from "./manifest.js";
import { measure, type Measured } from "./measure.js";
import type { Answer, Facts, Request } from "./messages.js";
import { boundedPixels, fittedPixels } from "./pictures.js";
import type { Pixels } from "./tiler.js";

class Cancelled extends Error {}

type Asked<Do extends Request["do"]> = Extract<Request, { do: Do }>;
type Vectors = ReadonlyMap<string, Float32Array>;

let model: Loaded | undefined;
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
    else if (request.do === "classify") await classify(request);
    else if (request.do === "run") await runAll(request);
    else await process(request);
  } catch (error) {
    if (error instanceof Cancelled) say({ id, is: "cancelled" });
    else say({ id, is: "failed", reason: error instanceof Error ? error.message : String(error) });
  } finally {
    cancelled.delete(id);
    if ("picture" in request) request.picture.close();
  }
}

function measured({ bundle, runtime, order }: Asked<"measure">): Promise<Measured> {
  return measure(new URL(bundle), new URL(runtime), order);
}

function stopIfCancelled(id: number): void {
  if (cancelled.has(id)) throw new Cancelled();
}

async function open(request: Asked<"open">): Promise<Facts> {
  model?.engine.close();
  model = undefined;
  const bundle = await openBundle(new URL(request.bundle));
  model = describeLoaded(bundle, await chooseVariant(bundle, new URL(request.runtime), request.wish));
  return factsOf(model);
}

function opened(): Loaded {
  if (!model) throw new BundleError("no bundle is open.");
  return model;
}

async function process(request: Asked<"process">): Promise<void> {
  const { id, picture, strength, small } = request;
  const output = pictureOf(opened(), request.output);
  const tiler = tilerOf(opened(), output);
  const started = performance.now();
  const vectors = vectorsOf(opened(), request.vectors);
  const render = async (tile: Pixels) => {
    stopIfCancelled(id);
    await Promise.resolve();
    return decoded(await inferred(tile, vectors), output);
  };
  let before: Pixels;
  let after: Pixels;
  if (tiler && !small) {
    before = await boundedPixels(picture, tiler.scale);
    after = await tiler.run(before, render, (done, all) => say({ id, is: "progress", done, all }));
  } else {
    before = await fitted(picture);
    after = { width: output.shape[3]!, height: output.shape[2]!, data: await render(before) };
  }
  stopIfCancelled(id);
  if (strength < 1 && after.width === before.width) mixOver(before, after, strength);
  const [original, result] = await Promise.all([bitmap(before), bitmap(after)]);
  say({ id, is: "picture", picture: result, original, milliseconds: performance.now() - started }, [result, original]);
}

async function classify({ id, picture, most, vectors }: Asked<"classify">): Promise<void> {
  const { scores, outputs } = opened();
  if (!scores) throw new BundleError(`this network has no labels, but gives ${outputs.map(({ name }) => name).join(", ")}: use run.`);
  const started = performance.now();
  const before = await fitted(picture);
  const values = (await inferred(before, vectorsOf(opened(), vectors))).get(scores.spec.name)!;
  const labels = labelsOf(values, scores.spec.labels ?? [], most, scores.logits);
  stopIfCancelled(id);
  const original = await bitmap(before);
  say({ id, is: "labels", labels, original, milliseconds: performance.now() - started }, [original]);
}

async function runAll({ id, picture, vectors }: Asked<"run">): Promise<void> {
  const found = await inferred(await fitted(picture), vectorsOf(opened(), vectors));
  stopIfCancelled(id);
  const values = Object.fromEntries(opened().variant.outputs.map((binding) => [binding.name, logicalValues(found.get(binding.name)!, binding)]));
  say({ id, is: "values", values }, Object.values(values).map(({ buffer }) => buffer as ArrayBuffer));
}

function fitted(picture: ImageBitmap): Promise<Pixels> {
  const { input } = opened();
  return fittedPixels(picture, input.shape[3]!, input.shape[2]!, input.resize);
}

/** What the network gives for pixels of its own size, in the artifact's layout. */
function inferred(pixels: Pixels, vectors: Vectors): Promise<Values> {
  const { engine, variant, input } = opened();
  const layout = variant.inputs.find((binding) => binding.name === input.name)!.layout;
  return engine.run(new Map(vectors).set(input.name, pixelsToTensor(pixels.data, input, layout)));
}

function decoded(outputs: Values, output: TensorSpec): Uint8ClampedArray {
  const layout = opened().variant.outputs.find((binding) => binding.name === output.name)!.layout;
  return tensorToPixels(outputs.get(output.name)!, output, layout);
}

function mixOver(before: Pixels, after: Pixels, strength: number): void {
  for (let at = 0; at < after.data.length; at++) {
    after.data[at] = Math.round(before.data[at]! + (after.data[at]! - before.data[at]!) * strength);
  }
}

function bitmap(pixels: Pixels): Promise<ImageBitmap> {
  return createImageBitmap(new ImageData(pixels.data as Uint8ClampedArray<ArrayBuffer>, pixels.width, pixels.height));
}
