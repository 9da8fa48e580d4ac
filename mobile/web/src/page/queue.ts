/** Pictures that wait: one is decoded and processed at a time, whatever their number, so that memory stays flat. */

import type { ProcessOptions } from "../model.js";
import { bestOf } from "./labels.js";
import type { Look } from "./look.js";
import { say } from "./strings.js";

interface Entry {
  readonly file: Blob;
  readonly name: string;
  readonly row: HTMLLIElement;
  readonly abort: AbortController;
}

export class Queue {
  private readonly waiting: Entry[] = [];
  private running: Entry | undefined;
  private shown: Entry | undefined;

  constructor(
    private readonly list: HTMLElement,
    private readonly look: (picture: ImageBitmap, options: ProcessOptions) => Promise<Look>,
    private readonly onLook: (look: Look, name: string) => void,
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

  /** Does the last picture once more, since what is wanted of it has changed. Pictures that wait are done so anyway. */
  again(): void {
    const last = this.running ?? this.shown;
    if (!last || last.abort.signal.aborted || this.waiting.length > 0) return;
    this.waiting.push(last);
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.running) return;
    for (let entry = this.waiting.shift(); entry; entry = this.waiting.shift()) {
      this.running = entry;
      await this.one(entry);
    }
    this.running = undefined;
  }

  private async one(entry: Entry): Promise<void> {
    const { file, name, row, abort } = entry;
    let picture: ImageBitmap;
    try {
      picture = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" });
    } catch {
      finish(row, say("notPicture", { file: name }), true);
      return;
    }
    try {
      const look = await this.look(picture, {
        signal: abort.signal,
        onProgress: (done, all) => (row.querySelector("output")!.textContent = say("working", { done, all })),
      });
      this.shown = entry;
      this.onLook(look, name);
      const done = say("done", { ms: Math.round(look.milliseconds) });
      const sent = look.sent ? say("sent", { to: look.sent.to, bytes: look.sent.bytes }) : "";
      finish(row, [bestOf(look.labels), done, sent].filter(Boolean).join(", "));
    } catch (error) {
      picture.close();
      if (!abort.signal.aborted) finish(row, (error as Error).message, true);
    }
  }
}

function finish(row: HTMLLIElement, text: string, failed = false): void {
  row.querySelector("output")!.textContent = text;
  row.querySelector("button")?.remove();
  row.classList.toggle("failed", failed);
  row.classList.toggle("finished", !failed);
}
