/** The service worker: the page works offline after its first visit, and is isolated from other pages so that threads work. */

/** Hash of the page's own files: another build is another cache. */
declare const BUILD: string;

const scope = self as unknown as ServiceWorkerGlobalScope;
const CACHE = `edgebundle-page-${BUILD}`;

/** What a visit without a network needs; the runtime and the bundle are kept when they are first used. */
const OWN = ["./", "app.js", "style.css", "icon.svg", "app.webmanifest", "bench.html"];

scope.addEventListener("install", (event) => {
  void scope.skipWaiting();
  event.waitUntil(keepOwn());
});

async function keepOwn(): Promise<void> {
  try {
    await (await caches.open(CACHE)).addAll(OWN.map((name) => new Request(name, { cache: "no-cache" })));
  } catch {
    // No room, or a file that a host leaves out: what a visit loads is kept then.
  }
}

scope.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith("edgebundle-page-") && name !== CACHE) await caches.delete(name);
      }
      await scope.clients.claim();
    })(),
  );
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== scope.location.origin) return;
  event.respondWith(answer(request));
});

async function answer(request: Request): Promise<Response> {
  // What the bundle keeps by its hash is not kept a second time; its manifest is.
  const own = !/\/bundle\/(variants|golden)\//.test(request.url);
  const cache = own ? await caches.open(CACHE).catch(() => undefined) : undefined;
  const kept = await cache?.match(request, { ignoreSearch: true }).catch(() => undefined);
  if (kept) return isolated(kept);
  const fresh = await fetch(request);
  // No room for it: the page is fetched again next time.
  if (fresh.ok) await cache?.put(request, fresh.clone()).catch(() => undefined);
  return isolated(fresh);
}

function isolated(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
