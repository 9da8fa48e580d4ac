/** The studio: pictures in, pictures out. The runtime and the network are loaded at the first use. */

import type { Facts } from "../messages.js";
import { ImageModel, type ProcessOptions } from "../model.js";
import type { RemoteOptions } from "../remote.js";
import { Camera } from "./camera.js";
import { Compare } from "./compare.js";
import { installWorker, requireServed } from "./isolation.js";
import { showLabels } from "./labels.js";
import { type Look, lookAt, notShown } from "./look.js";
import { Queue } from "./queue.js";
import { LANGUAGE, type Key, say } from "./strings.js";

const HERE = new URL("./", location.href);

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

class Studio {
  private readonly status = element<HTMLParagraphElement>("status");
  private readonly variant = element<HTMLSelectElement>("variant");
  private readonly strength = element<HTMLInputElement>("strength");
  private readonly small = element<HTMLInputElement>("small");
  private readonly save = element<HTMLButtonElement>("save");
  private readonly styles = element<HTMLFieldSetElement>("styles");
  private readonly output = element<HTMLSelectElement>("output");
  private readonly compare = new Compare(element("pair"), element("before"), element("after"));
  private readonly camera = new Camera();
  private readonly queue = new Queue(element("queue"), (picture, options) => this.look(picture, options), (look, name) => this.show(look, name));
  private opening: Promise<ImageModel> | undefined;
  /** The last question to a model: one that is given up is closed after it. */
  private asked: Promise<unknown> = Promise.resolve();
  private shown = "picture";

