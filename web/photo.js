// SPDX-License-Identifier: Apache-2.0
/* A photo on the tray: its file, what became of it, and its renditions. */

import { Problem } from './api.js';
import { thumbnail } from './compose.js';
import { send } from './queue.js';

const PNG_PREVIEW_PIXELS = 4e6; /* above this a WebP preview arrives much sooner */
const PNG_PREVIEW_BYTES = 4e6;
const WEBP_SIDE_MAX = 16383;

let decoding = Promise.resolve();

/* Resolves to an <img> that can be drawn, or null when this browser cannot read the format. */
export async function loadImage(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image.naturalWidth > 0 ? image : null;
  } catch {
    return null;
  }
}

/* The fields of POST /v1/cutout for what the panel says. */
function fieldsOf(recipe) {
  const fields = { format: recipe.format };
  if (recipe.background === 'colour') {
    fields.background_color = recipe.colour;
  } else if (recipe.background === 'image' && recipe.image) {
    fields.background = recipe.image;
  } else if (recipe.background === 'blur') {
    fields.blur = recipe.blur.toFixed(4);
  }
  if (recipe.crop) {
    fields.crop = 'true';
    fields.crop_margin = `${recipe.margin}%`;
  }
  return fields;
}

export class Photo {
  state = 'queued'; /* uploading cutting waiting offline locked done failed */
  value = 0; /* what queue.js reports with the state */
  problem = null;
  thumb = null;
  readable = true; /* by this browser */
  width = 0;
  height = 0;
  subject = null;
  cutoutUrl = null;
  nudge = new EventTarget();
  #last = null; /* { id, blob } of the newest rendition */
  #abort = null;
  #blob = null;

  /* `host`: { changed(photo), askKey(wrong), limits } */
  constructor(file, host) {
    this.file = file;
    this.host = host;
    this.name = file.name || 'photo';
    this.originalUrl = URL.createObjectURL(file);
  }

  get done() {
    return this.state === 'done';
  }

  get active() {
    return !['done', 'failed'].includes(this.state);
  }

  async start() {
    this.#abort?.abort();
    const abort = this.#abort = new AbortController();
    this.problem = null;
    this.#set('queued');
    try {
      this.#checkSize();
      await this.#measure();
      this.#accept(await this.#send({ format: this.#previewFormat() }, abort.signal));
      this.#set('done');
    } catch (problem) {
      if (this.#abort !== abort) {
        return; /* started anew or removed meanwhile */
      }
      this.problem = problem instanceof Problem ? problem
        : abort.signal.aborted ? new Problem('cancelled', 'Cancelled')
          : new Problem('broken', 'Something went wrong', String(problem.message ?? problem));
      this.#set('failed');
    }
  }

  cancel() {
    this.#abort?.abort();
  }

  tryNow() {
    this.nudge.dispatchEvent(new Event('now'));
  }

  remove() {
    const abort = this.#abort;
    this.#abort = null;
    abort?.abort();
    for (const url of [this.originalUrl, this.cutoutUrl, this.thumb]) {
      URL.revokeObjectURL(url);
    }
  }

  /* The rendition as the server makes it: { blob, name }. report(state, value) as in queue.js. */
  async render(recipe, { signal, report }) {
    const name = this.name.replace(/\.[^.]*$/, '') + `-cutout.${recipe.format}`;
    const fields = fieldsOf(recipe);
    const plain = Object.keys(fields).length === 1 && recipe.format === 'png';
    if (plain && this.#blob.type === 'image/png') {
      return { blob: this.#blob, name };
    }
    const id = JSON.stringify({ ...fields, background: recipe.imageId });
    if (this.#last?.id !== id) {
      const { blob } = await send(this.file, fields,
        { signal, report, nudge: this.nudge, askKey: this.host.askKey, urgent: true });
      this.#last = { id, blob };
    }
    return { blob: this.#last.blob, name };
  }

  #checkSize() {
    const { file_bytes_max: max } = this.host.limits;
    if (this.file.size === 0) {
      throw new Problem('unfit', 'The file is empty', '', 'Choose another photo.');
    }
    if (max && this.file.size > max) {
      throw new Problem('unfit', 'The file is too large',
        `It has ${megabytes(this.file.size)}; this server takes up to ${megabytes(max)}.`,
        'Make the photo smaller, then add it again.');
    }
  }

  /* One photo is decoded at a time: a few hundred at once would exhaust a phone. */
  #measure() {
    if (this.width || !this.readable) {
      return Promise.resolve();
    }
    const measured = decoding.then(async () => {
      const image = await loadImage(this.originalUrl);
      this.readable = image !== null;
      if (image) {
        this.width = image.naturalWidth;
        this.height = image.naturalHeight;
        this.thumb = await thumbnail(image);
        this.host.changed(this);
      }
    });
    decoding = measured.catch(() => {});
    return measured;
  }

  #previewFormat() {
    const small = this.width ? this.width * this.height <= PNG_PREVIEW_PIXELS
      : this.file.size <= PNG_PREVIEW_BYTES;
    return small || Math.max(this.width, this.height) > WEBP_SIDE_MAX ? 'png' : 'webp';
  }

  #send(fields, signal) {
    return send(this.file, fields, {
      signal, nudge: this.nudge, askKey: this.host.askKey,
      report: (state, value) => {
        this.value = value;
        this.#set(state);
      },
    });
  }

  #accept(result) {
    this.#blob = result.blob;
    this.cutoutUrl = URL.createObjectURL(result.blob);
    this.width = result.width || this.width;
    this.height = result.height || this.height;
    this.subject = result.subject.width > 0 ? result.subject : null;
  }

  #set(state) {
    const entered = state !== this.state;
    this.state = state;
    this.host.changed(this, entered);
  }
}

export function megabytes(bytes) {
  return `${(bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0).replace(/\.0$/, '')} MB`;
}
