/** The service worker of the pages: it keeps them for a visit without a network, and isolates them. */

import { say } from "./strings.js";

/**
 * Isolation headers come from the service worker where the host sets none: one reload, once a visit. Not while the page is `inUse`:
 * a picture that was chosen at once would be lost, and one thread does it too.
 */
export async function installWorker(inUse: () => boolean): Promise<void> {
  const here = new URL("./", location.href);
  if (!("serviceWorker" in navigator) || !isSecureContext) return;
  try {
    await navigator.serviceWorker.register(new URL("sw.js", here), { scope: here.href });
    await navigator.serviceWorker.ready;
  } catch {
    return; // a private window, or storage is off: the page works without
  }
  if (!crossOriginIsolated && !inUse() && sessionStorage.getItem("isolated") === null) {
    sessionStorage.setItem("isolated", "tried");
    location.reload();
  }
}

/** Throws for a page that was opened as a file: browsers give it neither workers nor its own files. */
export function requireServed(): void {
  if (location.protocol === "file:") throw new Error(say("asFile"));
}
