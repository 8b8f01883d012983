// SPDX-License-Identifier: Apache-2.0
/*
 * The picture: layers that the browser itself lays over each other (background, cut-out, original),
 * so that a change of background is instant at any size and zoom; the divider between before and
 * after; zoom and panning. Positions are CSS pixels.
 */

import { blurSource } from './compose.js';
import { loadImage } from './photo.js';

const UPSCALE_MAX = 2;
const $ = (id) => document.getElementById(id);
const stage = $('stage');
const pan = $('pan');
const frame = $('frame');
const split = $('split');
const range = $('split-range');
const layers = [[$('original'), 1], [$('cutout'), 1], [$('blurred'), 2]]; /* and their sizes */

let photo = null;
let recipe = null;
let zoom = 0;
let images = null; /* { photo, url, original, cutout, blur } of what is loaded */

/* What the rendition shows of the picture, in its pixels. */
export function cropOf(photo, recipe) {
  const { width, height, subject } = photo;
  if (!recipe.crop || !subject) {
    return { x: 0, y: 0, width, height };
  }
  const mx = Math.round(subject.width * recipe.margin / 100);
  const my = Math.round(subject.height * recipe.margin / 100);
  return {
    x: subject.x - mx,
    y: subject.y - my,
    width: subject.width + 2 * mx,
    height: subject.height + 2 * my,
  };
}

export async function show(newPhoto, newRecipe) {
  const other = photo !== newPhoto;
  photo = newPhoto;
  recipe = newRecipe;
  if (other) {
    setZoom(0);
  }
  if (images?.photo !== photo || images.url !== photo.cutoutUrl) {
    const url = photo.cutoutUrl;
    const loading = images = { photo, url, blur: null };
    $('original').src = photo.originalUrl;
    if (url) {
      $('cutout').src = url;
      $('cutout').alt = `Cut-out of ${photo.name}`;
      const both = [photo.originalUrl, url].map(loadImage);
      [loading.original, loading.cutout] = await Promise.all(both);
      if (images !== loading) {
        return;
      }
    }
  }
  paint();
}

function paint() {
  const compare = photo.done && photo.readable;
  frame.hidden = !photo.width || !(photo.readable || photo.done);
  split.hidden = !compare || frame.hidden;
  $('zoom').hidden = !photo.done;
  $('after').hidden = !photo.done;
  $('before').hidden = !photo.readable;
  $('before').classList.toggle('dim', !photo.done);
  $('original').alt = photo.done ? `${photo.name} before` : photo.name;
  paintBackground();
  layout();
}

function paintBackground() {
  const backdrop = $('backdrop');
  const blurred = $('blurred');
  const flat = recipe.format === 'jpg' && recipe.background !== 'colour';
  const colour = recipe.background === 'colour' ? recipe.colour : flat ? '#fff' : '';
  const image = recipe.background === 'image' && recipe.imageUrl;
  backdrop.style.backgroundColor = colour;
  backdrop.style.backgroundImage = image ? `url("${recipe.imageUrl}")` : '';
  blurred.hidden = recipe.background !== 'blur' || !images?.original || !images.cutout;
  if (!blurred.hidden) {
    images.blur ??= blurSource(images.original, images.cutout);
    if (images.blurredBy !== recipe.blur) {
      images.blur(blurred, recipe.blur);
      images.blurredBy = recipe.blur;
    }
  }
}

function layout() {
  if (!photo || frame.hidden) {
    return;
  }
  const crop = cropOf(photo, photo.done ? recipe : {});
  const { clientWidth: width, clientHeight: height } = stage;
  const fit = Math.min(width / crop.width, height / crop.height, UPSCALE_MAX);
  const scale = zoom ? zoom / devicePixelRatio : fit;
  const px = (value) => `${value * scale}px`;
  frame.style.width = px(crop.width);
  frame.style.height = px(crop.height);
  for (const [layer, times] of layers) {
    layer.style.left = px(-crop.x - photo.width * (times - 1) / 2);
    layer.style.top = px(-crop.y - photo.height * (times - 1) / 2);
    layer.style.width = px(photo.width * times);
    layer.style.height = px(photo.height * times);
  }
  frame.classList.toggle('pixels', zoom > 1);
  divide();
}

