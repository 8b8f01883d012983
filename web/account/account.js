// SPDX-License-Identifier: Apache-2.0
/* One's own account. Each part of the page has a module; this one loads and proves. */
import { call, onStaleProof } from './api.js';
import { loadAudit } from './audit.js';
import { showAvatar } from './avatar.js';
import { loadConsents } from './consents.js';
import { loadDevices } from './devices.js';
import './erasure.js';
import { loadExports } from './export.js';
import { bind, clear, fields, say } from './form.js';
import { loadIdentities } from './issuers.js';
import { available, usePasskey } from './passkey.js';
import { loadPasskeys } from './passkeys.js';
import { showSecondFactor } from './second-factor.js';

const $ = (id) => document.getElementById(id);
let me; /* what was read last, with its version */
let passkeys = [];

function fill(form, values) {
  for (const input of fields(form)) {
    if (input.name in values) {
      input.value = values[input.name];
    }
  }
}

async function load() {
  const { body, etag } = await call('GET', '/v1/me');
  me = { ...body, etag };
  $('address').textContent = me.email;
  $('password-username').value = $('proof-username').value = me.email;
  $('proof-code').closest('.field').hidden = !me.totp || !me.password;
  $('proof-password').closest('.field').hidden = !me.password;
  $('proof-form').querySelector('[type=submit]').hidden = !me.password;
  $('proof-text').textContent = me.password
    ? 'You signed in a while ago. Enter your password to go on.'
    : 'You signed in a while ago. Show once more that it is you, then do this again.';
}

/* The password or a passkey once more, for what matters. */
function askForProof() {
  const dialog = $('proof');
  const form = $('proof-form');
  form.reset();
  clear(form);
  $('proof-passkey-part').hidden = !available || passkeys.length === 0;
  $('proof-passkey-outcome').textContent = '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      form.reset();
      resolve(dialog.returnValue === 'proved');
    }, { once: true });
  });
}

onStaleProof(askForProof);
bind($('proof-form'), async ({ password, code }) => {
  await call('POST', '/v1/sessions/proof', { password, code });
  $('proof').close('proved');
});
$('proof-passkey').addEventListener('click', async () => {
  $('proof-passkey-outcome').textContent = '';
  try {
    const { publicKey } = (await call('POST', '/v1/passkey-challenges')).body;
    const credential = await usePasskey({ ...publicKey,
      allowCredentials: passkeys.map(({ id }) => ({ type: 'public-key', id })) });
    await call('POST', '/v1/sessions/proof', { credential });
    $('proof').close('proved');
  } catch (problem) {
    $('proof-passkey-outcome').textContent = problem.detail || problem.message;
  }
});
$('proof-cancel').addEventListener('click', () => $('proof').close());

bind($('profile'), async (values) => {
  const form = $('profile');
  const changed = Object.fromEntries(Object.entries(values).filter(([k, v]) => me[k] !== v));
  try {
    const { body, etag } = await call('PATCH', '/v1/me', changed, { 'If-Match': me.etag });
    me = { ...body, etag };
  } catch (problem) {
    if (problem.code === 'stale_version') {
      await load();
      fill(form, { ...me, ...changed }); /* what was typed stays, the rest is as it is now */
    }
    throw problem;
  }
  fill(form, me);
  say(form, 'Saved.', true);
});

bind($('password-form'), async ({ password }) => {
  await call('PUT', '/v1/me/password', { password });
  $('password').value = '';
  say($('password-form'), 'Your password is changed. Your other devices were signed out.', true);
  await Promise.all([load(), loadDevices(), loadAudit()]);
  passkeys = await loadPasskeys(me, changed);
});

bind($('email-form'), async ({ email }) => {
  await call('POST', '/v1/me/email', { email });
  $('email').value = '';
  say($('email-form'), `A mail with a link is on its way to ${email.trim()}. Your address changes `
    + 'when you follow it.', true);
});

$('sign-out').addEventListener('click', async () => {
  try {
    await call('DELETE', '/v1/sessions/current');
    location.assign('/account/sign-in');
  } catch (problem) {
    $('loading').textContent = problem.message;
    $('loading').hidden = false;
  }
});

async function changed() {
  await Promise.all([load(), loadAudit(), loadIdentities(changed)]);
  await loadConsents(me.agreements_due, changed);
  showSecondFactor(me.totp, changed);
  passkeys = await loadPasskeys(me, changed);
}

try {
  await load();
  fill($('profile'), me);
  showAvatar(me);
  showSecondFactor(me.totp, changed);
  passkeys = await loadPasskeys(me, changed);
  await Promise.all([loadDevices(), loadAudit(), loadIdentities(changed), loadExports(),
    loadConsents(me.agreements_due, changed)]);
  $('account').hidden = false;
  $('loading').hidden = true;
  document.getElementById(location.hash.slice(1))?.scrollIntoView(); /* it was hidden until now */
} catch (problem) {
  $('loading').textContent = `${problem.message} Reload the page to try again.`;
}
