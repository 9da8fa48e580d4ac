/** The service worker of the pages: it keeps them for a visit without a network, and isolates them. */

/** Isolation headers come from the service worker where the host sets none: one reload, once a visit. */
export async function installWorker(): Promise<void> {
  const here = new URL("./", location.href);
  if (!("serviceWorker" in navigator) || !isSecureContext) return;
  try {
    await navigator.serviceWorker.register(new URL("sw.js", here), { scope: here.href });
    await navigator.serviceWorker.ready;
  } catch {
    return; // a private window, or storage is off: the page works without
  }
  if (!crossOriginIsolated && sessionStorage.getItem("isolated") === null) {
    sessionStorage.setItem("isolated", "tried");
    location.reload();
  }
}
