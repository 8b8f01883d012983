// SPDX-License-Identifier: Apache-2.0
/* The picture on the account page, in a real browser against the real binary. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { WIDTHS, checkPage } from './checks.js';
import { PASSWORD, linkInMail, newAddress } from './people.js';
import { photos, startServer } from './server.js';

const real = { skip: !process.env.IMAGESYNC_BIN && 'needs the binary: set IMAGESYNC_BIN' };
const complaints = [];
let server;
let browser;
let page;

const button = (name) => page.getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });
const picture = () => page.getByRole('img', { name: 'Your picture' });
const outcome = () => page.locator('#avatar-outcome');

async function choose(file, name = 'Choose a picture') {
  const chooser = page.waitForEvent('filechooser');
  await button(name).click();
  await (await chooser).setFiles(file);
}

/* How wide the picture that is shown really is, once it is there; 0 when it does not load. */
const shownWidth = () => picture().evaluate(async (image) => {
  await image.decode().catch(() => {});
  return image.naturalWidth;
});

if (!real.skip) {
  before(async () => {
    server = await startServer({ password_ops: 1, password_memory_mib: 8 });
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'] });
    page = await (await browser.newContext({ viewport: WIDTHS.desk })).newPage();
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load')) {
        complaints.push(message.text());
      }
    });
    const address = newAddress();
    await page.goto(new URL('/account/register', server.url).href);
    await field('E-mail address').fill(address);
    await button('Send the mail').click();
    await page.goto(await linkInMail(server, address, '/account/register'));
    await field('Password').fill(PASSWORD);
    await button('Open the account').click();
    await page.getByRole('heading', { name: 'Picture' }).waitFor();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    assert.deepEqual(complaints, []);
  });
}

test('a picture is chosen, seen again, changed and removed', real, async () => {
  await page.getByText('You have no picture.').waitFor();
  assert.ok(await picture().isHidden() && await button('Remove it').isHidden());
  await choose(path.join(photos, 'astronaut.png'));
  await outcome().filter({ hasText: 'This is your picture now.' }).waitFor();
  assert.equal(await shownWidth(), 512);
  const first = await picture().getAttribute('src');
  await checkPage(page, 'avatar');

  await page.reload();
  await picture().waitFor();
  assert.equal(await picture().getAttribute('src'), first);
  assert.equal(await shownWidth(), 512);

  await choose(path.join(photos, 'chelsea.png'), 'Choose another');
  await outcome().filter({ hasText: 'This is your picture now.' }).waitFor();
  assert.notEqual(await picture().getAttribute('src'), first);

  await button('Remove it').click();
  await outcome().filter({ hasText: 'You have no picture any more.' }).waitFor();
  assert.ok(await picture().isHidden());
  await page.reload();
  await page.getByText('You have no picture.').waitFor();
});

test('what is no picture is said, and what was there stays', real, async () => {
  await choose(path.join(photos, 'astronaut.png'));
  await outcome().filter({ hasText: 'This is your picture now.' }).waitFor();
  const before = await picture().getAttribute('src');
  await choose({ name: 'letter.png', mimeType: 'image/png', buffer: Buffer.from('Dear Ada,') },
    'Choose another');
  await outcome().filter({ hasText: 'Invalid file type.' }).waitFor();
  assert.ok(await button('Choose another').isEnabled());
  await choose({ name: 'large.png', mimeType: 'image/png',
    buffer: Buffer.alloc(10 * 1024 * 1024 + 1) }, 'Choose another');
  await outcome().filter({ hasText: 'more than 10 MB' }).waitFor();
  assert.equal(await picture().getAttribute('src'), before);
  assert.equal(await shownWidth(), 512);
});
