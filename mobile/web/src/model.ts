/** The API for a page: a bundle opened in a worker, or, where the page's owner and the user want it, on a server. */

import type { Wish } from "./choice.js";
import type { Label } from "./labels.js";
import { BundleError } from "./manifest.js";
import type { Answer, Facts, Request, Vectors } from "./messages.js";
import { RemoteModel, type RemoteOptions, type Sent } from "./remote.js";

export interface Result {
  readonly picture: ImageBitmap;
  /** The picture as the network saw it: fitted, or in full size where tiles are made. */
  readonly original: ImageBitmap;
  readonly milliseconds: number;
  /** What left this device, and where it went; null where it was computed here. */
  readonly sent: Sent | null;
}

/** What a classifier says of a picture. */
export interface Classified {
  /** Best first. */
  readonly labels: readonly Label[];
  /** The picture as the network saw it. */
  readonly original: ImageBitmap;
  readonly milliseconds: number;
}

/** Of every question. */
export interface RunOptions {
  /** Numbers for each vector that the network takes, such as a style; without them those of the bundle's test picture. */
  readonly vectors?: Vectors;
  readonly signal?: AbortSignal;
}

export interface ClassifyOptions extends RunOptions {
  /** How many labels; 5 unless it is said. */
  readonly most?: number;
}

export interface ProcessOptions extends RunOptions {
  /** 0..1: how much of the result is mixed over the original. */
  readonly strength?: number;
  /** Take the network's own size even where tiles would keep the picture's. */
  readonly small?: boolean;
  /** Which of the network's pictures, by its name; the first one unless it is said. */
  readonly output?: string | undefined;
  readonly onProgress?: (done: number, all: number) => void;
}

export interface OpenOptions {
  /** The script of the worker. */
  readonly worker: URL;
  /** The folder of the runtime, if not `runtime/` beside the worker. */
  readonly runtime?: URL;
  readonly wish?: Wish;
  /** A server as the last resort; without it nothing ever leaves this device. */
  readonly remote?: RemoteOptions | undefined;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((done: number, all: number) => void) | undefined;
}

type Asked = Request extends infer R ? (R extends { id: number } ? Omit<R, "id"> : never) : never;

/**
 * A network: a picture in; a picture, labels or other values out.
 *
 *     const model = await ImageModel.open(new URL("bundle/", location.href), { worker: new URL("app.js", location.href) });
 *     const { picture } = await model.process(await createImageBitmap(file));
 */
export class ImageModel {
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;
  /** Why nothing is answered any more. */
  private ended: string | undefined;

  private constructor(
    private readonly worker: Worker,
    private known: Facts | undefined,
    private readonly server?: RemoteModel,
  ) {
    worker.onmessage = (event: MessageEvent<Answer>) => this.heard(event.data);
    worker.onerror = (event) => this.died(event.message || "the worker could not start");
  }

  /** Opens the bundle in the folder `bundle`. Throws BundleError with every variant that was tried, and why it did not work. */
  static async open(bundle: URL, options: OpenOptions): Promise<ImageModel> {
    const { worker: script, runtime, wish = {}, remote } = options;
    const worker = startWorker(script);
    const model = new ImageModel(worker, undefined);
    try {
      const answer = await model.ask({
        do: "open",
        bundle: bundle.href,
        runtime: (runtime ?? new URL("runtime/", script)).href,
        wish,
      });
      if (answer.is === "opened") model.known = answer.facts;
      return model;
    } catch (error) {
      model.close();
      if (!remote || !(error instanceof BundleError)) throw error;
      const server = await RemoteModel.open(bundle, remote, error.message);
      return new ImageModel(worker, factsOf(server), server);
    }
  }

  get facts(): Facts {
    if (!this.known) throw new BundleError("no bundle is open.");
    return this.known;
  }

  /** The picture that the network makes of one, which this call takes over and closes. Calls wait for one another. */
  async process(source: ImageBitmap | VideoFrame, options: ProcessOptions = {}): Promise<Result> {
    const picture = await bitmapOf(source);
    const { strength = 1, vectors = {}, small = false, output } = options;
    if (this.server) return remotely(this.server, picture, options);
    const answer = await this.ask({ do: "process", picture, strength, vectors, small, output }, options, [picture]);
    if (answer.is !== "picture") throw new BundleError("the worker gave no picture.");
    const { picture: result, original, milliseconds } = answer;
    return { picture: result, original, milliseconds, sent: null };
  }

