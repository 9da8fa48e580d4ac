/** The page of `builder studio`: it shows what the pipeline tells, and asks it for plans. It computes nothing itself. */

import { figure } from "./pictures.js";

const LOOK_MS = 1000;
/** Where nothing is being made: another tab may begin something. */
const REST_MS = 5000;
const TOKEN = "builder-studio-token";
const byId = (id) => document.getElementById(id);
if (location.hash.length > 1) {
  sessionStorage.setItem(TOKEN, location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem(TOKEN) ?? "";

let state;
let chosen;
/** The schemes on the page by variant; they begin as those of builder.toml. */
const plans = new Map();
/** Of questions about figures: only the last one's answer is shown. */
let asking = 0;

async function ask(path, body) {
  const headers = { "X-Studio-Token": token, ...(body ? { "Content-Type": "application/json" } : {}) };
  let answer;
  try {
    answer = await fetch(`api/${path}`, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("'builder studio' does not answer: it was ended.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof told.detail === "string" ? told.detail : `the answer was ${answer.status}.`);
  return told;
}

function say(text, wrong = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("wrong", wrong);
}

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  }
}

const variant = () => state.variants.find(({ id }) => id === chosen);
const schemes = () => plans.get(chosen);
/** What was measured of the plan on the page, if it was exported. */
const shownTrial = () => variant().trials.find((trial) => trial.state === "done" && equal(trial.schemes, schemes()));
const isTimed = ({ state: stand, times, untimed }) => stand !== "done" || times !== null || untimed !== null;
const equal = (a, b) => a.length === b.length && a.every((value, at) => value === b[at]);

function number(value, digits = 0) {
  return value === null || value === undefined ? "" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function cell(text, label, tag = "td", wide = false) {
  const made = Object.assign(document.createElement(tag), { textContent: text });
  made.dataset.label = label;
  if (tag === "th") made.scope = "row";
  made.classList.toggle("wide", wide);
  return made;
}

function take(told) {
  state = told;
  for (const { id, layers } of told.variants) if (!plans.has(id)) plans.set(id, layers.map(({ scheme }) => scheme));
  chosen ??= told.variants[0].id;
  document.title = `${told.title}: builder studio`;
  byId("title").textContent = told.title;
  byId("source").textContent = [told.source, ...told.left_out].join("; ");
  showPictures();
  showVariants();
  showTrials();
}

function aboutTrial(figures) {
  const parts = [`${number(figures.bytes)} bytes`];
  if (figures.psnr_db !== null) parts.push(`worst ${number(figures.psnr_db, 1)} dB`);
  return parts.join(", ");
}

function showPictures() {
  const enlarge = byId("enlarge").checked;
  const shown = state.reference ? [figure(state.reference, "what every variant is compared with", false, token)] : [];
  for (const { id, trials } of state.variants) {
    for (const { what, figures, picture } of trials) {
      if (!picture || !figures) continue;
      const title = trials.length > 1 ? `${id}: ${what}` : id;
      shown.push(figure({ ...picture, title }, aboutTrial(figures), enlarge, token));
    }
  }
  const key = JSON.stringify([enlarge, state.variants.map(({ trials }) => trials.filter(({ picture }) => picture).length)]);
  if (byId("pictures").dataset.key === key) return;
  byId("pictures").dataset.key = key;
  byId("pictures").replaceChildren(...(shown.length > 0 ? shown : [document.createTextNode("No pictures yet.")]));
}

function showVariants() {
  const key = JSON.stringify([chosen, state.variants.map(({ id }) => id)]);
  if (byId("variants").dataset.key !== key) {
    byId("variants").dataset.key = key;
    byId("variants").replaceChildren(
      ...state.variants.map(({ id, backend, delegate }) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: `${id} (${backend}, ${delegate})` });
        button.ariaPressed = String(id === chosen);
        button.addEventListener("click", () => {
          chosen = id;
          take(state);
          void predict();
        });
        return button;
      }),
    );
  }
  byId("fixed").textContent = variant().fixed ? `Nothing can be changed here: ${variant().fixed}.` : "";
  byId("plan").hidden = variant().fixed !== null;
  byId("write").textContent = `Write ${variant().plan ?? "plan"}`;
  showLayers();
}

function showLayers() {
  const { layers, simulating, absent } = variant();
  const times = shownTrial()?.times ?? null;
  const key = JSON.stringify([chosen, simulating, schemes(), layers.map(({ realised, weight_bytes }) => [realised, weight_bytes]), times]);
  byId("absent").textContent = absent ? `Not here: ${absent}.` : "";
  byId("timed").textContent = aboutTimes();
  const body = byId("layers").tBodies[0];
  if (body.dataset.key === key) return;
  const held = document.activeElement?.dataset?.layer;
  body.dataset.key = key;
  body.replaceChildren(...layers.map((layer, at) => row(layer, at, times)));
  body.querySelector(`[data-layer="${CSS.escape(held ?? "")}"]`)?.focus();
  const common = layers.map(({ options }) => options).reduce((a, b) => a.filter((name) => b.includes(name)), layers[0]?.options ?? []);
  byId("all").replaceChildren(new Option("keep", ""), ...common.map((name) => new Option(name, name)));
}

/** What the column of times says, or why it says nothing. */
function aboutTimes() {
  const trial = shownTrial();
  if (!trial) return "Time: this plan is not exported.";
  if (trial.untimed !== null) return `Time: ${trial.untimed}`;
  if (trial.times === null) return "Time is measured ...";
  const { measured, rest_ms, unnamed } = trial.times;
  return `Time: ${measured}. ${unnamed ? `No layer could be named: ${unnamed}` : `Of no layer: ${number(rest_ms, 3)} ms`}.`;
}

function row(layer, at, times) {
  const made = document.createElement("tr");
  const now = schemes()[at];
  made.classList.toggle("changed", now !== layer.scheme);
  const scheme = cell("", "scheme", "td", true);
  if (layer.options.length > 1) {
    const choice = document.createElement("select");
    choice.dataset.layer = layer.name;
    choice.ariaLabel = `scheme of ${layer.name}`;
    choice.append(...layer.options.map((name) => new Option(name, name, false, name === now)));
    choice.addEventListener("change", () => change(at, choice.value));
    scheme.append(choice);
  } else scheme.textContent = now;
  const realised = layer.realised === null ? "" : layer.fallback ? `${layer.realised} (${layer.fallback})` : layer.realised;
  made.append(
    cell(layer.name, "layer", "th"), cell(layer.op, "operation"), scheme, cell(now === layer.scheme ? realised : "", "in the file"),
    cell(number(layer.alone_db[now], 1), "alone, dB"), cell(number(layer.weight_bytes), "weights, bytes"),
    cell(layer.work === null ? "" : `${number(100 * layer.work, 1)} %`, "work"), cell(number(times?.layers_ms[layer.name], 3), "time, ms"),
  );
  return made;
}

function change(at, scheme) {
  plans.set(chosen, schemes().with(at, scheme));
  showLayers();
  void predict();
}

function showTrials() {
  const rows = variant().trials.map((trial) => {
    const made = document.createElement("tr");
    const { figures, state: stand, failure, seconds } = trial;
    const said = stand === "running" ? "is exported ..." : (failure ?? "");
    made.append(
      cell(`${trial.number}: ${trial.what}`, "plan", "th"), cell(figures ? number(figures.bytes) : "", "bytes"), cell(number(figures?.psnr_db, 1), "worst dB"),
      cell(number(figures?.ssim, 4), "SSIM"), cell(number(figures?.work, 2), "work"), cell(number(trial.times?.total_ms, 2), "time, ms"), cell(seconds === null ? "" : `${number(seconds, 1)} s`, "took"),
    );
    const last = cell(said, "", "td", true);
    last.classList.toggle("wrong", stand === "failed");
    if (stand === "done" && !variant().fixed) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Show" });
      button.ariaLabel = `Show the schemes of plan ${trial.number}`;
      button.disabled = equal(trial.schemes, schemes());
      button.addEventListener("click", () => {
        plans.set(chosen, [...trial.schemes]);
        take(state);
        void predict();
      });
      last.append(button);
    }
    made.append(last);
    return made;
  });
  const key = JSON.stringify([chosen, schemes(), variant().trials.map((trial) => [trial.state, trial.seconds, trial.times])]);
  const body = byId("trials").tBodies[0];
  if (body.dataset.key === key) return;
  body.dataset.key = key;
  body.replaceChildren(...rows);
}

