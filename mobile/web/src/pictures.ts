/** Pictures of all kinds as opaque RGBA pixels, in the size that is asked for. */

import { composeOnWhite } from "./codec.js";
import { BundleError } from "./manifest.js";
import type { Pixels } from "./tiler.js";

/** Neither a picture nor what is made of it has more pixels than this: a browser's canvas ends near there on many phones. */
export const MOST_PIXELS = 16_777_216;

export type Source = ImageBitmap | VideoFrame | ImageData | Blob;

/** Pixels of a picture as it is. */
export async function pixelsOf(source: Source): Promise<Pixels> {
  const bitmap = await bitmapOf(source);
  try {
    return drawn(bitmap, 0, 0, bitmap.width, bitmap.height, bitmap.width, bitmap.height);
  } finally {
    if (bitmap !== source) bitmap.close();
  }
}

/** Pixels of exactly `width` x `height`: stretched, or the largest middle part with the right proportions. */
export async function fittedPixels(source: Source, width: number, height: number, resize: "stretch" | "center_crop" | null): Promise<Pixels> {
  const bitmap = await bitmapOf(source);
  try {
    if (resize === "stretch") return drawn(bitmap, 0, 0, bitmap.width, bitmap.height, width, height);
    const scale = Math.min(bitmap.width / width, bitmap.height / height);
    const [w, h] = [width * scale, height * scale];
    return drawn(bitmap, (bitmap.width - w) / 2, (bitmap.height - h) / 2, w, h, width, height);
  } finally {
    if (bitmap !== source) bitmap.close();
  }
}

/** Pixels with the picture's own proportions, so many that there are at most MOST_PIXELS once each side was made `scale` times as long. */
export async function boundedPixels(source: Source, scale: number): Promise<Pixels> {
  const bitmap = await bitmapOf(source);
  try {
    const [width, height] = boundedSize(bitmap.width, bitmap.height, scale);
    return drawn(bitmap, 0, 0, bitmap.width, bitmap.height, width, height);
  } finally {
    if (bitmap !== source) bitmap.close();
  }
}

export function boundedSize(width: number, height: number, scale: number): [number, number] {
  const part = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)) / scale);
  return [Math.max(1, Math.floor(width * part)), Math.max(1, Math.floor(height * part))];
}

async function bitmapOf(source: Source): Promise<ImageBitmap> {
  if (source instanceof ImageBitmap) return source;
  try {
    return await createImageBitmap(source, { colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "from-image" });
  } catch {
    throw new BundleError("this file is not a picture that the browser can read: take a JPEG, PNG or WebP.");
  }
}

function drawn(bitmap: ImageBitmap, x: number, y: number, w: number, h: number, width: number, height: number): Pixels {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new BundleError("the browser gives no canvas for a picture of this size: take a smaller one.");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, x, y, w, h, 0, 0, width, height);
  return { width, height, data: composeOnWhite(context.getImageData(0, 0, width, height).data) };
}
