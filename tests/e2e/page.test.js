// SPDX-License-Identifier: Apache-2.0
/* The page in a real browser, as people use it. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';

import { identify } from './picture.js';
import { photos, startServer } from './server.js';

const CAT = path.join(photos, 'chelsea.png');
const CUP = path.join(photos, 'coffee.png');
const ROCKET = path.join(photos, 'rocket.jpg');
const CAT_SIZE = { width: 451, height: 300 };
const BAD = { name: 'bad.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('not a photo') };
const CUTOUT_MS = 60_000;

let server;
let browser;
let page;
let complaints;

async function open(options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'], ...options,
  });
  page = await context.newPage();
  page.setDefaultTimeout(CUTOUT_MS);
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    /* A refused request is logged by the browser itself; the tests look at what the page says. */
    const refusal = message.text().startsWith('Failed to load');
    if (['error', 'warning'].includes(message.type()) && !refusal) {
      complaints.push(message.text());
    }
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url) && !/^(blob|data):/.test(request.url())) {
      complaints.push(`an outside request: ${request.url()}`);
    }
  });
  await page.goto(server.url);
  return page;
}

before(async () => {
  server = await startServer();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
beforeEach(() => open());
afterEach(async () => {
  await page.context().close();
  assert.deepEqual(complaints, []);
});

const ready = (count = 1) => page.locator('[data-state=done]').nth(count - 1).waitFor();
const background = (name) => page.getByRole('radio', { name, exact: true }).check();

/* Paths, or files as Playwright describes them. */
async function add(...files) {
  const described = files.map(async (file) => (typeof file !== 'string' ? file
    : { name: path.basename(file), mimeType: 'image/png', buffer: await readFile(file) }));
  await page.setInputFiles('#files', await Promise.all(described));
}

async function download(button = page.getByRole('button', { name: 'Download', exact: true })) {
  const [done] = await Promise.all([page.waitForEvent('download'), button.click()]);
  return { name: done.suggestedFilename(), bytes: await readFile(await done.path()) };
}

async function violations() {
  const { violations: found } = await new AxeBuilder({ page }).analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/* The mean difference, 0 ... 255, between a download and what the stage shows of it. */
async function disagreement(bytes) {
  await page.locator('#split-range').evaluate((range) => {
    range.value = 0;
    range.dispatchEvent(new Event('input'));
    document.getElementById('split').style.visibility = 'hidden';
  });
  const shown = await page.locator('#frame').screenshot();
  const difference = await page.evaluate(async ([a, b]) => {
    const [left, right] = await Promise.all([a, b].map(async (data) => createImageBitmap(
      new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]))));
    const pixels = [left, right].map((bitmap) => {
      const context = new OffscreenCanvas(200, 200).getContext('2d');
      context.imageSmoothingQuality = 'high';
      context.drawImage(bitmap, 0, 0, 200, 200);
      return context.getImageData(0, 0, 200, 200).data;
    });
    return pixels[0].reduce((sum, value, i) => sum + Math.abs(value - pixels[1][i]), 0)
      / pixels[0].length;
  }, [shown, bytes].map((data) => data.toString('base64')));
  await page.locator('#split').evaluate((split) => { split.style.visibility = ''; });
  return difference;
}

test('an empty page is clean and accessible', async () => {
  await page.getByRole('heading', { level: 1 }).waitFor();
  assert.deepEqual(await violations(), []);
});

test('a photo is picked, uploads, is cut out and compared', async () => {
  let proceed;
  const held = new Promise((resolve) => { proceed = resolve; });
  await page.route('**/v1/cutout', async (route) => {
    await held;
    await route.continue();
  });
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Choose photos' }).click();
  await (await chooser).setFiles(CAT);
  await page.getByText(/^(Uploading \d+ %|Cutting out… \d+ s)$/).waitFor();
  assert.deepEqual(await violations(), []);
  proceed();
  await ready();
  assert.equal(await page.locator('#facts').innerText(), 'chelsea.png\n451 × 300 px');
  const clip = () => page.locator('#before').evaluate((layer) => layer.style.clipPath);
  const middle = await clip();
  await page.locator('#split-range').focus();
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await clip(), middle);
  const stage = await page.locator('#frame').boundingBox();
  await page.mouse.move(stage.x + stage.width / 2, stage.y + 40);
  await page.mouse.down();
  await page.mouse.move(stage.x + stage.width * 0.25, stage.y + 40, { steps: 4 });
  await page.mouse.up();
  assert.equal(await page.locator('#split-range').inputValue(), '25');
  assert.deepEqual(await violations(), []);
});

