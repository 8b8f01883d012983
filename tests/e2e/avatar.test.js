// SPDX-License-Identifier: Apache-2.0
/* The picture on the account page, in a real browser against the real binary. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';

import { photos } from './server.js';
import { button, check, page, real, register, useSite } from './site.js';

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

useSite();

test('a picture is chosen, seen again, changed and removed', real, async () => {
  await register();
  await page.getByText('You have no picture.').waitFor();
  assert.ok(await picture().isHidden() && await button('Remove it').isHidden());
  await choose(path.join(photos, 'astronaut.png'));
  await outcome().filter({ hasText: 'This is your picture now.' }).waitFor();
  assert.equal(await shownWidth(), 512);
  const first = await picture().getAttribute('src');
  await check('avatar');

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
  await register();
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
