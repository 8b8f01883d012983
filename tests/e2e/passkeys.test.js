// SPDX-License-Identifier: Apache-2.0
/* Passkeys in a real browser, with an authenticator that it simulates, against the real binary. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, test } from 'node:test';

import { PASSWORD, newAddress, totp } from './people.js';
import { startServer } from './server.js';
import { askForAccount, button, check, field, heading, newSecondFactor, page, real, register,
  server, settings, signOut, url, useSite } from './site.js';

let device; /* the simulated authenticator's session with the browser, and its id */
let folder;

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/* Passkeys are kept in it, and it knows its user; whether it is touched is the test's to say. */
async function newDevice() {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
    protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
    isUserVerified: true, automaticPresenceSimulation: true } });
  const send = (what, more = {}) => cdp.send(`WebAuthn.${what}`, { authenticatorId, ...more });
  return {
    touched: (enabled) => send('setAutomaticPresenceSimulation', { enabled }),
    verified: (isUserVerified) => send('setUserVerified', { isUserVerified }),
    forget: (credentialId) => send('removeCredential', { credentialId }),
    keys: async () => (await send('getCredentials')).credentials,
    take: (credential) => send('addCredential', { credential }),
  };
}

/* Browsers make no passkeys for 127.0.0.1, but for localhost they do. */
async function start() {
  const port = await freePort();
  folder = await mkdtemp(path.join(tmpdir(), 'imagesync-e2e-'));
  const clients = path.join(folder, 'clients.json');
  await writeFile(clients, JSON.stringify({ clients: [
    { id: 'shop', name: 'The Shop', redirect_uris: ['http://127.0.0.1/healthz'] }] }));
  return startServer({ ...settings, public_url: `http://localhost:${port}`,
    oidc_clients: clients }, { host: 'localhost', port });
}

useSite({ start, stopped: () => rm(folder, { recursive: true, force: true }) });

if (!real.skip) {
  beforeEach(async () => {
    device = await newDevice();
    /* An offer in the address field would be taken at once: one test looks at that alone. */
    await page.addInitScript(() => {
      window.PublicKeyCredential.isConditionalMediationAvailable = async () => window.name === 'offer';
    });
  });
}

async function addPasskey() {
  await button('Add a passkey').click();
  await page.getByText('You can sign in with it alone').waitFor();
}

async function signInWithPasskey() {
  await button('Sign in with a passkey').click();
  await heading('Passkeys').waitFor();
}

test('a passkey is added, signs in alone, is named and removed', real, async () => {
  const address = await register();
  assert.equal(await page.locator('#passkeys li').count(), 0);
  await addPasskey();
  await page.locator('#passkeys li').getByText('Chrome on Linux').waitFor();
  await page.getByText('never used').waitFor();
  await page.locator('#audit').getByText('Passkey added').waitFor();
  await check('passkeys');
  assert.equal((await device.keys()).length, 1);
  await signOut();
  await check('passkey-sign-in');
  await signInWithPasskey();
  assert.equal(await page.locator('#address').innerText(), address);
  await page.getByText('last used').waitFor();
  await page.locator('#audit').getByText('Passkey used').waitFor();

  await button('Rename the passkey Chrome on Linux').click();
  await field('Name of the passkey').fill('Work laptop');
  await check('passkey-rename');
  await page.keyboard.press('Enter');
  await page.locator('#passkeys').getByText('Work laptop').waitFor();
  await button('Remove the passkey Work laptop').click();
  await page.getByText('Work laptop is no longer good').waitFor();
  assert.equal(await page.locator('#passkeys li').count(), 0);
  await signOut();
  await button('Sign in with a passkey').click();
  await page.getByText('not known here, or was removed').waitFor();
  await check('passkey-refused');
});

test('the address field offers passkeys', real, async () => {
  await page.addInitScript(() => {
    window.asked = [];
    const get = navigator.credentials.get.bind(navigator.credentials);
    navigator.credentials.get = (options) => {
      window.asked.push(options);
      return get(options);
    };
  });
  await register();
  await addPasskey();
  await page.evaluate(() => { window.name = 'offer'; });
  await device.touched(false);
  await signOut();
  assert.match(await field('E-mail address').getAttribute('autocomplete'), /webauthn/);
  await page.waitForFunction(() => window.asked[0]?.mediation === 'conditional');
  await button('Sign in with a passkey').click(); /* the browser has one question at a time */
  await page.waitForFunction(() => window.asked[1] && !window.asked[1].mediation);
  assert.ok(await page.evaluate(() => window.asked[0].signal.aborted));
  await device.touched(true);
  await page.reload();
  await heading('Passkeys').waitFor();
});

