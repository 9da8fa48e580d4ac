/**
 * Between pixels and the tensor of one artifact: the arithmetic of builder/bundle/tensors.py, step by step in float32.
 *
 * Pixels are RGBA bytes as a canvas gives them, row by row. Tensors hold the values in the artifact's own layout.
 */

import type { Binding, TensorSpec } from "./manifest.js";

const f32 = Math.fround;

/** Composes on white, as every SDK does: `(c * a + 255 * (255 - a)) / 255`, rounded. In place; the result is opaque. */
export function composeOnWhite(rgba: Uint8ClampedArray): Uint8ClampedArray {
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3]!;
    if (alpha === 255) continue;
    for (let k = 0; k < 3; k++) rgba[at + k] = Math.floor((2 * (rgba[at + k]! * alpha + 255 * (255 - alpha)) + 255) / 510);
    rgba[at + 3] = 255;
  }
  return rgba;
}

/** Where value `channel` of pixel `pixel` stands in the artifact. */
function place(layout: Binding["layout"], pixels: number): (pixel: number, channel: number) => number {
  return layout === "NHWC" ? (pixel, channel) => pixel * 3 + channel : (pixel, channel) => channel * pixels + pixel;
}

/** float32 values of an input of kind `image`; `rgba` has exactly its size. */
export function pixelsToTensor(rgba: Uint8ClampedArray, spec: TensorSpec, layout: Binding["layout"]): Float32Array {
  const pixels = rgba.length / 4;
  const tables = [0, 1, 2].map((channel) => levels(spec, channel));
  const at = place(layout, pixels);
  const values = new Float32Array(pixels * 3);
  for (let channel = 0; channel < 3; channel++) {
    const table = tables[channel]!;
    const source = spec.color_order === "BGR" ? 2 - channel : channel;
    for (let pixel = 0; pixel < pixels; pixel++) values[at(pixel, channel)] = table[rgba[pixel * 4 + source]!]!;
  }
  return values;
}

/** What each of the 256 levels becomes in one channel of the tensor. */
function levels(spec: TensorSpec, channel: number): Float32Array {
  const table = new Float32Array(256);
  for (let level = 0; level < 256; level++) {
    const unit = f32(level / 255);
    if (spec.mean && spec.std) {
      table[level] = f32(f32(unit - f32(spec.mean[channel]!)) / f32(spec.std[channel]!));
    } else if (spec.range) {
      const [low, high] = [f32(spec.range[0]), f32(spec.range[1])];
      table[level] = f32(low + f32(unit * f32(high - low)));
    } else {
      table[level] = unit;
    }
  }
  return table;
}

/** Opaque RGBA bytes of an output of kind `image`, clamped and rounded half up; NaN becomes 0. */
export function tensorToPixels(values: Float32Array, spec: TensorSpec, layout: Binding["layout"]): Uint8ClampedArray {
  const pixels = values.length / 3;
  const at = place(layout, pixels);
  const rgba = new Uint8ClampedArray(pixels * 4).fill(255);
  for (let channel = 0; channel < 3; channel++) {
    const unit = unitOf(spec, channel);
    const target = spec.color_order === "BGR" ? 2 - channel : channel;
    for (let pixel = 0; pixel < pixels; pixel++) {
      const scaled = f32(unit(values[at(pixel, channel)]!) * 255);
      const kept = scaled > 0 ? (scaled < 255 ? scaled : 255) : 0;
      rgba[pixel * 4 + target] = Math.floor(f32(kept + 0.5));
    }
  }
  return rgba;
}

/** From a value of the tensor to 0..1. */
function unitOf(spec: TensorSpec, channel: number): (value: number) => number {
  if (spec.mean && spec.std) {
    const [mean, std] = [f32(spec.mean[channel]!), f32(spec.std[channel]!)];
    return (value) => f32(f32(value * std) + mean);
  }
  if (spec.range) {
    const low = f32(spec.range[0]);
    const width = f32(f32(spec.range[1]) - low);
    return (value) => f32(f32(value - low) / width);
  }
  return (value) => value;
}

/** Values of an artifact's tensor in the order of the source model: NCHW, whatever the artifact's own layout. */
export function logicalValues(values: Float32Array, { layout, shape }: Binding): Float32Array {
  if (layout !== "NHWC") return values;
  const [, height, width, channels] = shape as [number, number, number, number];
  const plane = height * width;
  return new Float32Array(values.length).map((_, at) => values[(at % plane) * channels + Math.floor(at / plane)]!);
}

/** 10 log10(peak^2 / mean squared error) in dB; 200 for equal values, -200 where a value is not finite. */
export function psnrDb(actual: ArrayLike<number>, expected: ArrayLike<number>, peak: number): number {
  const EQUAL = 200;
  if (actual.length !== expected.length || actual.length === 0) return -EQUAL;
  let sum = 0;
  for (let at = 0; at < expected.length; at++) {
    const difference = actual[at]! - expected[at]!;
    sum += difference * difference;
  }
  const error = sum / expected.length;
  if (!Number.isFinite(error)) return -EQUAL;
  if (error === 0 || peak === 0) return error === 0 ? EQUAL : -EQUAL;
  return Math.min(EQUAL, 10 * Math.log10((peak * peak) / error));
}
