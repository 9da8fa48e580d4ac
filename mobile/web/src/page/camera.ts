/** Live video: each time the network is free it takes the newest frame, and its result is shown until the next one. */

import type { ImageModel, ProcessOptions, Result } from "../model.js";

export class Camera {
  private stream: MediaStream | undefined;

  get on(): boolean {
    return this.stream !== undefined;
  }

  /** Shows until `stop`. Throws what the browser says when the camera is refused or there is none. */
  async start(model: ImageModel, options: () => ProcessOptions, onResult: (result: Result) => void): Promise<void> {
    if (!navigator.mediaDevices) throw new Error("this page is not secure");
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    this.stream = stream;
    const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    while (this.stream === stream) {
      if (document.hidden || video.readyState < 2) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      const result = await model.process(await createImageBitmap(video), { ...options(), small: true });
      if (this.stream === stream) onResult(result);
    }
  }

  stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = undefined;
  }
}
