// SPDX-License-Identifier: Apache-2.0
/* Signing in with another issuer in a real browser: oidc-provider and the real binary. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { PASSWORD, totp } from './people.js';
import { root, startServer } from './server.js';
import { button, check, field, heading, newSecondFactor, page, real, register, server, settings,
  turnToNewPage, url, useSite } from './site.js';

const TITLE = 'Example & Sons';
const SECRET = 'a secret: of the clients %';

let issuer; /* { url, serve(redirects), stop() } */
let folder;

const other = (where = page) => where.getByRole('link', { name: `Continue with ${TITLE}` });

async function startIssuer() {
  const child = spawn(process.execPath, [path.join(root, 'tests/clients/oidc_provider.mjs')],
    { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  const { url: where } = await next();
  return {
    url: where,
    async serve(base) {
      const uri = `${base}oauth/issuers/sons/callback`;
      child.stdin.write(`${JSON.stringify({ rs: uri, ps: uri, es: uri, ed: uri })}\n`);
      assert.equal(await next(), 'ready');
    },
    stop: () => new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill();
    }),
  };
}

async function start() {
  issuer = await startIssuer();
  folder = await mkdtemp(path.join(tmpdir(), 'imagesync-issuers-'));
  const file = path.join(folder, 'issuers.json');
  await writeFile(file, JSON.stringify({ allow: '127.0.0.1/32', issuers: [{
    name: 'sons', title: TITLE, issuer: issuer.url, client_id: 'rs', client_secret: SECRET }] }));
  await chmod(file, 0o600);
  const started = await startServer({ ...settings, issuers: file,
    oidc_clients: await clients(folder) });
  await issuer.serve(started.url);
  return started;
}

useSite({
  start,
  stopped: async () => {
    await issuer?.stop();
    await rm(folder, { recursive: true, force: true });
  },
  isForeign: (address) => !address.startsWith(server.url),
});

async function clients(folder) {
  const file = path.join(folder, 'clients.json');
  await writeFile(file, JSON.stringify({ clients: [{ id: 'shop', name: 'The Shop',
    redirect_uris: ['http://127.0.0.1:9/callback'], scope: 'openid email' }] }));
  return file;
}

/* At the issuer: who one is, and that it may be told. */
async function sayWho(name, where = page) {
  await where.waitForURL(`${issuer.url}/interaction/**`);
  if (await where.locator('[name=login]').count()) {
    await where.locator('[name=login]').fill(name);
    await where.locator('[name=password]').fill('any');
    await where.locator('[type=submit]').click();
  }
  await where.waitForFunction(() => !document.querySelector('[name=login]'));
  if (where.url().startsWith(issuer.url)) {
    await where.locator('[type=submit]').click();
  }
}

async function comeBy(name, where = page) {
  await where.goto(url('/account/sign-in'));
  await other(where).click();
  await sayWho(name, where);
}

test('a newcomer comes in by the issuer, and chooses a password', real, async () => {
  await page.goto(url('/account/register'));
  await other().waitFor();
  await check('issuer-register');
  await page.goto(url('/account/sign-in'));
  await other().waitFor();
  await check('issuer-sign-in');
  await other().click();
  await sayWho('grace');
  await heading('Devices').waitFor();
  await page.getByText('grace@example.com · last used').waitFor();
  assert.equal(await field('Name').inputValue(), 'GRACE');
  await button(`Remove ${TITLE}`).click();
  await page.getByText('It is the last way to sign in').waitFor();
  await check('issuer-account');
  await field('New password').fill(PASSWORD);
  await button('Choose a password').click();
  await page.getByText('Your password is changed.').waitFor();
  await button(`Remove ${TITLE}`).click();
  await page.getByText('does not sign you in any more').waitFor();
  await button(`Add ${TITLE}`).waitFor();
});

test('an account that is there is linked by its owner alone', real, async () => {
  await register('ada@example.com');
  await turnToNewPage();
  await comeBy('ada');
  await heading('There is an account already').waitFor();
  await check('issuer-link');
  await field('Password').fill('not the password');
  await button('Sign in and link').click();
  await page.getByRole('alert').getByText('The password is wrong.').waitFor();
  await check('issuer-link-wrong');
  await field('Password').fill(PASSWORD);
  await button('Sign in and link').click();
  await heading('Devices').waitFor();
  await page.getByText('Account elsewhere linked').waitFor();
});

test('a signed-in owner links from the account page', real, async () => {
  await register('linus@example.com');
  await button(`Add ${TITLE}`).click();
  await sayWho('linus');
  await page.getByText('linus@example.com · last used').waitFor();
  await page.goto(url('/account'));
  await button(`Remove ${TITLE}`).waitFor();
});

test('a second factor is asked for after the issuer', real, async () => {
  await comeBy('barbara');
  const secret = await newSecondFactor();
  await field('Code', page.locator('#totp-form')).fill(totp(secret));
  await button('Turn on').click();
  await heading('Keep your recovery codes').waitFor();
  await turnToNewPage();
  await comeBy('barbara');
  await heading('One more step').waitFor();
  await field('Code').fill('000000');
  await button('Sign in').click();
  await page.getByRole('alert').getByText('The code is wrong').waitFor();
  await check('issuer-code');
  await field('Code').fill(totp(secret, 1)); /* each is good once, and a step off is allowed */
  await button('Sign in').click();
  await heading('Devices').waitFor();
});

test('who has no password proves by the issuer', real, async () => {
  await comeBy('mary');
  await heading('Devices').waitFor();
  let asked = 0;
  await page.route('**/v1/me/password', (route) => (asked++ ? route.continue() : route.fulfill({
    status: 403, contentType: 'application/problem+json',
    body: '{"status":403,"code":"reauthentication_required","title":"Please sign in again"}' })));
  await field('New password').fill(PASSWORD);
  await button('Choose a password').click();
  const dialog = page.getByRole('dialog', { name: 'Is it you?' });
  await dialog.waitFor();
  assert.equal(await field('Password', dialog).isVisible(), false);
  await check('issuer-proof');
  await button(`Continue with ${TITLE}`, dialog).click();
  await page.waitForURL(`${issuer.url}/interaction/**`);
  assert.equal(await page.locator('[name=login]').count(), 1, 'it asks, though signed in there');
  await sayWho('mary');
  await heading('Devices').waitFor();
  await field('New password').fill(PASSWORD);
  await button('Choose a password').click();
  await page.getByText('Your password is changed.').waitFor();
});

test('an address that is not confirmed opens nothing', real, async () => {
  await comeBy('unconfirmed-eve');
  await heading('Your address is not confirmed').waitFor();
  await check('issuer-unconfirmed');
});

test("a client's request goes on after the issuer, also past a form", real, async () => {
  const asked = new URL(url('/oauth/authorize'));
  asked.search = new URLSearchParams({ response_type: 'code', client_id: 'shop', scope: 'openid',
    redirect_uri: 'http://127.0.0.1:9/callback', state: 's', nonce: 'n', prompt: 'login',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' });
  await register('hedy@example.com');
  await turnToNewPage();
  await page.goto(asked.href);
  await heading('Sign in').waitFor();
  await check('issuer-client');
  await other().click();
  await sayWho('hedy');
  await heading('There is an account already').waitFor();
  await field('Password').fill(PASSWORD);
  await button('Sign in and link').click();
  await heading('Allow access?').waitFor();
  const left = page.waitForRequest((request) => request.url().startsWith('http://127.0.0.1:9/'));
  await button('Allow').click();
  assert.equal(new URL((await left).url()).searchParams.get('state'), 's');
});
