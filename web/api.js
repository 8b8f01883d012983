// SPDX-License-Identifier: Apache-2.0
/* The server's two endpoints, and its errors in plain words. */

const KEY = 'imagesync-key';
const TIMEOUT_MS = 5 * 60 * 1000;
const WAIT_MAX_S = 120; /* a longer Retry-After is for people to decide on */

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? '',
  set: (value) => value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY),
};

/* What went wrong: `kind` decides what the page does, the texts are for people. */
export class Problem extends Error {
  constructor(kind, title, detail = '', advice = '', retryAfter = 0) {
    super(title);
    Object.assign(this, { kind, title, detail, advice, retryAfter });
  }
}

const SMALLER = 'Make the photo smaller, then add it again.';
const CONVERT = 'Save it as a JPEG or PNG, then add it again.';
/* By the code of the problem, or else by the status. */
const ADVICE = {
  file_too_large: SMALLER,
  resolution_too_high: SMALLER,
  invalid_file_type: CONVERT,
  failed_to_read_image: CONVERT,
  unknown_foreground: 'Choose a photo with a clear subject.',
  400: 'Choose another photo.',
  402: 'Ask whoever runs this server for more credits.',
  413: SMALLER,
  415: CONVERT,
};

function kindOf(status, code, seconds) {
  if ([400, 413, 415].includes(status)) {
    return 'unfit'; /* the photo: sending it again would change nothing */
  }
  if (status === 401 || status === 403) {
    return code === 'foreign_origin' ? 'refused' : 'key';
  }
  return (status === 429 || status === 503) && seconds <= WAIT_MAX_S ? 'busy' : 'refused';
}

async function problemOf(xhr) {
  const { status, response } = xhr;
  let told = {};
  try {
    told = JSON.parse(await response.text());
  } catch {
    /* A proxy in between may answer with a page of its own. */
  }
  const title = told.title || `The server answered with an error (${status})`;
  const request = status >= 500 && told.request_id ? `Request ${told.request_id}` : '';
  const detail = told.detail ?? request;
  const advice = ADVICE[told.code] ?? ADVICE[status] ?? (status === 403 ? '' : 'Try again later.');
  const seconds = Math.max(1, Number(xhr.getResponseHeader('Retry-After')) || 2);
  return new Problem(kindOf(status, told.code, seconds), title, detail, advice, seconds);
}

export function unreachable() {
  return navigator.onLine
    ? new Problem('gone', 'The server does not answer', 'It may be restarting or out of reach.',
      'Check that it runs, then try again.')
    : new Problem('offline', 'You are offline', '', 'It goes on when you are connected again.');
}

export async function pageConfig() {
  const reply = await fetch('/v1/page-config', { headers: { 'X-Requested-With': 'imagesync' } });
  if (!reply.ok) {
    throw new Error(`page-config: ${reply.status}`);
  }
  return reply.json();
}

/*
 * Sends one photo. `fields` are the endpoint's other fields. Calls onUpload(percent) while it
 * travels and onSent() once. Rejects with a Problem, or with the signal's AbortError.
 */
export function cutout(file, fields, { signal, onUpload, onSent } = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    form.append(name, value);
  }
  form.append('image', file, file.name);

  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    signal?.throwIfAborted();
    signal?.addEventListener('abort', abort);
    xhr.open('POST', '/v1/cutout');
    xhr.responseType = 'blob';
    xhr.timeout = TIMEOUT_MS;
    xhr.setRequestHeader('X-Requested-With', 'imagesync');
    if (key.get()) {
      xhr.setRequestHeader('X-API-Key', key.get());
    }
    xhr.upload.onprogress = (e) => e.lengthComputable && onUpload?.(100 * e.loaded / e.total);
    xhr.upload.onload = () => onSent?.();
    xhr.onload = async () => (
      xhr.status === 200 ? resolve(resultOf(xhr)) : reject(await problemOf(xhr)));
    xhr.onerror = () => reject(unreachable());
    xhr.ontimeout = () => reject(new Problem('gone', 'The server took too long', '',
      'Try again, or with a smaller photo.'));
    xhr.onabort = () => reject(signal.reason);
    xhr.onloadend = () => signal?.removeEventListener('abort', abort);
    xhr.send(form);
  });
}

function resultOf(xhr) {
  const number = (name) => Number(xhr.getResponseHeader(name)) || 0;
  return {
    blob: xhr.response,
    width: number('X-Width'),
    height: number('X-Height'),
    subject: {
      x: number('X-Foreground-Left'),
      y: number('X-Foreground-Top'),
      width: number('X-Foreground-Width'),
      height: number('X-Foreground-Height'),
    },
  };
}
