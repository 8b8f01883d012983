// SPDX-License-Identifier: Apache-2.0
/*
 * What tests of the account pages have in common: the real binary, a browser, and the page that a
 * test looks at, which must have nothing to complain of.
 */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, afterEach, before, beforeEach } from 'node:test';

import { chromium } from 'playwright-core';

import { WIDTHS, checkPage } from './checks.js';
import { PASSWORD, linkInMail, newAddress } from './people.js';
import { startServer } from './server.js';

export const real = { skip: !process.env.IMAGESYNC_BIN && 'needs the binary: set IMAGESYNC_BIN' };
export const shots = process.env.SCREENSHOTS; /* a folder: every state that is checked is kept there */
/* As cheap as they may be: these tests are not about hashing, and all come from one address. */
export const settings = { password_ops: 1, password_memory_mib: 8, attempts_per_address: 100000 };

export let server;
export let browser;
export let page; /* a new one for each test */
export let complaints;
let options;

export const url = (path) => new URL(path, server.url).href;
export const button = (name, where = page) => where.getByRole('button', { name, exact: true });
export const field = (name, where = page) => where.getByLabel(name, { exact: true });
export const heading = (name, where = page) => where.getByRole('heading', { name, exact: true });
export const check = (name) => checkPage(page, name, shots);

export async function newPage(more = {}) {
  const context = await browser.newContext({ viewport: WIDTHS.desk, reducedMotion: 'reduce',
    ...options.context, ...more });
  const opened = await context.newPage();
  opened.setDefaultTimeout(20_000);
  opened.on('pageerror', (error) => complaints.push(error.message));
  opened.on('console', (message) => {
    /* Of other sites' pages only those are looked at that a test serves itself. */
    if (message.type() === 'error' && !message.text().startsWith('Failed to load')
        && !options.isForeign?.(opened.url())) {
      complaints.push(message.text());
    }
  });
  options.watch?.(opened);
  return opened;
}

/* Another browser, as of somebody else: what follows is done there. */
export async function turnToNewPage() {
  page = await newPage();
  return page;
}

/*
 * Once, at the top of a file. `start` gives the server, `stopped` ends what it has started besides;
 * `context` is Playwright's for each page, `watch` is told of each, `isForeign` of addresses.
 */
export function useSite({ start = () => startServer(settings), stopped = async () => {}, ...more } = {}) {
  options = more;
  if (real.skip) {
    return;
  }
  before(async () => {
    server = await start();
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'] });
    if (shots) {
      await mkdir(shots, { recursive: true });
    }
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await stopped();
  });
  beforeEach(async () => {
    complaints = [];
    await turnToNewPage();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    assert.deepEqual(complaints, []);
  });
}

/* To the form that opens an account, by way of the mail. */
export async function askForAccount(address = newAddress()) {
  await page.goto(url('/account/register'));
  await field('E-mail address').fill(address);
  await button('Send the mail').click();
  await heading('Look into your mail').waitFor();
  await page.goto(await linkInMail(server, address, '/account/register'));
  return address;
}

export async function register(address = newAddress(), name = '') {
  await askForAccount(address);
  await field('Name').fill(name);
  await field('Password').fill(PASSWORD);
  await button('Open the account').click();
  await heading('Devices').waitFor();
  return address;
}

/* And waits for the page that follows: to leave while it is loaded would abort one of the two. */
export async function signOut() {
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click();
  await page.waitForURL(url('/account/sign-in'));
}

/* The secret of a new second factor, from the account page on. */
export async function newSecondFactor() {
  await button('Set up').click();
  const secret = await page.locator('#totp-secret').filter({ hasText: /\S/ }).innerText();
  return secret.replace(/\s/g, '');
}
