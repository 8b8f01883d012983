// SPDX-License-Identifier: Apache-2.0
/* The account pages in a real browser, always against the real binary. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import jsQR from 'jsqr';

import { PASSWORD, linkInMail, newAddress, totp } from './people.js';
import { button, check, complaints, field, heading, newPage, newSecondFactor, page, real, register,
  server, signOut, url, useSite } from './site.js';

const NEW_PASSWORD = 'a wholly new password';
const path = (where = page) => new URL(where.url()).pathname;
const newCode = () => field('Code', page.locator('#totp-form'));

useSite({
  context: { permissions: ['clipboard-read', 'clipboard-write'] },
  watch: (opened) => opened.on('request', (request) => {
    if (!request.url().startsWith(server.url) && !/^(blob|data):/.test(request.url())) {
      complaints.push(`an outside request: ${request.url()}`);
    }
    if (request.headers().referer) {
      complaints.push(`an address passed on: ${request.headers().referer}`);
    }
  }),
});

/* That a field says what is wrong with it, to eyes and readers, and has the focus. */
async function refused(input, words) {
  await page.locator('[aria-invalid=true]').first().waitFor();
  assert.equal(await input.getAttribute('aria-invalid'), 'true');
  const ids = (await input.getAttribute('aria-describedby')).split(' ');
  assert.match(await page.locator(`#${ids.at(-1)}`).innerText(), words);
  assert.ok(await input.evaluate((element) => element === document.activeElement));
}

async function signIn(address, { password = PASSWORD, code, where = page } = {}) {
  if (path(where) !== '/account/sign-in') {
    await where.goto(url('/account/sign-in'));
  }
  await field('E-mail address', where).fill(address);
  await field('Password', where).fill(password);
  await button('Sign in', where).click();
  if (code) {
    await field('Code', where).fill(code);
    await button('Sign in', where).click();
  }
}

async function elsewhere(address, more = {}) {
  const other = await newPage(more);
  await signIn(address, { where: other });
  await heading('Devices', other).waitFor();
  return other;
}

async function turnOnTwoSteps() {
  const secret = await newSecondFactor();
  await page.locator('#totp-qr path').waitFor();
  await newCode().fill(totp(secret));
  await button('Turn on').click();
  await heading('Keep your recovery codes').waitFor();
  return { secret, codes: await page.locator('#recovery li').allInnerTexts() };
}

test('an account is opened by the link in a mail', real, async () => {
  const address = newAddress();
  await page.goto(server.url);
  await page.getByRole('link', { name: 'Account' }).click();
  await heading('Sign in').waitFor();
  await page.getByRole('link', { name: 'Open an account' }).click();
  await button('Send the mail').click();
  await refused(field('E-mail address'), /Enter your e-mail address/);
  await field('E-mail address').fill('nobody');
  await button('Send the mail').click();
  await refused(field('E-mail address'), /Not an e-mail address/);
  await check('register-refused');
  await field('E-mail address').fill(address);
  await page.keyboard.press('Enter');
  await heading('Look into your mail').waitFor();
  await check('register-sent');
  const link = await linkInMail(server, address, '/account/register');
  await page.goto(link);
  await heading('Welcome').waitFor();
  assert.equal(page.url(), url('/account/register'), 'the token is out of the address bar');
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  await field('Name').fill('Ada');
  await field('Password').fill('password123');
  await button('Open the account').click();
  await refused(field('Password'), /tried first/);
  await check('register-weak');
  await field('Password').fill(PASSWORD);
  await button('Open the account').click();
  await heading('Devices').waitFor();
  assert.equal(await field('Name').inputValue(), 'Ada');
  assert.equal(await page.locator('#address').innerText(), address);
  assert.equal(await page.evaluate(() => document.cookie), '', 'scripts cannot see the session');
  await check('account');
  await page.goto(link);
  await field('Password').fill(PASSWORD);
  await button('Open the account').click();
  await page.getByText('This link was used').waitFor();
  await check('register-stale');
});

test('signing in: a wrong password, and the page that was wanted', real, async () => {
  const address = await register();
  await signOut();
  await page.goto(url('/account'));
  await heading('Sign in').waitFor();
  await check('sign-in');
  await signIn(address, { password: 'another password' });
  await refused(field('Password'), /address or the password is wrong/);
  await check('sign-in-refused');
  await signIn(address);
  await heading('Devices').waitFor();
  assert.equal(path(), '/account');
});

const ELSEWHERE = ['https://evil.example/', '//evil.example/', '/\\evil.example',
  '/.//evil.example', 'javascript:alert(1)', 'data:text/html,x', '\t//evil.example',
  'http:evil.example'];
for (const next of ELSEWHERE) {
  test(`signing in does not lead to another site: ${JSON.stringify(next)}`, real, async () => {
    const address = await register();
    await page.goto(url(`/account/sign-in?next=${encodeURIComponent(next)}`));
    const left = page.waitForURL((to) => to.pathname !== '/account/sign-in');
    await signIn(address);
    await left;
    assert.equal(new URL(page.url()).origin, new URL(server.url).origin);
  });
}

