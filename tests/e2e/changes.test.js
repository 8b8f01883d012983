// SPDX-License-Identifier: Apache-2.0
/* The browser's own EventSource on the changes of a library, with the session's cookie. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startServer } from './server.js';
import { page, real, register, settings, useSite } from './site.js';

useSite({ start: () => startServer({ ...settings, stream_heartbeat_s: 1 }) });

const albumMade = (name) => page.evaluate(async (text) => {
  const reply = await fetch('/v1/albums', { method: 'POST',
    headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name: text }) });
  return reply.json();
}, name);

/* Listens in the page from `since` on; what comes is kept there. */
const listen = (since) => page.evaluate((seq) => {
  window.changes = [];
  window.source = new EventSource(`/v1/changes/stream?since=${seq}`);
  window.source.addEventListener('change', (event) => {
    window.changes.push([event.lastEventId.split('.')[0], JSON.parse(event.data)]);
  });
}, since);

async function heard(count) {
  await page.waitForFunction((n) => window.changes.length >= n, count);
  return page.evaluate(() => window.changes);
}

test('what was missed and what happens is heard, until one signs out', real, async () => {
  await register();
  const albums = [await albumMade('one'), await albumMade('two'), await albumMade('three')];
  await listen(1);
  assert.deepEqual(await heard(2), [['2', albums[1]], ['3', albums[2]]]);
  const late = await albumMade('late');
  assert.deepEqual((await heard(3))[2], ['4', late]);

  /* The server ends the stream, the browser comes back and is told that it is nobody. */
  assert.equal(await page.evaluate(async () => (await fetch('/v1/sessions',
    { method: 'DELETE' })).status), 204);
  await page.waitForFunction(() => window.source.readyState === EventSource.CLOSED);
  assert.equal((await page.evaluate(() => window.changes)).length, 3);
});

test('a cursor that the log does not have ends it, and the objects tell where to go on', real,
  async () => {
    await register();
    await albumMade('one');
    await listen(5);
    await page.waitForFunction(() => window.source.readyState === EventSource.CLOSED);
    const { objects, seq } = await page.evaluate(async () => (await fetch('/v1/objects')).json());
    assert.equal(objects.length, 1);
    await listen(seq);
    const two = await albumMade('two');
    assert.deepEqual(await heard(1), [['2', two]]);
  });
