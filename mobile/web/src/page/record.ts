/** A run record (docs/reference/run-record.md) of what this page measured; mode `web`. `harness farm --import` takes it. */

import { browserOf, systemOf } from "../browser.js";
import type { Accelerator } from "../engine.js";
import type { Manifest, Variant } from "../manifest.js";
import type { Measured, Order } from "../measure.js";

const NS = 1e6;
/** What no page can read. */
const UNTOLD = "a browser does not tell a page";

interface Reading {
  readonly value: number | string | null;
  readonly unit?: string;
  readonly reason: string | null;
}

export interface Seen {
  readonly manifest: Manifest;
  readonly bundleSha256: string;
  readonly variant: Variant;
  readonly order: Order;
  readonly measured: Measured;
  readonly startedAt: Date;
  readonly session: string;
  readonly device: string;
  /** Whether the page was hidden at any time of the measurement. */
  readonly hidden: boolean;
}

export interface Verdict {
  readonly grade: "ok" | "unstable" | "invalid";
  readonly code: string;
  readonly detail: Readonly<Record<string, string | number>>;
}

/** The first thing that speaks against a run, worst first, by the rule of harness/analysis/verdict.py; noise is the harness's to judge. */
export function verdictOf({ golden }: Measured, hidden: boolean): Verdict {
  if (golden && !golden.passed) {
    const { id, psnr_db, min_psnr_db } = golden;
    if (psnr_db <= -200) return { grade: "invalid", code: "not_finite", detail: { golden: id } };
    return { grade: "invalid", code: "golden_failed", detail: { golden: id, psnr_db, min_psnr_db } };
  }
  if (hidden) return { grade: "invalid", code: "hidden", detail: { said: "the page was not visible all the time" } };
  if (!golden) return { grade: "unstable", code: "unchecked", detail: { reason: "the bundle has no golden for it" } };
  return { grade: "ok", code: "ok", detail: {} };
}

/** One line of the exchange format as an object. */
export function recordOf(seen: Seen): object {
  const { manifest, variant, measured, order } = seen;
  return {
    schema: 2,
    id: crypto.randomUUID().replaceAll("-", ""),
    started_at: seen.startedAt.toISOString().replace("Z", "+00:00"),
    session: seen.session,
    round: 0,
    model_name: manifest.model.name,
    bundle_sha256: seen.bundleSha256,
    variant: variant.id,
    variant_sha256: variant.sha256,
    variant_bytes: variant.bytes,
    backend: variant.backend,
    device: {
      kind: "browser",
      id: seen.device,
      model: untold(),
      soc: untold(),
      os: text(systemOf(navigator.userAgent)),
      build: text(navigator.userAgent),
      abi: untold(),
    },
    mode: "web",
    browser: {
      ...browserOf(navigator.userAgent),
      gpu: measured.gpu === null ? { value: null, reason: "this browser has no WebGPU here" } : text(measured.gpu),
      isolated: measured.isolated,
      timer_ns: { value: measured.timer * NS, unit: "ns", reason: null },
    },
    runtime: "LiteRT.js",
    runtime_version: measured.runtimeVersion,
    delegate_requested: order.accelerator === undefined ? variant.delegate : delegateOf(order.accelerator),
    delegate_executed: text(delegateOf(measured.accelerator)),
    threads: measured.threads,
    protocol: { name: "quick", warmup: order.warmup, runs: order.runs },
    conditions_start: conditions(),
    conditions_end: conditions(),
    metric: "latency",
    load_ns: nanoseconds(measured.load),
    first_ns: nanoseconds(measured.first),
    warm_up: order.warmup,
    latency_ns: measured.latencies.map((ms) => Math.round(ms * NS)),
    instructions: untold("instructions"),
    peak_memory_bytes:
      measured.heapBytes === null
        ? { value: null, unit: "B", reason: "the runtime does not tell its memory" }
        : { value: measured.heapBytes, unit: "B", reason: null },
    golden: measured.golden,
    golden_reason: measured.golden ? null : "the bundle has no golden for it",
    verdict: verdictOf(measured, seen.hidden),
  };
}

function delegateOf(accelerator: Accelerator): string {
  return accelerator === "wasm" ? "xnnpack" : "gpu";
}

function nanoseconds(ms: number): Reading {
  return { value: Math.round(ms * NS), unit: "ns", reason: null };
}

function text(value: string | null): Reading {
  return value === null ? { value: null, reason: UNTOLD } : { value, reason: null };
}

function untold(unit?: string): Reading {
  return { value: null, ...(unit ? { unit } : {}), reason: UNTOLD };
}

function conditions(): object {
  return { temperature_c: untold("degC"), thermal_status: untold("status"), battery_percent: untold("%"), charging: untold() };
}
