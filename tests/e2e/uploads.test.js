// SPDX-License-Identifier: Apache-2.0
/*
 * Clients of tus that others wrote, unmodified, in a real browser against the real binary: on a page
 * of the server's own origin that this test serves.
 */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { page, real, register, url, useSite } from './site.js';

const modules = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules');
const SIZE = 3 * 1024 * 1024 + 7;

useSite();

/* A page with both clients, and `file(seed)`: the same bytes for a seed, also after a reload. */
async function openClients() {
  await page.context().route(url('/clients/*'), (route) => {
    const name = new URL(route.request().url()).pathname.split('/').at(-1);
    const found = { 'tus.js': 'tus-js-client/dist/tus.min.js', 'uppy.js': 'uppy/dist/uppy.min.js' }[name];
    return found ? route.fulfill({ path: path.join(modules, found), contentType: 'text/javascript' })
      : route.fulfill({ contentType: 'text/html',
        body: '<!doctype html><script src=tus.js></script><script src=uppy.js></script>' });
  });
  await page.goto(url('/clients/page.html'));
  await defineFile();
}

const defineFile = () => page.evaluate((size) => {
  globalThis.file = (seed) => {
    const bytes = new Uint8Array(size);
    for (let i = 0, x = seed * 2654435761; i < size; i += 1) {
      x = (x * 1664525 + 1013904223) >>> 0;
      bytes[i] = x >>> 24;
    }
    bytes.set([0xff, 0xd8, 0xff, 0xe0]);
    return new File([bytes], 'Strand.jpg', { type: 'image/jpeg', lastModified: 1 });
  };
}, SIZE);

/* What the library has of that file, byte for byte. */
async function inLibrary(seed) {
  const { sha256, photos, back } = await page.evaluate(async (number) => {
    const hex = async (buffer) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', buffer))]
      .map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const hash = await hex(await globalThis.file(number).arrayBuffer());
    const reply = await fetch('/v1/uploads/check', { method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ files: [{ sha256: hash }] }) });
    const { files } = await reply.json();
    const original = files[0].photo && await fetch(`/v1/photos/${files[0].photo}/original`);
    return { sha256: hash, photos: files, back: original && await hex(await original.arrayBuffer()) };
  }, seed);
  assert.equal(photos[0].status, 'known');
  assert.equal(back, sha256);
}

/* Starts tus-js-client: the page's `upload`, and `ended` when it is over. */
const start = (seed, more = {}) => page.evaluate(({ number, options }) => {
  const { tus, file } = globalThis;
  globalThis.sent = 0;
  globalThis.ended = new Promise((resolve) => {
    globalThis.upload = new tus.Upload(file(number), {
      endpoint: '/v1/uploads',
      chunkSize: 256 * 1024,
      retryDelays: [0, 100, 200, 400, 800, 1000, 1000, 1000],
      metadata: { filename: 'Strand.jpg' },
      onProgress: (sent) => { globalThis.sent = sent; },
      onSuccess: (payload) => resolve(payload?.lastResponse?.getHeader('Photo-Status') ?? 'done'),
      onError: (error) => resolve(String(error)),
      ...options,
    });
  });
  return globalThis.upload.findPreviousUploads().then((before) => {
    if (before.length > 0) {
      globalThis.upload.resumeFromPreviousUpload(before[0]);
    }
    globalThis.upload.start();
    return before.length;
  });
}, { number: seed, options: more });
const ended = () => page.evaluate(() => globalThis.ended);
const someSent = () => page.waitForFunction((size) => globalThis.sent > size / 4, SIZE);

/* So slow that a test can step in between. */
async function slowly() {
  await page.context().route(url('/v1/uploads/**'), async (route) => {
    await new Promise((resolve) => { setTimeout(resolve, 60); });
    await route.continue().catch(() => {});
  });
}

/* The next three requests are reset; how many there have been since then. */
async function cutLines() {
  let asked = 0;
  await page.context().route(url('/v1/uploads/**'), (route) => {
    asked += 1;
    return asked > 3 ? route.fallback() : route.abort('connectionreset');
  });
  return () => asked;
}

test('tus-js-client sends a file, and the same again', real, async () => {
  await register();
  await openClients();
  await start(1);
  assert.equal(await ended(), 'added');
  await inLibrary(1);
  await start(1);
  assert.equal(await ended(), 'added'); /* it asks, and is answered as the first time */
  await page.evaluate(() => localStorage.clear());
  await start(1, { storeFingerprintForResuming: false, uploadDataDuringCreation: true,
    chunkSize: Number.MAX_SAFE_INTEGER });
  assert.equal(await ended(), 'known');
});

test('tus-js-client sends parts side by side', real, async () => {
  await register();
  await openClients();
  await start(2, { parallelUploads: 3 });
  assert.match(await ended(), /added|done/);
  await inLibrary(2);
});

