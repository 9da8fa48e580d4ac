/** The benchmark page: every TFLite variant of the bundle after one another, a table, and the run records as a file. */

import { openBundle } from "../bundle.js";
import type { Accelerator } from "../engine.js";
import type { Variant } from "../manifest.js";
import type { Measured, Order } from "../measure.js";
import type { Answer, Request } from "../messages.js";
import { installWorker, requireServed } from "./isolation.js";
import { recordOf } from "./record.js";
import { LANGUAGE, type Key, say } from "./strings.js";

const HERE = new URL("./", location.href);
const WARM_UP = 5;
const RUNS = 30;

/** Whether the page is, or was since `clear`, out of sight: browsers then slow it down. */
class Sight {
  private lost = document.hidden;

  constructor() {
    document.addEventListener("visibilitychange", () => (this.lost ||= document.hidden));
  }

  clear(): void {
    this.lost = document.hidden;
  }

  get wasHidden(): boolean {
    return this.lost;
  }
}

/** One measurement in a worker of its own, so that no run inherits another's memory. */
function measured(order: Order): Promise<Measured> {
  const worker = new Worker(new URL("app.js", HERE));
  return new Promise<Measured>((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message || "the worker could not start"));
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (data.is === "measured") resolve(data.measured);
      else if (data.is === "failed") reject(new Error(data.reason));
    };
    const [bundle, runtime] = [new URL("bundle/", HERE).href, new URL("runtime/", HERE).href];
    worker.postMessage({ do: "measure", id: 1, bundle, runtime, order } satisfies Request);
  }).finally(() => worker.terminate());
}

export function startBench(): void {
  document.documentElement.lang = LANGUAGE;
  document.documentElement.dataset["isolated"] = String(crossOriginIsolated);
  for (const node of document.querySelectorAll<HTMLElement>("[data-say]")) node.textContent = say(node.dataset["say"] as Key);
  const button = document.getElementById("measure") as HTMLButtonElement;
  const save = document.getElementById("records") as HTMLButtonElement;
  const status = document.getElementById("status") as HTMLElement;
  const rows = document.querySelector("tbody") as HTMLElement;
  const lines: string[] = [];
  button.addEventListener("click", async () => {
    button.disabled = true;
    const lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
    try {
      lines.push(...(await measureAll(rows, status)));
      status.textContent = say("measured");
    } catch (error) {
      status.textContent = (error as Error).message;
    } finally {
      await lock?.release();
      button.disabled = false;
      save.disabled = lines.length === 0;
    }
  });
  save.addEventListener("click", () => download(lines));
  void installWorker(() => button.disabled || lines.length > 0);
}

async function measureAll(rows: HTMLElement, status: HTMLElement): Promise<string[]> {
  requireServed();
  const bundle = await openBundle(new URL("bundle/", HERE));
  const sight = new Sight();
  const session = crypto.randomUUID().replaceAll("-", "");
  const lines: string[] = [];
  const accelerator = (new URLSearchParams(location.search).get("accelerator") as Accelerator | null) ?? undefined;
  for (const variant of bundle.manifest.variants.filter(({ backend }) => backend === "tflite")) {
    status.textContent = say("measuring", { variant: variant.id });
    const order: Order = { variant: variant.id, threads: 2, warmup: WARM_UP, runs: RUNS, accelerator };
    sight.clear();
    const startedAt = new Date();
    try {
      const found = await measured(order);
      const seen = { manifest: bundle.manifest, bundleSha256: bundle.sha256, variant, order, measured: found, startedAt, session };
      lines.push(JSON.stringify(recordOf({ ...seen, device: deviceId(), hidden: sight.wasHidden })));
      rows.append(row(variant, milliseconds(found), sight.wasHidden ? say("hidden") : goldenText(found)));
    } catch (error) {
      rows.append(row(variant, "", (error as Error).message));
    }
  }
  return lines;
}

function milliseconds({ latencies, first }: Measured): string {
  const sorted = [...latencies].sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]!.toFixed(1)} (${first.toFixed(0)})`;
}

function goldenText({ golden }: Measured): string {
  return golden ? `${golden.passed ? "ok" : say("wrong")}: ${golden.psnr_db.toFixed(1)} dB` : "";
}

function row(variant: Variant, time: string, result: string): HTMLElement {
  const made = document.createElement("tr");
  for (const text of [variant.id, time, result]) made.append(Object.assign(document.createElement("td"), { textContent: text }));
  return made;
}

/** The same for this browser on this page's host, until its storage is cleared. */
function deviceId(): string {
  const kept = localStorage.getItem("edgebundle-device") ?? `page-${crypto.randomUUID().slice(0, 8)}`;
  localStorage.setItem("edgebundle-device", kept);
  return kept;
}

function download(lines: readonly string[]): void {
  const url = URL.createObjectURL(new Blob(lines.map((line) => `${line}\n`), { type: "application/x-ndjson" }));
  Object.assign(document.createElement("a"), { href: url, download: "runs.jsonl" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