test('the picture can be seen at 100 % and moved', async () => {
  await add(CAT);
  await ready();
  await page.setViewportSize({ width: 700, height: 800 });
  await page.getByRole('button', { name: '200 %' }).click();
  assert.equal((await page.locator('#frame').boundingBox()).width, 902);
  const left = () => page.locator('#pan').evaluate((pan) => pan.scrollLeft);
  const centred = await left();
  const box = await page.locator('#stage').boundingBox();
  await page.mouse.move(box.x + 100, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + 60, box.y + 60, { steps: 4 });
  await page.mouse.up();
  assert.equal(await left(), centred + 40);
  await page.getByRole('button', { name: '100 %' }).click();
  assert.equal((await page.locator('#frame').boundingBox()).width, 451);
  assert.deepEqual(await violations(), []);
});

const FORMATS = { PNG: 'png', WebP: 'webp', JPEG: 'jpg', AVIF: 'avif' };
for (const [label, format] of Object.entries(FORMATS)) {
  test(`a cut-out is downloaded as ${label}`, async () => {
    await add(CAT);
    await ready();
    await page.getByRole('radio', { name: label }).check();
    const { name, bytes } = await download();
    assert.equal(name, `chelsea-cutout.${format}`);
    assert.deepEqual(identify(bytes), { format, ...CAT_SIZE });
  });
}

test('what is downloaded is what was shown', async () => {
  await add(CAT);
  await ready();
  const compare = async (what, limit) => {
    const difference = await disagreement((await download()).bytes);
    assert.ok(difference < limit, `${what} differs by ${difference.toFixed(2)} of 255`);
  };
  await background('Colour');
  await page.getByRole('radio', { name: 'Sky' }).check();
  await compare('a colour', 3);
  await background('Image');
  await page.setInputFiles('#background-file', ROCKET);
  await compare('an image', 5);
  await background('Blur');
  await page.getByLabel('Amount').fill('40');
  await compare('a blurred background', 4);
  await background('Colour');
  await page.getByRole('switch', { name: 'Crop to the subject' }).check();
  await compare('a crop', 4);
  assert.deepEqual(await violations(), []);
});

test('several photos: a bad one does not stop the others, all are downloaded', async () => {
  await add(CAT, BAD, CUP);
  await ready(2);
  await page.getByRole('button', { name: 'bad.jpg, failed' }).click();
  const failure = page.locator('#failure');
  assert.notEqual(await failure.getByRole('heading').innerText(), '');
  assert.match(await failure.innerText(), /Choose another photo|Save it as a JPEG/);
  assert.deepEqual(await violations(), []);
  const names = [];
  page.on('download', (file) => names.push(file.suggestedFilename()));
  await page.getByRole('button', { name: 'Download all (2)' }).click();
  await page.locator('#announce', { hasText: 'coffee-cutout' }).waitFor();
  await page.getByRole('button', { name: 'Download all (2)' }).waitFor();
  assert.deepEqual(names.sort(), ['chelsea-cutout.png', 'coffee-cutout.png']);
  await failure.getByRole('button', { name: 'Remove' }).click();
  assert.equal(await page.locator('#tray li').count(), 2);
});

async function transfer(event, target) {
  const data = (await readFile(CAT)).toString('base64');
  await page.evaluate(([name, where, bytes]) => {
    const content = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
    const file = new File([content], 'cat.png', { type: 'image/png' });
    const carried = new DataTransfer();
    carried.items.add(file);
    const init = { bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried };
    const Kind = name === 'paste' ? ClipboardEvent : DragEvent;
    document.querySelector(where).dispatchEvent(new Kind(name, init));
  }, [event, target, data]);
}

test('a photo is dropped', async () => {
  await transfer('dragover', 'body');
  await page.getByText('Drop to cut out').waitFor();
  await transfer('drop', 'body');
  await ready();
  assert.equal(await page.getByText('Drop to cut out').isVisible(), false);
});

test('a photo is pasted', async () => {
  await transfer('paste', 'body');
  await ready();
});

test('a cut-out is copied', async () => {
  await add(CAT);
  await ready();
  await page.getByRole('button', { name: 'Copy as PNG' }).click();
  await page.waitForFunction(() => document.getElementById('announce').textContent === 'Copied.');
  const types = await page.evaluate(async () => (await navigator.clipboard.read())[0].types);
  assert.deepEqual(types, ['image/png']);
});