  start(): void {
    for (const node of document.querySelectorAll<HTMLElement>("[data-say]")) node.textContent = say(node.dataset["say"] as Key);
    const files = element<HTMLInputElement>("files");
    files.addEventListener("change", () => {
      this.take(files.files);
      files.value = "";
    });
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer?.files);
    });
    document.addEventListener("paste", (event) => this.take(event.clipboardData?.files));
    element("camera").addEventListener("click", () => void this.toggleCamera());
    this.save.addEventListener("click", () => void this.download());
    this.variant.addEventListener("change", () => {
      this.close();
      this.queue.again();
    });
    for (const control of [this.strength, this.small, this.styles, this.output]) control.addEventListener("change", () => void this.again());
    addEventListener("pagehide", () => this.camera.stop());
  }

  /** Whether anything was begun that a reload would end. */
  get inUse(): boolean {
    return this.opening !== undefined || this.queue.used || this.camera.on;
  }

  private take(files: FileList | null | undefined): void {
    for (const file of files ?? []) this.queue.add(file, file.name || "picture");
  }

  private model(): Promise<ImageModel> {
    if (this.opening) return this.opening;
    const opening = (this.opening = this.open());
    opening.catch((error: Error) => {
      if (this.opening !== opening) return; // another variant was chosen meanwhile
      this.status.textContent = error.message;
      this.opening = undefined;
    });
    return opening;
  }

  private async open(): Promise<ImageModel> {
    requireServed();
    this.status.textContent = say("opening", { size: document.documentElement.dataset["size"] ?? "" });
    const query = new URLSearchParams(location.search);
    const model = await ImageModel.open(new URL("bundle/", HERE), {
      worker: new URL("app.js", HERE),
      wish: {
        variant: this.variant.value || query.get("variant") || undefined,
        accelerator: (query.get("accelerator") as "wasm" | "webgpu" | null) ?? undefined,
      },
      remote: this.remote(),
    });
    this.describe(model.facts);
    return model;
  }

  /** Where the page was made with the address of a server. The user is asked each time that it would be used first. */
  private remote(): RemoteOptions | undefined {
    const address = document.documentElement.dataset["remote"];
    if (!address) return undefined;
    return { address, ask: ({ to, reason }) => confirm(say("askRemote", { to, reason })) };
  }

  private describe(facts: Facts): void {
    this.status.textContent = facts.remote === null ? describedHere(facts) : say("remote", { name: facts.name, to: facts.remote });
    this.showChoices(facts);
  }

  private showChoices(facts: Facts): void {
    this.variant.replaceChildren(...facts.variants.map((id) => new Option(id, id, false, id === facts.variant)));
    this.variant.disabled = facts.variants.length < 2;
    this.small.disabled = !facts.tiles;
    this.output.replaceChildren(...facts.pictures.map((name) => new Option(name, name, false, name === this.output.value)));
    this.output.parentElement!.hidden = facts.pictures.length < 2;
    this.showStyles(facts.vectors);
  }

  /** Once for a network: another variant of it keeps what was chosen. */
  private showStyles(vectors: Facts["vectors"]): void {
    this.styles.hidden = vectors.length === 0;
    const key = JSON.stringify(vectors);
    if (this.styles.dataset["key"] === key) return;
    this.styles.dataset["key"] = key;
    this.styles.replaceChildren(
      ...vectors.map(({ name, length, labels }) => {
        const label = document.createElement("label");
        const choice = document.createElement("select");
        choice.name = name;
        choice.append(...Array.from({ length }, (_, at) => new Option(labels[at] ?? `${at + 1}`, `${at}`)));
        label.append(name, choice);
        return label;
      }),
    );
  }

  private options(): ProcessOptions {
    const vectors: Record<string, number[]> = {};
    for (const choice of this.styles.querySelectorAll("select")) {
      vectors[choice.name] = Array.from({ length: choice.options.length }, (_, at) => (at === choice.selectedIndex ? 1 : 0));
    }
    const output = this.output.value || undefined;
    return { strength: Number(this.strength.value) / 100, small: this.small.checked, vectors, output };
  }

  private look(picture: ImageBitmap, options: ProcessOptions): Promise<Look> {
    const look = this.model().then((model) => lookAt(model, picture, { ...this.options(), ...options }));
    this.asked = look.catch(() => undefined);
    return look;
  }

  private show({ original, picture, labels }: Look, name: string): void {
    this.compare.show(original, picture);
    showLabels(element("labels"), labels);
    original.close();
    picture?.close();
    this.shown = name;
    this.save.disabled = picture === null;
  }

  /** The shown picture once more with what was chosen; not by a server, to which it would be sent again. */
  private async again(): Promise<void> {
    const model = await this.opening?.catch(() => undefined);
    if (model?.facts.remote === null) this.queue.again();
  }

  private close(): void {
    const { opening, asked } = this;
    void opening?.then((model) => asked.then(() => model.close()));
    this.opening = undefined;
  }

  private async toggleCamera(): Promise<void> {
    const button = element<HTMLButtonElement>("camera");
    if (this.camera.on) {
      this.camera.stop();
      button.textContent = say("camera");
      return;
    }
    button.textContent = say("stop");
    try {
      await this.camera.start(this.model(), (picture) => this.look(picture, { small: true }), (look) => this.show(look, "camera"));
    } catch (error) {
      this.status.textContent = say("noCamera", { reason: (error as Error).message });
    } finally {
      if (!this.camera.on) button.textContent = say("camera");
    }
  }

  private async download(): Promise<void> {
    const blob = await this.compare.blob();
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    const link = Object.assign(document.createElement("a"), { href: url, download: `${this.shown.replace(/\.\w+$/, "")}-styled.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

/** Which variant runs, how, what was passed over, and what the network gives that is not shown. */
function describedHere(facts: Facts): string {
  const accelerator = facts.accelerator === "webgpu" ? "WebGPU" : `WebAssembly${facts.threads ? `, ${say("threads")}` : ""}`;
  const passed = facts.tried.map(({ variant, reason }) => `${variant} (${reason})`).join("; ");
  const hidden = notShown(facts);
  return [
    say("ready", { name: facts.name, variant: facts.variant, accelerator }),
    ...(passed ? [say("fallback", { list: passed })] : []),
    ...(hidden ? [say("notShown", { list: hidden })] : []),
  ].join(" ");
}

export function startPage(): void {
  document.documentElement.lang = LANGUAGE;
  document.documentElement.dataset["isolated"] = String(crossOriginIsolated);
  const studio = new Studio();
  studio.start();
  void installWorker(() => studio.inUse);
}
