/** Before and after in one frame, with a line that a finger, a mouse or the arrow keys move. */

import { say } from "./strings.js";

export class Compare {
  private readonly slider: HTMLInputElement;

  constructor(
    private readonly pair: HTMLElement,
    private readonly before: HTMLCanvasElement,
    private readonly after: HTMLCanvasElement,
  ) {
    this.slider = document.createElement("input");
    Object.assign(this.slider, { type: "range", min: "0", max: "100", value: "50", ariaLabel: say("compare") });
    this.slider.addEventListener("input", () => this.split());
    pair.append(this.slider);
    [before.ariaLabel, after.ariaLabel] = [say("before"), say("after")];
    this.split();
  }

  /** Both, or one alone where there is nothing to compare. */
  show(before: ImageBitmap, after: ImageBitmap | null): void {
    const last = after ?? before;
    draw(this.before, before);
    if (after) draw(this.after, after);
    for (const part of [this.after, this.slider]) part.hidden = after === null;
    this.pair.classList.toggle("alone", after === null);
    this.pair.style.setProperty("--ratio", `${last.width / last.height}`);
    this.pair.hidden = false;
  }

  /** PNG of what is on the right side. */
  blob(): Promise<Blob | null> {
    return new Promise((resolve) => this.after.toBlob(resolve, "image/png"));
  }

  private split(): void {
    this.pair.style.setProperty("--split", `${this.slider.value}%`);
  }
}

function draw(canvas: HTMLCanvasElement, picture: ImageBitmap): void {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d")!.drawImage(picture, 0, 0);
}