test('tus-js-client pauses, goes on, and goes on after a reload', real, async () => {
  await register();
  await openClients();
  await slowly();
  await start(3);
  await someSent();
  await page.evaluate(() => globalThis.upload.abort());
  const offset = await page.evaluate(async () => {
    const reply = await fetch(globalThis.upload.url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } });
    return Number(reply.headers.get('Upload-Offset'));
  });
  assert.ok(offset > 0 && offset < SIZE);
  await page.evaluate(() => globalThis.upload.start());
  await page.waitForFunction((size) => globalThis.sent > size / 2, SIZE);
  await page.reload();
  await defineFile();
  assert.equal(await start(3), 1);
  assert.equal(await ended(), 'added');
  await inLibrary(3);
});

test('tus-js-client goes on after the network was cut', real, async () => {
  await register();
  await openClients();
  await slowly();
  await start(4);
  await someSent();
  const cuts = await cutLines();
  assert.equal(await ended(), 'added');
  assert.ok(cuts() > 3);
  await inLibrary(4);
});

test('what is no photo is told, and not tried again', real, async () => {
  await register();
  await openClients();
  await page.evaluate(() => {
    globalThis.ended = new Promise((resolve) => {
      new globalThis.tus.Upload(new Blob(['hello']), { endpoint: '/v1/uploads', retryDelays: [0, 0],
        onSuccess: () => resolve('sent'), onError: (error) => resolve(String(error)) }).start();
    });
  });
  assert.match(await ended(), /415.*unsupported_type/s);
});

/* Starts Uppy: the page's `uppy`, and `ended` with how many succeeded and what the others said. */
const startUppy = (seeds, more = {}) => page.evaluate(({ numbers, options }) => {
  const { Uppy, file } = globalThis;
  globalThis.sent = 0;
  globalThis.uppy = new Uppy.Uppy().use(Uppy.Tus, { endpoint: '/v1/uploads', chunkSize: 256 * 1024,
    retryDelays: [0, 100, 200, 400, 800, 1000, 1000, 1000], ...options });
  const ids = numbers.map((number) => globalThis.uppy.addFile({ name: `Strand ${number}.jpg`,
    type: 'image/jpeg', data: file(number) }));
  globalThis.uppy.on('upload-progress', (one, progress) => { globalThis.sent = progress.bytesUploaded; });
  globalThis.ended = globalThis.uppy.upload().then(({ successful, failed }) => (
    { successful: successful.length, failed: failed.map((one) => String(one.error)) }));
  return ids;
}, { numbers: seeds, options: more });

/* What is asked from now on: `POST`, or `PATCH` and the offset from which bytes are sent. */
function watchUploads() {
  const asked = [];
  page.on('request', (request) => {
    if (new URL(request.url()).pathname.startsWith('/v1/uploads')) {
      asked.push({ method: request.method(), offset: Number(request.headers()['upload-offset'] ?? 0) });
    }
  });
  return { created: () => asked.filter((one) => one.method === 'POST').length,
    offsets: () => asked.filter((one) => one.method === 'PATCH').map((one) => one.offset) };
}

test('Uppy sends files, paused and resumed', real, async () => {
  await register();
  await openClients();
  await slowly();
  const [paused] = await startUppy([5, 6]);
  await page.evaluate((id) => new Promise((resolve) => {
    globalThis.uppy.once('upload-progress', () => {
      globalThis.uppy.pauseResume(id);
      setTimeout(() => resolve(globalThis.uppy.pauseResume(id)), 200);
    });
  }), paused);
  assert.deepEqual(await ended(), { successful: 2, failed: [] });
  await inLibrary(5);
  await inLibrary(6);
});

test('Uppy goes on after a reload where it was', real, async () => {
  await register();
  await openClients();
  await slowly();
  const before = watchUploads();
  await startUppy([7]);
  await someSent();
  await page.reload();
  await defineFile();
  assert.equal(before.created(), 1);
  const afterwards = watchUploads();
  await startUppy([7]);
  assert.deepEqual(await ended(), { successful: 1, failed: [] });
  assert.equal(afterwards.created(), 0);
  assert.ok(Math.min(...afterwards.offsets()) >= 256 * 1024, String(afterwards.offsets()));
  await inLibrary(7);
});

test('Uppy goes on after the network was cut', real, async () => {
  await register();
  await openClients();
  await slowly();
  const { created } = watchUploads();
  await startUppy([8]);
  await someSent();
  const cuts = await cutLines();
  assert.deepEqual(await ended(), { successful: 1, failed: [] });
  assert.ok(cuts() > 3);
  assert.equal(created(), 1);
  await inLibrary(8);
});

test('Uppy waits while the browser is offline', real, async () => {
  await register();
  await openClients();
  await slowly();
  const { created } = watchUploads();
  await startUppy([9]);
  await someSent();
  const failed = page.waitForEvent('requestfailed');
  await page.context().setOffline(true);
  await failed;
  assert.ok(await page.evaluate((size) => !navigator.onLine && globalThis.sent < size, SIZE));
  await page.context().setOffline(false);
  assert.deepEqual(await ended(), { successful: 1, failed: [] });
  assert.equal(created(), 1);
  await inLibrary(9);
});
