// SPDX-License-Identifier: Apache-2.0
/* One's data in a real browser: what is agreed to, and the copy that is downloaded. */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { WIDTHS } from './checks.js';
import { PASSWORD } from './people.js';
import { startServer } from './server.js';
import { askForAccount, button, check, field, heading, page, real, settings, url, useSite } from './site.js';

const TERMS = { id: 'terms-of-use', version: '2026-11', title: 'Terms of service',
  url: '/openapi.yaml', required: true };
const NEWS = { id: 'news', version: '1', title: 'News by mail, once a month', url: '/openapi.yaml' };

let folder;

const box = (words) => page.getByRole('checkbox', { name: words });
const part = (id) => page.locator(`#${id}`);

async function start() {
  folder = await mkdtemp(path.join(tmpdir(), 'imagesync-privacy-'));
  const file = path.join(folder, 'agreements.json');
  await writeFile(file, JSON.stringify({ agreements: [TERMS, NEWS] }));
  return startServer({ ...settings, agreements: file });
}

useSite({
  start,
  stopped: () => rm(folder, { recursive: true, force: true }),
  context: { acceptDownloads: true },
});

/* To the form that opens an account. */
async function follow() {
  const address = await askForAccount();
  await field('Password').fill(PASSWORD);
  return address;
}

async function register() {
  const address = await follow();
  await box(/Terms of service/).check();
  await button('Open the account').click();
  await heading('Your data').waitFor();
  return address;
}

test('an account is opened with what has to be agreed to', real, async () => {
  await follow();
  const terms = box(/Terms of service/);
  await terms.waitFor();
  assert.equal(await box(/News/).isChecked(), false);
  assert.equal(await terms.isChecked(), false);
  await check('privacy-register');
  await button('Open the account').click();
  await page.getByText('Agree to this to open an account.').waitFor();
  assert.equal(await terms.getAttribute('aria-invalid'), 'true');
  assert.ok(await terms.evaluate((element) => element === document.activeElement));
  await check('privacy-register-refused');
  assert.equal(await page.getByRole('link', { name: 'Terms of service' }).getAttribute('href'),
    TERMS.url);
  await terms.check();
  await button('Open the account').click();
  await heading('What you agreed to').waitFor();
  await part('consents').getByText('You agreed to version 2026-11').waitFor();
  await part('consents').getByText('You have not agreed to this.').waitFor();
  assert.ok(await part('due-part').isHidden());
});

test('what need not be agreed to is agreed to, and taken back', real, async () => {
  await register();
  await button('Agree to News by mail, once a month').click();
  await page.getByText('You agree to News by mail, once a month.').waitFor();
  await part('consents').getByText('You agreed to version 1,').waitFor();
  await check('privacy-consents');
  await button('Take it back: News by mail, once a month').click();
  await page.getByText('You do not agree to News by mail, once a month any more.').waitFor();
  await part('consents').getByText('Taken back').waitFor();
  assert.equal(await part('consents').getByRole('button').count(), 1);
});

test('a new version is asked about', real, async () => {
  await register();
  await page.route('**/v1/me', async (route) => {
    const reply = await route.fetch();
    const due = { ...TERMS, version: '2027-01' };
    await route.fulfill({ response: reply, json: { ...await reply.json(), agreements_due: [due] } });
  });
  await page.reload();
  await heading('There is something new to agree to').waitFor();
  await check('privacy-due');
  let sent;
  await page.route('**/v1/me/consents/terms-of-use', async (route) => {
    sent = route.request().postDataJSON();
    await page.unroute('**/v1/me');
    await route.fulfill({ json: {} });
  });
  await button('Agree to Terms of service', part('due-part')).click();
  await page.getByText('You agree to Terms of service.').waitFor();
  assert.deepEqual(sent, { version: '2027-01', given: true });
  assert.ok(await part('due-part').isHidden());
});

test('a copy of the data is asked for and downloaded', real, async () => {
  await register();
  await button('Ask for a copy').click();
  await page.getByText('The copy of your data is ready.').waitFor();
  await part('exports').getByText('can be downloaded until').waitFor();
  await check('privacy-export');
  const [download] = await Promise.all([page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download' }).click()]);
  assert.equal(download.suggestedFilename(), 'image-sync-data.zip');
  const bytes = await readFile(await download.path());
  assert.equal(bytes.subarray(0, 4).toString('latin1'), 'PK\x03\x04');
  assert.ok(bytes.includes('account.json'));
  await page.reload();
  await part('audit').getByText('Copy of the data downloaded').waitFor();
  await button('Ask for a copy').click();
  await page.getByText('The copy of your data is ready.').waitFor();
  assert.equal(await part('exports').locator('li').count(), 1);
});

test('the link of the mail leads to it', real, async () => {
  await register();
  await page.setViewportSize(WIDTHS.phone);
  await page.goto(url('/account#data'));
  await page.reload();
  await heading('Your data').waitFor();
  assert.ok(await heading('Your data').evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  }));
});