async function predict() {
  showTrials();
  if (variant().fixed) return;
  const mine = ++asking;
  const asked = { variant: chosen, schemes: schemes() };
  const shown = (pairs) => byId("figures").replaceChildren(
    ...pairs.map(([name, value]) => {
      const pair = document.createElement("div");
      pair.append(Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: value }));
      return pair;
    }),
  );
  try {
    const figures = await ask("predict", asked);
    if (mine !== asking) return;
    const about = figures.measured ? "" : "about ";
    const quality = figures.psnr_db === null ? "not known without a simulation" : `${about}${number(figures.psnr_db, 1)} dB`;
    shown([[figures.measured ? "Measured" : "Predicted", `${about}${number(figures.bytes)} bytes`], ["worst", quality], ["work, to fp32", number(figures.work, 2)]]);
    byId("try").disabled = figures.measured;
  } catch (error) {
    if (mine === asking) shown([["Predicted", error.message]]);
  }
}

/** What is told again where it is new: whether anything is being made, and by which plan. */
const stand = () => state && JSON.stringify(state.variants.map(({ trials, layers, simulating }) => [simulating, trials.map((trial) => trial.state), layers.map(({ scheme }) => scheme)]));

async function look() {
  clearTimeout(next);
  let made = false;
  await guarded(async () => {
    const before = stand();
    take(await ask("state"));
    if (stand() !== before) void predict();
    made = state.variants.some(({ trials, simulating }) => simulating || trials.some((trial) => trial.state === "running" || !isTimed(trial)));
  });
  next = setTimeout(look, made ? LOOK_MS : REST_MS);
}

let next;

byId("enlarge").addEventListener("change", showPictures);
byId("all").addEventListener("change", () => {
  if (byId("all").value) plans.set(chosen, schemes().map(() => byId("all").value));
  take(state);
  void predict();
});
byId("reset").addEventListener("click", () => {
  plans.set(chosen, variant().layers.map(({ scheme }) => scheme));
  take(state);
  void predict();
});
byId("try").addEventListener("click", () =>
  guarded(async () => {
    say("");
    await ask("try", { variant: chosen, schemes: schemes() });
    await look();
  }),
);
byId("write").addEventListener("click", () =>
  guarded(async () => {
    say((await ask("write", { variant: chosen, schemes: schemes() })).said);
    await look();
  }),
);
void look();