  /** What a classifier sees in a picture, which this call takes over and closes. Throws BundleError for a network without labels. */
  async classify(source: ImageBitmap | VideoFrame, options: ClassifyOptions = {}): Promise<Classified> {
    const picture = await this.ownPicture(source);
    const { most = 5, vectors = {} } = options;
    const answer = await this.ask({ do: "classify", picture, most, vectors }, options, [picture]);
    if (answer.is !== "labels") throw new BundleError("the worker gave no labels.");
    const { labels, original, milliseconds } = answer;
    return { labels, original, milliseconds };
  }

  /** Every output of the network for a picture, by its name, in the order and range of the source model (NCHW). The picture is closed. */
  async run(source: ImageBitmap | VideoFrame, options: RunOptions = {}): Promise<Readonly<Record<string, Float32Array>>> {
    const picture = await this.ownPicture(source);
    const answer = await this.ask({ do: "run", picture, vectors: options.vectors ?? {} }, options, [picture]);
    if (answer.is !== "values") throw new BundleError("the worker gave no values.");
    return answer.values;
  }

  private async ownPicture(source: ImageBitmap | VideoFrame): Promise<ImageBitmap> {
    if (!this.server) return bitmapOf(source);
    if (source instanceof ImageBitmap) source.close();
    throw new BundleError(`${this.server.host} gives pictures alone: use process.`);
  }

  close(): void {
    this.worker.terminate();
    this.died("the model was closed: open it again.");
  }

  private ask(asked: Asked, options: Pick<ProcessOptions, "onProgress" | "signal"> = {}, transfer: Transferable[] = []): Promise<Answer> {
    const { onProgress, signal } = options;
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined || signal?.aborted) {
        for (const picture of transfer) (picture as ImageBitmap).close();
        return reject(this.ended === undefined ? new DOMException("cancelled", "AbortError") : new BundleError(this.ended));
      }
      this.waiting.set(id, { resolve, reject, onProgress });
      signal?.addEventListener("abort", () => this.worker.postMessage({ do: "cancel", id } satisfies Request));
      this.worker.postMessage({ ...asked, id } as Request, transfer);
    });
  }

  private heard(answer: Answer): void {
    const waiting = this.waiting.get(answer.id);
    if (answer.is === "progress") {
      waiting?.onProgress?.(answer.done, answer.all);
      return;
    }
    this.waiting.delete(answer.id);
    if (answer.is === "failed") waiting?.reject(new BundleError(answer.reason));
    else if (answer.is === "cancelled") waiting?.reject(new DOMException("cancelled", "AbortError"));
    else waiting?.resolve(answer);
  }

  private died(reason: string): void {
    this.ended ??= reason;
    for (const { reject } of this.waiting.values()) reject(new BundleError(reason));
    this.waiting.clear();
  }
}

/** Throws BundleError for a script that a page may not start: one of another host, or of a page that was opened as a file. */
function startWorker(script: URL): Worker {
  try {
    return new Worker(script);
  } catch (error) {
    throw new BundleError(`the worker ${script.href} cannot be started (${(error as Error).message}): serve it by http from the page's own host.`);
  }
}

function bitmapOf(source: ImageBitmap | VideoFrame): Promise<ImageBitmap> {
  return source instanceof ImageBitmap ? Promise.resolve(source) : createImageBitmap(source);
}

function factsOf(server: RemoteModel): Facts {
  const { name, version, licence, variant, width, height, vectors, golden_db } = server.facts;
  return {
    ...{ name, version, licence, variant, width, height },
    variantSha256: "",
    accelerator: "remote",
    remote: server.host,
    threads: false,
    bytes: 0,
    tiles: false,
    vectors: Object.entries(vectors).map(([vector, length]) => ({ name: vector, length, labels: [] })),
    variants: [variant],
    outputs: {},
    pictures: [],
    isClassifier: false,
    goldenDb: golden_db,
    tried: [],
  };
}

async function remotely(server: RemoteModel, picture: ImageBitmap, { strength = 1, vectors = {}, signal }: ProcessOptions): Promise<Result> {
  const started = performance.now();
  try {
    const { before, after, sent } = await server.process(picture, vectors, signal);
    const original = await createImageBitmap(new ImageData(before.data as Uint8ClampedArray<ArrayBuffer>, before.width, before.height));
    return { picture: await mixed(original, after, strength), original, milliseconds: performance.now() - started, sent };
  } finally {
    picture.close();
  }
}

/** `strength` of the result over the original. */
async function mixed(original: ImageBitmap, after: ImageBitmap, strength: number): Promise<ImageBitmap> {
  if (strength >= 1) return after;
  const canvas = new OffscreenCanvas(after.width, after.height);
  const context = canvas.getContext("2d")!;
  context.drawImage(original, 0, 0, after.width, after.height);
  context.globalAlpha = strength;
  context.drawImage(after, 0, 0);
  after.close();
  return createImageBitmap(canvas);
}
