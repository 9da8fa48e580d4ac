/**
 * A server as the last resort, as `builder package --target server` makes it: where no variant works in this browser, where the page's
 * owner gave its address, and where the user agreed. Nothing is sent before.
 */

import { openBundle } from "./bundle.js";
import { BundleError } from "./manifest.js";
import { fittedPixels } from "./pictures.js";
import type { Pixels } from "./tiler.js";

const MOST_ANSWER_BYTES = 64 << 20;
const ANSWER_MS = 30_000;
/** A server that is busy for longer is not waited for. */
const MOST_WAIT_S = 10;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export interface RemoteQuestion {
  /** Where pictures would go. */
  readonly to: string;
  /** Why no variant works here. */
  readonly reason: string;
}

export interface RemoteOptions {
  /** Of the server: https, or http on this computer. */
  readonly address: URL | string;
  /** Asked once a model, before anything is sent. Show where pictures would go, and answer what the user answers. */
  readonly ask: (question: RemoteQuestion) => boolean | Promise<boolean>;
}

/** What left this device, and where it went. */
export interface Sent {
  readonly to: string;
  /** Of the picture file. */
  readonly bytes: number;
  readonly variant: string;
}

/** What `GET /v1/model` answers, as far as a page needs it. */
export interface RemoteFacts {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly variant: string;
  readonly width: number;
  readonly height: number;
  readonly resize: "stretch" | "center_crop" | null;
  readonly vectors: Readonly<Record<string, number>>;
  readonly golden_db: number | null;
}

export interface RemotePicture {
  readonly before: Pixels;
  readonly after: ImageBitmap;
  readonly sent: Sent;
}

export class RemoteModel {
  private constructor(
    private readonly address: URL,
    readonly facts: RemoteFacts,
  ) {}

  /**
   * Asks the user, then the server what it is. Throws BundleError for an address that is not safe, a user who does not agree, and a
   * server that cannot be reached or serves another network than the bundle in the folder `bundle`.
   */
  static async open(bundle: URL, { address, ask }: RemoteOptions, reason: string): Promise<RemoteModel> {
    const url = checkedAddress(address);
    if (!(await ask({ to: url.host, reason }))) throw new BundleError(`${reason} The server ${url.host} is not used, since nobody agreed.`);
    const facts = (await (await answered(new Request(new URL("v1/model", url), PLAIN))).json()) as RemoteFacts;
    if (typeof facts.name !== "string" || !Number.isInteger(facts.width) || !Number.isInteger(facts.height)) {
      throw new BundleError(`${url.host} is no server of 'builder package --target server'.`);
    }
    // A bundle that cannot be read is why the server is asked; then nothing is known to compare.
    const own = await openBundle(bundle).catch(() => undefined);
    if (own && own.manifest.model.name !== facts.name) {
      throw new BundleError(`${url.host} serves ${JSON.stringify(facts.name)}, not ${JSON.stringify(own.manifest.model.name)}.`);
    }
    return new RemoteModel(url, facts);
  }

  get host(): string {
    return this.address.host;
  }

  /** The picture in the network's own size goes there, and nothing else. Throws BundleError with what the server says. */
  async process(picture: ImageBitmap, vectors: Readonly<Record<string, readonly number[]>>, signal?: AbortSignal): Promise<RemotePicture> {
    const { width, height, resize, variant } = this.facts;
    const before = await fittedPixels(picture, width, height, resize);
    const file = await pngOf(before);
    const url = new URL("v1/process", this.address);
    if (Object.keys(vectors).length > 0) url.searchParams.set("vectors", JSON.stringify(vectors));
    const request = new Request(url, { ...PLAIN, method: "POST", body: file, headers: { "Content-Type": "image/png" } });
    const bytes = await bounded(await answered(request, signal));
    try {
      const after = await createImageBitmap(new Blob([bytes as BlobPart], { type: "image/png" }));
      return { before, after, sent: { to: this.host, bytes: file.size, variant } };
    } catch {
      throw new BundleError(`${this.host} answered with no picture.`);
    }
  }
}

/** No cookie, no referrer, nothing kept, and no other place than the one that was agreed on. */
const PLAIN: RequestInit = { credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store", redirect: "error", mode: "cors" };

/** The folder of the server's addresses. Throws BundleError for one over which others could see the pictures. */
export function checkedAddress(address: URL | string): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new BundleError(`${JSON.stringify(String(address))} is no address of a server: write https:, the host and the path.`);
  }
  const safe = url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname));
  if (!safe || url.username || url.password || url.search || url.hash) {
    throw new BundleError(`${url.host || url.href} is not taken as a server: use https, without a login or a query in the address.`);
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** A good answer. A busy server is asked a second time, when it says so. */
async function answered(request: Request, signal?: AbortSignal): Promise<Response> {
  const again = request.clone();
  const first = await asked(request, signal);
  if (first.status !== 429) return good(first, request);
  const wait = Number(first.headers.get("Retry-After") ?? "1");
  if (!(wait >= 0 && wait <= MOST_WAIT_S)) return good(first, request);
  await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  return good(await asked(again, signal), request);
}

async function asked(request: Request, signal?: AbortSignal): Promise<Response> {
  const limit = AbortSignal.timeout(ANSWER_MS);
  try {
    return await fetch(request, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
  } catch {
    if (signal?.aborted) throw new DOMException("cancelled", "AbortError");
    const { host, origin } = new URL(request.url);
    const why = limit.aborted ? `did not answer within ${ANSWER_MS / 1000} s` : "cannot be reached";
    throw new BundleError(`${host} ${why}; it must be running, and take pages of ${location.origin} ($SERVER_ORIGINS of ${origin}).`);
  }
}

async function good(answer: Response, request: Request): Promise<Response> {
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => ({}))) as { readonly detail?: unknown };
  const detail = typeof said.detail === "string" ? said.detail.slice(0, 300) : "it does not say why.";
  throw new BundleError(`${new URL(request.url).host} answered ${answer.status}: ${detail}`);
}

async function bounded(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const reader = answer.body!.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > MOST_ANSWER_BYTES) {
      await reader.cancel();
      throw new BundleError(`the server's answer has more than ${MOST_ANSWER_BYTES} bytes.`);
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

async function pngOf({ data, width, height }: Pixels): Promise<Blob> {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")!.putImageData(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height), 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