/* The part of the frame that is in view, relative to the stage. */
function inView() {
  const outer = stage.getBoundingClientRect();
  const inner = frame.getBoundingClientRect();
  const left = Math.max(inner.left, outer.left);
  const right = Math.min(inner.right, outer.right);
  const top = Math.max(inner.top, outer.top);
  const bottom = Math.min(inner.bottom, outer.bottom);
  return { outer, inner, left, right, top, bottom };
}

function divide() {
  if (split.hidden) {
    $('before').style.clipPath = '';
    return;
  }
  const { outer, inner, left, right, top, bottom } = inView();
  const x = left + (right - left) * range.value / 100;
  $('before').style.clipPath = `inset(0 ${Math.max(0, inner.right - x)}px 0 0)`;
  const place = { '--x': x - outer.left, '--l': left - outer.left, '--r': outer.right - right,
    '--t': top - outer.top, '--b': outer.bottom - bottom };
  for (const [name, value] of Object.entries(place)) {
    split.style.setProperty(name, `${value}px`);
  }
  split.classList.toggle('at-start', x - left < 90);
  split.classList.toggle('at-end', right - x < 90);
  range.setAttribute('aria-valuetext', `${range.value} % before, ${100 - range.value} % after`);
}

function divideAt(clientX) {
  const { left, right } = inView();
  range.value = Math.round(100 * (clientX - left) / Math.max(1, right - left));
  divide();
}

/* What is at the event `at` stays where it is; without it, the centre does. */
function setZoom(level, at) {
  const before = frame.getBoundingClientRect();
  const view = stage.getBoundingClientRect();
  const x = at?.clientX ?? view.left + view.width / 2;
  const y = at?.clientY ?? view.top + view.height / 2;
  const fx = (x - before.left) / (before.width || 1);
  const fy = (y - before.top) / (before.height || 1);
  zoom = level;
  stage.classList.toggle('zoomed', zoom > 0);
  pan.tabIndex = zoom ? 0 : -1; /* to be scrolled with the arrow keys */
  for (const button of $('zoom').children) {
    button.setAttribute('aria-pressed', String(Number(button.dataset.zoom) === zoom));
  }
  layout();
  const after = frame.getBoundingClientRect();
  pan.scrollLeft += after.left + fx * after.width - x;
  pan.scrollTop += after.top + fy * after.height - y;
  divide();
}

function startDrag(event) {
  const handle = event.target.closest('.knob, .line');
  if (split.hidden || event.button !== 0 || event.target.closest('button')) {
    return;
  }
  const panning = zoom && !handle;
  if (panning && event.pointerType !== 'mouse') {
    return; /* the browser scrolls */
  }
  const from = { x: event.clientX + pan.scrollLeft, y: event.clientY + pan.scrollTop };
  const move = (e) => {
    if (panning) {
      pan.scrollTo(from.x - e.clientX, from.y - e.clientY);
    } else {
      divideAt(e.clientX);
    }
  };
  const end = () => {
    stage.removeEventListener('pointermove', move);
    stage.classList.remove('dragged');
  };
  if (!panning && event.pointerType === 'mouse') {
    divideAt(event.clientX);
    event.preventDefault();
    range.focus({ preventScroll: true, focusVisible: false });
  }
  stage.setPointerCapture(event.pointerId);
  stage.classList.add('dragged');
  stage.addEventListener('pointermove', move);
  stage.addEventListener('pointerup', end, { once: true });
  stage.addEventListener('pointercancel', end, { once: true });
}

range.addEventListener('input', divide);
pan.addEventListener('scroll', divide);
stage.addEventListener('pointerdown', startDrag);
stage.addEventListener('dblclick', (e) => {
  if (!split.hidden) {
    setZoom(zoom ? 0 : 1, e);
  }
});
$('zoom').addEventListener('click', (e) => {
  const level = e.target.closest('button')?.dataset.zoom;
  if (level !== undefined) {
    setZoom(Number(level));
  }
});
new ResizeObserver(layout).observe(stage);
