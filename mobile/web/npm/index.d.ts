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

/** What a classifier says. */
export interface Label {
  readonly name: string;
  /** In the range of the network's own output: often logits. */
  readonly score: number;
  /** 0..1; null where the score is not a number. */
  readonly probability: number | null;
}

/** What a classifier says of a picture. */
export interface Classified {
  /** Best first. */
  readonly labels: readonly Label[];
  /** The picture as the network saw it. Yours to close. */
  readonly original: ImageBitmap;
  readonly milliseconds: number;
}

/** Of every question. */
export interface RunOptions {
  /** Numbers for each vector that the network takes, such as a style; without them those of the bundle's test picture. */
  readonly vectors?: Readonly<Record<string, readonly number[]>>;
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
  /** Each output of the network, and how many values it has; empty where a server computes. */
  readonly outputs: Readonly<Record<string, number>>;
  /** Outputs that are pictures: what `process` gives. Empty where a server computes, which gives its first picture. */
  readonly pictures: readonly string[];
  /** Whether it gives labels: what `classify` is for. */
  readonly isClassifier: boolean;
  /** Agreement with the golden in dB; null where the bundle has none for this variant. */
  readonly goldenDb: number | null;
  /** What was passed over, and why. */
  readonly tried: readonly { readonly variant: string; readonly accelerator: "wasm" | "webgpu"; readonly reason: string }[];
}

/** A network in a worker: a picture in; a picture, labels or other values out. A bitmap is taken over and closed; calls wait for one another. */
export interface ImageModel {
  readonly facts: Facts;
  /** The picture that the network makes of one. Rejects with BundleError, also for a network that gives none, or AbortError. */
  process(source: ImageBitmap | VideoFrame, options?: ProcessOptions): Promise<Result>;
  /** What a classifier sees in a picture. Rejects with BundleError, also for a network without labels, or AbortError. */
  classify(source: ImageBitmap | VideoFrame, options?: ClassifyOptions): Promise<Classified>;
  /** Every output of the network by its name, in the order and range of the source model (NCHW). Rejects with BundleError, or AbortError. */
  run(source: ImageBitmap | VideoFrame, options?: RunOptions): Promise<Readonly<Record<string, Float32Array>>>;
  close(): void;
}

export declare const ImageModel: {
  /** Opens the bundle in the folder `bundle`, whose address ends with `/`. Rejects with BundleError, which names every variant that was tried. */
  open(bundle: URL | string, options?: OpenOptions): Promise<ImageModel>;
};
