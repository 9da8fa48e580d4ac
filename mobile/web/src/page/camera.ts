/** Live video: each time the network is free it takes the newest frame, and its result is shown until the next one. */

import type { Look } from "./look.js";

export class Camera {
  /** Counts starts and stops, so that what was begun before knows that it is over. */
  private turn = 0;
  private running = false;

  /** Also while it is being started. */
  get on(): boolean {
    return this.running;
  }

  /** Shows until `stop`, or until the camera is gone. Throws what the browser says when it is refused or there is none, and what `look` throws. */
  async start(ready: Promise<unknown>, look: (picture: ImageBitmap) => Promise<Look>, onLook: (look: Look) => void): Promise<void> {
    const turn = ++this.turn;
    this.running = true;
    let stream: MediaStream | undefined;
    try {
      await ready;
      if (!navigator.mediaDevices) throw new Error("this page is not secure");
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
      await video.play();
      while (this.turn === turn && stream.active) {
        if (document.hidden || video.readyState < 2) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          continue;
        }
        const found = await look(await createImageBitmap(video));
        if (this.turn === turn) onLook(found);
      }
    } finally {
      stream?.getTracks().forEach((track) => track.stop());
      if (this.turn === turn) this.stop();
    }
  }

  stop(): void {
    this.turn++;
    this.running = false;
  }
}