test('a passkey takes the place of password and code', real, async () => {
  const address = await register();
  await addPasskey();
  const secret = await newSecondFactor();
  await field('Code', page.locator('#totp-form')).fill(totp(secret));
  await button('Turn on').click();
  await button('I have kept them').click();
  await button('Remove the password').click();
  await page.getByText('Your password is removed.').waitFor();
  await button('Choose a password').waitFor();
  await check('passkey-only');
  await button('Remove the passkey Chrome on Linux').click();
  await page.getByText('the only way into this account').waitFor();
  await signOut();
  await field('E-mail address').fill(address);
  await field('Password').fill(PASSWORD);
  await button('Sign in').click();
  await page.getByText('address or the password is wrong').waitFor();
  await signInWithPasskey();
  await field('New password').fill(PASSWORD);
  await button('Choose a password').click();
  await page.getByText('Your password is changed.').waitFor();
  await button('Change the password').waitFor();
  await button('Remove the password').waitFor();
});

test('an account is opened with a passkey alone', real, async () => {
  const address = newAddress();
  await askForAccount(address);
  await heading('Welcome').waitFor();
  await check('register-passkey');
  await field('Name').fill('Ada');
  await button('Open it with a passkey').click();
  await heading('Passkeys').waitFor();
  assert.equal(await page.locator('#address').innerText(), address);
  assert.equal(await field('Name').inputValue(), 'Ada');
  assert.equal(await page.locator('#passkeys li').count(), 1);
  await button('Choose a password').waitFor();
  await signOut();
  await signInWithPasskey();
});

test('a stale sign-in is proved with a passkey', real, async () => {
  await register();
  await addPasskey();
  let asked = 0;
  /* The shortest fresh-minutes is one: the first call is answered as after it. */
  await page.route('**/v1/me/password', (route) => (asked++ ? route.continue() : route.fulfill({
    status: 403, contentType: 'application/problem+json',
    body: '{"status":403,"code":"reauthentication_required","title":"Please sign in again"}' })));
  await button('Remove the password').click();
  const dialog = page.getByRole('dialog', { name: 'Is it you?' });
  await dialog.waitFor();
  await check('passkey-proof');
  const proved = page.waitForResponse((reply) => reply.url().endsWith('/v1/sessions/proof'));
  await button('Use a passkey', dialog).click();
  assert.equal((await proved).status(), 204);
  await page.getByText('Your password is removed.').waitFor();
  asked = 0;
  await field('New password').fill(PASSWORD);
  await button('Choose a password').click();
  await dialog.waitFor();
  assert.equal(await field('Password', dialog).isVisible(), false);
  await check('passkey-proof-only');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('not confirmed that it is you').waitFor();
});

test('a device that does not know its user signs nobody in', real, async () => {
  await register();
  await addPasskey();
  await signOut();
  await device.verified(false);
  await button('Sign in with a passkey').click();
  await page.getByText('No passkey was used').waitFor();
  assert.equal(new URL(page.url()).pathname, '/account/sign-in');
});

test('a copied passkey is refused', real, async () => {
  await register();
  await addPasskey();
  const [copy] = await device.keys();
  await signOut();
  await signInWithPasskey();
  await signOut();
  await device.forget(copy.credentialId);
  await device.take({ ...copy, signCount: 0 });
  await button('Sign in with a passkey').click();
  await page.getByText('seems to have been copied').waitFor();
});

test('the same device is not added twice', real, async () => {
  await register();
  await addPasskey();
  await button('Add a passkey').click();
  await page.getByText('has a passkey for your account already').waitFor();
  assert.equal(await page.locator('#passkeys li').count(), 1);
});

test('a passkey signs in to another program', real, async () => {
  await register();
  await addPasskey();
  await page.context().clearCookies();
  const back = `http://127.0.0.1:${new URL(server.url).port}/healthz`;
  const query = new URLSearchParams({ response_type: 'code', client_id: 'shop', scope: 'openid',
    redirect_uri: back, code_challenge_method: 'S256', code_challenge: createHash('sha256')
      .update(randomBytes(32).toString('base64url')).digest('base64url') });
  await page.goto(url(`/oauth/authorize?${query}`));
  await heading('Sign in').waitFor();
  await check('oauth-sign-in');
  await button('Sign in with a passkey').click();
  await heading('Allow access?').waitFor();
  await button('Allow').click();
  await page.waitForURL((to) => to.href.startsWith(back) && to.searchParams.has('code'));
});
