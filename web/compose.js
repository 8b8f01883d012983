// SPDX-License-Identifier: Apache-2.0
/* Pixels that the page computes itself: thumbnails and the preview of a blurred background. */

const BLUR_SIDE = 448;
const THUMB_SIDE = 160;
const MATTE_NONE = 4;
const FALLBACK = 1e-3;

function shrink(image, side) {
  const scale = Math.min(1, side / Math.max(image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return { canvas, context };
}

/* A small copy to keep, so that the tray does not hold every photo in full size. */
export function thumbnail(image) {
  return new Promise((resolve) => {
    shrink(image, THUMB_SIDE).canvas.toBlob((blob) => resolve(blob && URL.createObjectURL(blob)));
  });
}

/* One pass of a moving average over lines of `n` values that lie `step` apart; the edges repeat. */
function boxLine(source, target, start, step, n, radius) {
  const at = (i) => source[start + Math.min(Math.max(i, 0), n - 1) * step];
  let sum = 0;
  for (let i = -radius; i <= radius; i++) {
    sum += at(i);
  }
  for (let i = 0; i < n; i++) {
    target[start + i * step] = sum / (2 * radius + 1);
    sum += at(i + radius + 1) - at(i - radius);
  }
}

/*
 * Three box blurs come within a few per cent of a Gaussian; their widths follow P. Kovesi, "Fast
 * Almost-Gaussian Filtering", DICTA 2010.
 */
function gauss(plane, width, height, sigma) {
  const ideal = Math.sqrt(4 * sigma * sigma + 1);
  const low = Math.floor((ideal - 1) / 2);
  const wide = 2 * low + 1;
  const lows = Math.round((12 * sigma * sigma - 3 * wide * wide - 12 * wide - 9) / (-4 * wide - 4));
  const other = new Float32Array(plane.length);
  for (let pass = 0; pass < 3; pass++) {
    const radius = pass < lows ? low : low + 1;
    for (let y = 0; y < height; y++) {
      boxLine(plane, other, y * width, 1, width, radius);
    }
    for (let x = 0; x < width; x++) {
      boxLine(other, plane, x, width, height, radius);
    }
  }
}

/*
 * The background of `original` without the subject, ready to be blurred by any amount:
 * draw(canvas, share) with the Gaussian's sigma as a share of the longer side. As on the server,
 * only what is surely background weighs, so that the subject leaves no glow; where none is near,
 * its mean counts. The canvas is twice the picture each way, its edges repeated, for wide margins.
 */
export function blurSource(original, cutout) {
  const { canvas: small, context } = shrink(original, BLUR_SIDE);
  const { width, height } = small;
  const n = width * height;
  const rgb = context.getImageData(0, 0, width, height).data;
  context.clearRect(0, 0, width, height);
  context.drawImage(cutout, 0, 0, width, height);
  const matte = context.getImageData(0, 0, width, height).data;
  const sums = [0, 0, 0, 1e-9];
  const source = sums.map((_, c) => Float32Array.from({ length: n }, (_, i) => {
    const weight = matte[4 * i + 3] < MATTE_NONE ? 1 : 0;
    const value = weight * (c < 3 ? rgb[4 * i + c] : 1);
    sums[c] += value;
    return value;
  }));
  const mean = sums.map((sum) => sum / sums[3]);

  return (canvas, share) => {
    const planes = source.map((plane) => plane.slice());
    planes.forEach((plane) => gauss(plane, width, height, share * Math.max(width, height)));
    const out = new ImageData(2 * width, 2 * height);
    for (let y = 0, to = 0; y < out.height; y++) {
      const row = width * Math.min(Math.max(y - (height >> 1), 0), height - 1);
      for (let x = 0; x < out.width; x++, to += 4) {
        const i = row + Math.min(Math.max(x - (width >> 1), 0), width - 1);
        for (let c = 0; c < 4; c++) {
          out.data[to + c] = c === 3 ? 255
            : (planes[c][i] + FALLBACK * mean[c]) / (planes[3][i] + FALLBACK);
        }
      }
    }
    canvas.width = out.width;
    canvas.height = out.height;
    canvas.getContext('2d').putImageData(out, 0, 0);
  };
}