test('a busy server is asked again after the time it names', async () => {
  let asked = 0;
  await page.route('**/v1/cutout', (route) => (asked++ ? route.continue() : route.fulfill({
    status: 429, headers: { 'Retry-After': '2' }, contentType: 'application/problem+json',
    body: '{"title":"Too many requests","status":429}',
  })));
  await add(CAT);
  await page.getByText(/The server is busy\. Trying again in [12] s/).waitFor();
  assert.deepEqual(await violations(), []);
  await ready();
  assert.equal(asked, 2);
});

test('a download waits for a busy server too, and can be cancelled', async () => {
  await add(CAT);
  await ready();
  let asked = 0;
  await page.route('**/v1/cutout', (route) => (asked++ > 1 ? route.continue() : route.fulfill({
    status: 429, headers: { 'Retry-After': asked > 1 ? '60' : '1' }, body: '{"title":"Busy"}' })));
  await page.getByRole('radio', { name: 'WebP' }).check();
  await page.getByRole('button', { name: 'Download' }).click();
  await page.getByRole('button', { name: /Cancel · server busy, [56]\d s/ }).click();
  assert.equal(asked, 2);
  assert.equal((await download()).name, 'chelsea-cutout.webp');
});

test('a server that is gone is named, and tried again on request', async () => {
  await page.route('**/v1/cutout', (route) => route.abort('connectionrefused'));
  await add(CAT);
  await page.getByRole('heading', { name: 'The server does not answer' }).waitFor();
  await page.unroute('**/v1/cutout');
  await page.getByRole('button', { name: 'Try again' }).click();
  await ready();
});

test('without a network the photo waits for it', async () => {
  await page.context().setOffline(true);
  await add(CAT);
  await page.getByText('You are offline. It goes on when you are back').waitFor();
  await page.context().setOffline(false);
  await ready();
});

test('a photo can be cancelled and started again', async () => {
  await page.route('**/v1/cutout', () => {});
  await add(CAT);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('heading', { name: 'Cancelled' }).waitFor();
  await page.unroute('**/v1/cutout');
  await page.getByRole('button', { name: 'Try again' }).click();
  await ready();
});

test('too large a file is refused before it travels', async () => {
  await page.route('**/v1/page-config', (route) => route.fulfill({ json: {
    key_required: false, formats: ['png', 'jpg'], file_bytes_max: 1000, pixels_max: 1e8 } }));
  await page.reload();
  await page.getByText(/up to 0/).waitFor();
  await add(CAT);
  await page.getByRole('heading', { name: 'The file is too large' }).waitFor();
});

test('a key is asked for, refused, asked for again and kept in the tab', async () => {
  await page.route('**/v1/cutout', async (route) => {
    const { 'x-api-key': key, ...headers } = route.request().headers();
    return key === 'right' ? route.continue({ headers }) : route.fulfill({
      status: 403, contentType: 'application/problem+json',
      body: '{"title":"The key is not valid"}' });
  });
  await add(CAT, CUP);
  const dialog = page.getByRole('dialog', { name: 'Enter your API key' });
  await dialog.waitFor();
  assert.deepEqual(await violations(), []);
  await page.getByLabel('API key', { exact: true }).fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('did not accept that key').waitFor();
  await page.getByLabel('API key', { exact: true }).fill('right');
  await dialog.getByRole('button', { name: 'Continue' }).click();
  await ready(2);
  assert.equal(await page.evaluate(() => localStorage.length), 0);
});

test('all of it works by keyboard', async () => {
  const reach = async (name) => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      const here = await page.evaluate(() => {
        const e = document.activeElement;
        return e.getAttribute('aria-label') ?? (e.labels?.[0]?.innerText || e.innerText);
      });
      if (here?.trim() === name) {
        return;
      }
    }
    assert.fail(`Tab does not reach "${name}"`);
  };
  const chooser = page.waitForEvent('filechooser');
  await reach('Choose photos');
  await page.keyboard.press('Enter');
  await (await chooser).setFiles(CAT);
  await ready();
  await reach('None');
  await page.keyboard.press('ArrowRight');
  await reach('White');
  await page.keyboard.press('ArrowRight');
  await reach('Crop to the subject');
  await page.keyboard.press('Space');
  await reach('PNG');
  await page.keyboard.press('ArrowRight');
  await reach('Download');
  const [file] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  assert.equal(file.suggestedFilename(), 'chelsea-cutout.webp');
});

