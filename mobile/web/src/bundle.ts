/** The files of a bundle, each checked against the manifest's hash and kept by the browser under it. */

import { BundleError, insidePath, type Manifest, parseManifest } from "./manifest.js";

const CACHE = "edgebundle-files";

export interface Bundle {
  readonly manifest: Manifest;
  /** Of the manifest, which holds the hash of every other file. */
  readonly sha256: string;
  /** Bytes of a file. Throws BundleError when it cannot be had, is cut or was altered. */
  read(file: string): Promise<Uint8Array>;
}

/** Opens the bundle whose manifest.json lies in the folder `url`. */
export async function openBundle(url: URL): Promise<Bundle> {
  const text = await fetched(new URL("manifest.json", url));
  const manifest = parseManifest(new TextDecoder().decode(text));
  const hashes = new Map(manifest.files.map(({ file, sha256 }) => [file, sha256]));
  await forgetOthers(url, new Set(hashes.values()));
  return {
    manifest,
    sha256: await hashOf(text),
    async read(file) {
      const sha256 = hashes.get(insidePath(file));
      if (sha256 === undefined) throw new BundleError(`${file} is not in the bundle's list of files.`);
      return checked(new URL(file, url), sha256);
    },
  };
}

async function checked(url: URL, sha256: string): Promise<Uint8Array> {
  const key = new Request(new URL(`?sha256=${sha256}`, url));
  const cache = await openCache();
  const kept = await cache?.match(key);
  if (kept) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    if ((await hashOf(bytes)) === sha256) return bytes;
    await cache?.delete(key);
  }
  const bytes = await fetched(url);
  if ((await hashOf(bytes)) !== sha256) {
    throw new BundleError(`${url.pathname} is not the file that the manifest names: it was cut or altered on its way.`);
  }
  try {
    await cache?.put(key, new Response(bytes.slice()));
  } catch {
    // No room, or a private window: the file is fetched again next time.
  }
  return bytes;
}

/** Files of this folder that an earlier version of the bundle had: nobody asks for them any more. */
async function forgetOthers(folder: URL, wanted: ReadonlySet<string>): Promise<void> {
  const cache = await openCache();
  for (const key of (await cache?.keys()) ?? []) {
    const { href, searchParams } = new URL(key.url);
    if (href.startsWith(folder.href) && !wanted.has(searchParams.get("sha256") ?? "")) await cache?.delete(key);
  }
}

async function fetched(url: URL): Promise<Uint8Array> {
  let answer: Response;
  try {
    answer = await fetch(url, { cache: "no-cache" });
  } catch {
    throw new BundleError(`${url.pathname} cannot be loaded: check the connection, or that its server allows this page.`);
  }
  if (!answer.ok) throw new BundleError(`${url.pathname} cannot be loaded: the server answered ${answer.status}.`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function openCache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined; // not a secure page, or storage is switched off
  }
}

async function hashOf(bytes: Uint8Array): Promise<string> {
  if (!globalThis.crypto?.subtle) {
    throw new BundleError("this page cannot check its files: open it by https, or from localhost.");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