test('signing in leads back to a page of this site', real, async () => {
  const address = await register();
  await page.goto(url(`/account/sign-in?next=${encodeURIComponent('/healthz?from=sign-in')}`));
  await signIn(address);
  await page.waitForURL(url('/healthz?from=sign-in'));
});

test('two-step sign-in: set up, a code, a recovery code, turned off', real, async () => {
  const address = await register();
  await button('Set up').click();
  await page.locator('#totp-qr path').waitFor();
  const uri = await page.locator('#totp-uri').innerText();
  assert.match(uri, /^otpauth:\/\/totp\//);
  const picture = await page.locator('#totp-qr').screenshot();
  const { width, height, data } = await page.evaluate(async (bytes) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(bytes),
      (c) => c.charCodeAt(0))]));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return { width: bitmap.width, height: bitmap.height,
      data: [...context.getImageData(0, 0, bitmap.width, bitmap.height).data] };
  }, picture.toString('base64'));
  assert.equal(jsQR(Uint8ClampedArray.from(data), width, height)?.data, uri);
  await check('totp-set-up');
  await newCode().fill('000000');
  await button('Turn on').click();
  await refused(newCode(), /Is the phone's clock right/);
  await button('Cancel').click();
  const { secret, codes } = await turnOnTwoSteps();
  assert.equal(new Set(codes).size, 10);
  await button('Copy').click();
  await page.getByText('Copied.').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), codes.join('\n'));
  const [file] = await Promise.all([page.waitForEvent('download'), button('Download').click()]);
  assert.equal(await readFile(await file.path(), 'utf8'), `${codes.join('\n')}\n`);
  await check('totp-codes');
  await button('I have kept them').click();
  await button('Turn off').waitFor();
  assert.ok(!(await page.content()).includes(codes[0]), 'shown once');
  await signOut();

  await signIn(address);
  await refused(field('Code'), /authenticator app/);
  await check('sign-in-code');
  await field('Code').fill('000000');
  await button('Sign in').click();
  await refused(field('Code'), /wrong, or was used/);
  await field('Code').fill(totp(secret, 1)); /* each is good once, and a step off is allowed */
  await button('Sign in').click();
  await heading('Devices').waitFor();
  await signOut();
  await signIn(address, { code: codes[0] });
  await heading('Devices').waitFor();
  await button('Turn off').click();
  await button('Set up').waitFor();
  await page.getByText('Two-step sign-in turned off').waitFor();
});

test('a forgotten password is chosen anew', real, async () => {
  const address = await register();
  await page.goto(url('/account/reset'));
  await check('reset');
  await field('E-mail address').fill(address);
  await button('Send the mail').click();
  await heading('Look into your mail').waitFor();
  await page.goto(await linkInMail(server, address, '/account/reset'));
  await heading('Choose a new password').waitFor();
  assert.equal(page.url(), url('/account/reset'));
  await check('reset-complete');
  await field('New password').fill(NEW_PASSWORD);
  await button('Change the password').click();
  await heading('Your password is changed').waitFor();
  await check('reset-done');
  await page.getByRole('link', { name: 'Sign in' }).click();
  await signIn(address);
  await refused(field('Password'), /password is wrong/);
  await signIn(address, { password: NEW_PASSWORD });
  await heading('Devices').waitFor();
});

test('the address is changed by a click, not by opening the link', real, async () => {
  const address = await register();
  const next = newAddress();
  await field('New address').fill(next);
  await button('Send a mail to it').click();
  await page.getByText(`on its way to ${next}`).waitFor();
  const link = await linkInMail(server, next, '/account/email');
  await page.goto(link);
  await button('Confirm the address').waitFor();
  assert.equal(page.url(), url('/account/email'));
  await check('email-confirm');
  await page.goto(url('/account'));
  await heading('Devices').waitFor();
  assert.equal(await page.locator('#address').innerText(), address, 'opened only');
  await page.goto(link);
  await button('Confirm the address').click();
  await heading('Your address is changed').waitFor();
  await check('email-done');
  await page.getByRole('link', { name: 'To my account' }).click();
  await heading('Devices').waitFor();
  assert.equal(await page.locator('#address').innerText(), next);
  await page.goto(link);
  await button('Confirm the address').click();
  await heading('This link does not work').waitFor();
  await check('email-stale');
});

test('profile: saved, and not over a change from elsewhere', real, async () => {
  const address = await register(newAddress(), 'Ada');
  const other = await elsewhere(address);
  await field('Name', other).fill('Augusta');
  await button('Save', other).click();
  await other.getByText('Saved.').waitFor();
  await field('Time zone').fill('Europe/Zurich');
  await button('Save').click();
  await page.getByText('changed from elsewhere').waitFor();
  assert.equal(await field('Name').inputValue(), 'Augusta');
  assert.equal(await field('Time zone').inputValue(), 'Europe/Zurich');
  await check('profile-stale');
  await button('Save').click();
  await page.getByText('Saved.').waitFor();
  await field('Time zone').fill('../etc');
  await button('Save').click();
  await refused(field('Time zone'), /Not a time zone/);
});