test('what is pressed by keyboard never loses the focus', async () => {
  const focused = () => page.evaluate(() => {
    const e = document.activeElement;
    return e.getAttribute('aria-label') ?? e.innerText;
  });
  const press = async (name) => {
    await page.getByRole('button', { name, exact: true }).focus();
    await page.keyboard.press('Enter');
  };
  await page.route('**/v1/cutout', () => {});
  await add(CAT);
  await page.getByText(/^(Uploading|Cutting out)/).waitFor();
  await press('Cancel');
  await page.getByRole('heading', { name: 'Cancelled' }).waitFor();
  assert.match(await focused(), /^chelsea\.png/);
  await page.unroute('**/v1/cutout');
  await press('Try again');
  await ready();
  assert.match(await focused(), /^chelsea\.png/);
  await press('Copy as PNG');
  await page.getByRole('button', { name: 'Copy as PNG', disabled: false }).waitFor();
  assert.equal(await focused(), 'Copy as PNG');
  await add(CUP);
  await ready(2);
  let proceed;
  const held = new Promise((resolve) => { proceed = resolve; });
  await page.route('**/v1/cutout', async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole('radio', { name: 'WebP' }).check();
  await press('Download all (2)');
  await page.getByRole('button', { name: /^Cancel · / }).waitFor();
  assert.match(await focused(), /^Cancel · /);
  proceed();
  await page.getByRole('button', { name: 'Download all (2)' }).waitFor();
  assert.equal(await focused(), 'Download all (2)');
  await page.route('**/v1/cutout', (route) => route.abort('connectionrefused'));
  await page.getByRole('radio', { name: 'AVIF' }).check();
  await press('Download');
  await page.getByRole('alert').waitFor();
  await press('Close');
  assert.match(await focused(), /^coffee\.png/);
});

test('only what may go better is tried again', async () => {
  await add(BAD);
  const failure = page.locator('#failure');
  await failure.getByRole('button', { name: 'Remove' }).waitFor();
  assert.equal(await failure.getByRole('button', { name: 'Try again' }).isVisible(), false);
  await page.route('**/v1/cutout', (route) => route.fulfill({
    status: 500, contentType: 'application/problem+json', body: '{"title":"Internal error"}' }));
  await add(CAT);
  await failure.getByRole('heading', { name: 'Internal error' }).waitFor();
  assert.ok(await failure.getByRole('button', { name: 'Try again' }).isVisible());
});

test('a background that is none is refused, and what goes wrong is not told for ever', async () => {
  await add(CAT);
  await ready();
  await background('Image');
  const file = (name, mimeType) => page.setInputFiles('#background-file',
    { name, mimeType, buffer: Buffer.from('no picture') });
  const toast = page.getByRole('alert');
  await file('notes.txt', 'text/plain');
  await toast.getByText('notes.txt is not an image.').waitFor();
  assert.ok(await page.getByText('Choose an image').isVisible());
  await file('broken.jpg', 'image/jpeg');
  await page.getByText('This browser cannot show it.').waitFor();
  assert.equal(await toast.isVisible(), false);
  await page.getByRole('button', { name: 'Download', exact: true }).click();
  await toast.getByText(/background image/).waitFor();
  await page.setInputFiles('#background-file', CUP);
  await page.getByText('It is centred').waitFor();
  assert.equal(await toast.isVisible(), false);
  assert.equal((await download()).name, 'chelsea-cutout.png');
});

test('a link that is dropped does not replace the page', async () => {
  const left = await page.evaluate(() => {
    const carried = new DataTransfer();
    carried.setData('text/uri-list', 'https://example.org/');
    const over = new DragEvent('dragover', { bubbles: true, cancelable: true,
      dataTransfer: carried });
    return document.body.dispatchEvent(over);
  });
  assert.equal(left, false, 'the browser would take the drop');
  assert.equal(await page.getByText('Drop to cut out').isVisible(), false);
});

for (const [device, width, height] of [['phone', 390, 844], ['small phone', 360, 640]]) {
  test(`on a ${device} nothing overflows, light or dark`, async () => {
    for (const colorScheme of ['light', 'dark']) {
      await page.context().close();
      await open({ viewport: { width, height }, hasTouch: true, isMobile: true, colorScheme });
      assert.ok(await page.getByRole('button', { name: 'Take a photo' }).first().isVisible());
      assert.equal(await overflow(), 0);
      await add(CAT, BAD, CUP);
      await ready(2);
      const size = page.getByText('451 × 300 px');
      assert.ok(await size.evaluate((span) => span.scrollWidth <= span.clientWidth), 'cut off');
      await background('Colour');
      assert.equal(await overflow(), 0);
      assert.deepEqual(await violations(), []);
    }
  });
}

test('dark colours have enough contrast', async () => {
  await page.context().close();
  await open({ colorScheme: 'dark' });
  assert.deepEqual(await violations(), []);
  await add(CAT);
  await ready();
  await background('Blur');
  assert.deepEqual(await violations(), []);
});
