/** Pictures that wait: one is decoded and processed at a time, whatever their number, so that memory stays flat. */

import type { ImageModel, ProcessOptions, Result } from "../model.js";
import { say } from "./strings.js";

interface Entry {
  readonly file: Blob;
  readonly name: string;
  readonly row: HTMLLIElement;
  readonly abort: AbortController;
}

export class Queue {
  private readonly waiting: Entry[] = [];
  private running = false;

  constructor(
    private readonly list: HTMLElement,
    private readonly model: () => Promise<ImageModel>,
    private readonly options: () => ProcessOptions,
    private readonly onResult: (result: Result, name: string) => void,
  ) {}

  /** Whether any picture was ever added. */
  get used(): boolean {
    return this.list.childElementCount > 0;
  }

  add(file: Blob, name: string): void {
    const row = document.createElement("li");
    const abort = new AbortController();
    const entry: Entry = { file, name, row, abort };
    const label = Object.assign(document.createElement("span"), { textContent: name });
    const state = Object.assign(document.createElement("output"), { textContent: say("waiting") });
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: say("cancel") });
    button.addEventListener("click", () => abort.abort());
    row.append(label, state, button);
    this.list.append(row);
    abort.signal.addEventListener("abort", () => {
      const at = this.waiting.indexOf(entry);
      if (at >= 0) this.waiting.splice(at, 1);
      finish(row, say("cancelled"));
    });
    this.waiting.push(entry);
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.running) return;
    this.running = true;
    for (let entry = this.waiting.shift(); entry; entry = this.waiting.shift()) await this.one(entry);
    this.running = false;
  }

  private async one({ file, name, row, abort }: Entry): Promise<void> {
    let picture: ImageBitmap;
    try {
      picture = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" });
    } catch {
      finish(row, say("notPicture", { file: name }), true);
      return;
    }
    try {
      const model = await this.model();
      const result = await model.process(picture, {
        ...this.options(),
        signal: abort.signal,
        onProgress: (done, all) => (row.querySelector("output")!.textContent = say("working", { done, all })),
      });
      this.onResult(result, name);
      const done = say("done", { ms: Math.round(result.milliseconds) });
      const sent = result.sent && say("sent", { to: result.sent.to, bytes: result.sent.bytes });
      finish(row, sent ? `${done}, ${sent}` : done);
    } catch (error) {
      picture.close();
      if (!abort.signal.aborted) finish(row, (error as Error).message, true);
    }
  }
}

function finish(row: HTMLLIElement, text: string, failed = false): void {
  row.querySelector("output")!.textContent = text;
  row.querySelector("button")?.remove();
  row.classList.add(failed ? "failed" : "finished");
}