test('devices: named, signed out from another, signed out everywhere', real, async () => {
  const address = await register();
  const other = await elsewhere(address);
  await page.reload();
  await page.locator('#devices li').nth(1).waitFor();
  const second = page.locator('#devices li').nth(1);
  await second.getByRole('button', { name: /^Rename/ }).click();
  await field('Name of the device').fill('Laptop');
  await check('devices-rename');
  await page.keyboard.press('Enter');
  await button('Sign out Laptop').click();
  await page.getByText('Laptop is signed out.').waitFor();
  assert.equal(await page.locator('#devices li').count(), 1);
  await other.goto(url('/account'));
  await heading('Sign in', other).waitFor();

  await signIn(address, { where: other });
  await heading('Devices', other).waitFor();
  await button('Sign out the others', other).click();
  await other.getByText('All other devices are signed out.').waitFor();
  await page.reload();
  await heading('Sign in').waitFor();
  await signIn(address);
  await heading('Devices').waitFor();
  await button('Sign out everywhere').click();
  await heading('Sign in').waitFor();
  await other.goto(url('/account'));
  await heading('Sign in', other).waitFor();
});

test('the password is changed, and other devices are signed out', real, async () => {
  const address = await register();
  const other = await elsewhere(address);
  await field('New password').fill(NEW_PASSWORD);
  await button('Show new password').click();
  assert.equal(await field('New password').getAttribute('type'), 'text');
  await button('Change the password').click();
  await page.getByText('Your password is changed.').waitFor();
  await page.locator('#audit').getByText('Password changed').waitFor();
  await other.reload();
  await heading('Sign in', other).waitFor();
  await signIn(address, { password: NEW_PASSWORD, where: other });
  await heading('Devices', other).waitFor();
});

test('the account is deleted, and kept by whoever comes back', real, async () => {
  const address = await register();
  const other = await elsewhere(address);
  const confirm = field('Your e-mail address, once more');
  await button('Delete the account').click();
  await refused(confirm, /Enter your e-mail address/);
  await confirm.fill('somebody.else@example.com');
  await button('Delete the account').click();
  await refused(confirm, /not the address of this account/);
  await check('delete');
  await confirm.fill(` ${address.toUpperCase()}`);
  await button('Delete the account').click();
  await heading('Your account is going to be deleted').waitFor();
  assert.ok(new Date(await page.locator('main time').getAttribute('datetime')) > Date.now());
  await check('deleted');
  await other.reload();
  await heading('Sign in', other).waitFor();
  await page.getByRole('link', { name: 'Sign in to keep it' }).click();
  await heading('Sign in').waitFor();
  await signIn(address);
  await page.locator('#audit').getByText('Account kept').waitFor();
});

test('a stale sign-in is proved anew, and what was begun goes on', real, async () => {
  await register();
  let asked = 0;
  /* The shortest fresh-minutes is one: the first call is answered as after it. */
  await page.route('**/v1/me/password', (route) => (asked++ ? route.continue() : route.fulfill({
    status: 403, contentType: 'application/problem+json',
    body: '{"status":403,"code":"reauthentication_required","title":"Please sign in again"}' })));
  await field('New password').fill(NEW_PASSWORD);
  await button('Change the password').click();
  const dialog = page.getByRole('dialog', { name: 'Is it you?' });
  await dialog.waitFor();
  await field('Password', dialog).fill('wrong password');
  await button('Continue').click();
  await refused(field('Password', dialog), /password is wrong/);
  await check('proof');
  await field('Password', dialog).fill(PASSWORD);
  await button('Continue').click();
  await page.getByText('Your password is changed.').waitFor();
  asked = 0;
  await field('New password').fill(PASSWORD);
  await button('Change the password').click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('not confirmed that it is you').waitFor();
});

test('too many attempts count down', real, async () => {
  const address = await register();
  await page.goto(url('/account/sign-in'));
  const waits = page.locator('.outcome', { hasText: /try again in \d+ second/ });
  for (let i = 0; i < 12 && !await waits.count(); i++) {
    await signIn(address, { password: 'wrong password' });
    await page.locator('form:not([aria-busy])').waitFor();
  }
  await waits.waitFor();
  assert.ok(await button('Sign in').isDisabled());
  await page.getByText('You can try again now.').waitFor();
  assert.ok(await button('Sign in').isEnabled());
});

test('the audit trail is shown a page at a time', real, async () => {
  await register();
  const entries = Array.from({ length: 70 }, (_, i) => ({
    seq: 70 - i, at: 1.8e9 - i, action: 'session.created', address: '127.0.0.1' }));
  await page.route('**/v1/me/audit*', (route) => {
    const before = Number(new URL(route.request().url()).searchParams.get('before')) || 71;
    const some = entries.filter(({ seq }) => seq < before).slice(0, 50);
    return route.fulfill({ json: { entries: some } });
  });
  await page.reload();
  await button('Older entries').click();
  await page.locator('#audit li').nth(69).waitFor();
  assert.equal(await button('Older entries').isVisible(), false);
});
