/** A bundle that cannot be used; the message says why and what helps. */
export declare class BundleError extends Error {}

export interface Result {
  /** The network's picture. Yours to close. */
  readonly picture: ImageBitmap;
  /** The picture as the network saw it: fitted, or in full size where tiles are made. Yours to close. */
  readonly original: ImageBitmap;
  readonly milliseconds: number;
  /** What left this device, and where it went; null where it was computed here. */
  readonly sent: Sent | null;
}

/** What left this device, and where it went. */
export interface Sent {
  readonly to: string;
  /** Of the picture file. */
  readonly bytes: number;
  readonly variant: string;
}

export interface RemoteQuestion {
  /** Where pictures would go. */
  readonly to: string;
  /** Why no variant works here. */
  readonly reason: string;
}

/** A server of `builder package --target server`. */
export interface RemoteOptions {
  /** Of the server: https, or http on this computer. */
  readonly address: URL | string;
  /** Asked once a model, before anything is sent. Show where pictures would go, and answer what the user answers. */
  readonly ask: (question: RemoteQuestion) => boolean | Promise<boolean>;
}

export interface ProcessOptions {
  /** 0..1: how much of the result is mixed over the original. */
  readonly strength?: number;
  /** Numbers for each vector that the network takes, such as a style. */
  readonly vectors?: Readonly<Record<string, readonly number[]>>;
  /** Take the network's own size even where tiles would keep the picture's. */
  readonly small?: boolean;
  readonly onProgress?: (done: number, all: number) => void;
  readonly signal?: AbortSignal;
}

export interface OpenOptions {
  /** Where `worker.js` of this package lies, if not beside its `index.js`: a bundler may have moved that one. */
  readonly worker?: URL;
  /** Where the folder `runtime/` of this package lies, if not beside the worker. */
  readonly runtime?: URL;
  /** Only this variant, or only this accelerator. */
  readonly wish?: { readonly variant?: string | undefined; readonly accelerator?: "wasm" | "webgpu" | undefined };
  /** A server as the last resort; without it nothing ever leaves this device. */
  readonly remote?: RemoteOptions | undefined;
}

/** What was opened. */
export interface Facts {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly variant: string;
  readonly variantSha256: string;
  readonly accelerator: "wasm" | "webgpu" | "remote";
  /** The server that computes; null where this browser does. */
  readonly remote: string | null;
  readonly threads: boolean;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  /** Whether pictures keep their size, by tiles. */
  readonly tiles: boolean;
  readonly vectors: readonly { readonly name: string; readonly length: number; readonly labels: readonly string[] }[];
  readonly variants: readonly string[];
  /** Agreement with the golden in dB; null where the bundle has none for this variant. */
  readonly goldenDb: number | null;
  /** What was passed over, and why. */
  readonly tried: readonly { readonly variant: string; readonly accelerator: "wasm" | "webgpu"; readonly reason: string }[];
}

/** A network that turns a picture into a picture, in a worker. */
export interface ImageModel {
  readonly facts: Facts;
  /** Processes a picture. A bitmap is taken over and closed; calls wait for one another. Rejects with BundleError, or AbortError. */
  process(source: ImageBitmap | VideoFrame, options?: ProcessOptions): Promise<Result>;
  close(): void;
}

export declare const ImageModel: {
  /** Opens the bundle in the folder `bundle`, whose address ends with `/`. Rejects with BundleError, which names every variant that was tried. */
  open(bundle: URL | string, options?: OpenOptions): Promise<ImageModel>;
};
