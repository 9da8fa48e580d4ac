/** The npm package: `ImageModel` for any page, its worker and runtime beside this module. `npm/index.d.ts` is its public face. */

import { ImageModel as Opened, type OpenOptions } from "./model.js";

export type { Label } from "./labels.js";
export { BundleError } from "./manifest.js";
export type { Facts } from "./messages.js";
export type { Classified, ClassifyOptions, ProcessOptions, Result, RunOptions } from "./model.js";
export type { RemoteOptions, RemoteQuestion, Sent } from "./remote.js";
export type ImageModel = Opened;

export const ImageModel = {
  open(bundle: URL | string, options: Partial<OpenOptions> = {}): Promise<Opened> {
    return Opened.open(new URL(bundle, document.baseURI), { worker: new URL("./worker.js", import.meta.url), ...options });
  },
};
