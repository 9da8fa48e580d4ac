// Asks its harness for work, lets a worker of the measured page do it, and posts what came out.
"use strict";

const here = new URL("./", location.href);
const status = document.getElementById("status");
const PAUSE_MS = 1000;
let key = sessionStorage.getItem(`key ${here.pathname}`) ?? "";
let hidden = document.hidden;
document.addEventListener("visibilitychange", () => {
  hidden ||= document.hidden;
  if (!document.hidden) stayAwake();
});

function stayAwake() {
  navigator.wakeLock?.request("screen").catch(() => undefined);
}

async function gpuName() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return null;
  const { vendor, architecture, description } = adapter.info;
  return [vendor, architecture, description].filter(Boolean).join(" ") || "a GPU that the browser does not name";
}

async function hello() {
  const told = (await navigator.userAgentData?.getHighEntropyValues(["model", "architecture"])) ?? {};
  return {
    agent: navigator.userAgent,
    model: told.model || null,
    architecture: told.architecture || null,
    gpu: await gpuName(),
    screen: `${screen.width}x${screen.height}x${devicePixelRatio}`,
  };
}

async function post(path, body, type = "application/json") {
  const headers = { "content-type": type, "x-edgebundle-key": key };
  const answer = await fetch(new URL(path, here), { method: "POST", body, headers });
  if (!answer.ok) throw new Error(`the harness answered ${answer.status} to ${path}: ${await answer.text()}`);
  return answer.json();
}

async function ask(path) {
  const answer = await fetch(new URL(path, here), { headers: { "x-edgebundle-key": key }, cache: "no-store" });
  if (!answer.ok) throw new Error(`the harness answered ${answer.status} to ${path}`);
  return answer;
}

async function inputsOf(order) {
  const inputs = {};
  for (const [at, name] of order.inputs.entries()) {
    inputs[name] = new Float32Array(await (await ask(`input/${order.id}/${at}`)).arrayBuffer());
  }
  return inputs;
}

/** One measurement in a worker of its own, so that no run inherits another's memory. */
function measured(order, inputs) {
  const site = new URL(`site/${order.site}/`, here);
  const worker = new Worker(new URL("app.js", site));
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message || "the worker could not start"));
    worker.onmessage = ({ data }) => {
      if (data.is === "measured") resolve(data.measured);
      else if (data.is === "failed") reject(new Error(data.reason));
    };
    const { variant, threads, warmup, runs } = order;
    worker.postMessage({
      do: "measure",
      id: 1,
      bundle: new URL("bundle/", site).href,
      runtime: new URL("runtime/", site).href,
      order: { variant, threads, warmup, runs, inputs },
    });
  }).finally(() => worker.terminate());
}

async function work(order) {
  status.textContent = `${order.variant} is measured`;
  try {
    const inputs = await inputsOf(order);
    hidden = document.hidden;
    const found = await measured(order, inputs);
    for (const [at, name] of order.outputs.entries()) {
      await post(`output/${order.id}/${at}`, found.outputs[name], "application/octet-stream");
    }
    const { accelerator, threads, load, first, latencies, timer, isolated, gpu } = found;
    const answer = { accelerator, threads, load, first, latencies, timer, isolated, gpu, hidden };
    Object.assign(answer, { runtime_version: found.runtimeVersion, runtime_start: found.runtimeStart, heap_bytes: found.heapBytes });
    await post(`answer/${order.id}`, JSON.stringify(answer));
  } catch (error) {
    await post(`failure/${order.id}`, JSON.stringify({ reason: String(error.message ?? error).slice(0, 2000) }));
  }
}

async function main() {
  try {
    ({ key } = await post("hello", JSON.stringify(await hello())));
    sessionStorage.setItem(`key ${here.pathname}`, key);
  } catch (error) {
    status.textContent = error.message;
    return;
  }
  stayAwake();
  let failures = 0;
  while (failures < 10) {
    try {
      const order = await (await ask("next")).json();
      failures = 0;
      if (order.end) break;
      if (order.id) await work(order);
      else status.textContent = "waits";
    } catch (error) {
      failures += 1;
      status.textContent = error.message;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
  status.textContent = "Done. You may close this page.";
}

main();
