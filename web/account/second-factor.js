// SPDX-License-Identifier: Apache-2.0
/* One-time codes: set up with an app and proved by a first one; recovery codes, shown once. */
import { call } from './api.js';
import { bind, say } from './form.js';

const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const QUIET = 4; /* modules of white around the code (ISO/IEC 18004) */
let secret = '';
let changed;

function only(id) {
  for (const part of ['totp-off', 'totp-set-up', 'totp-codes', 'totp-on']) {
    $(part).hidden = part !== id;
  }
}

/* Dark on light whatever the colours of the page: not every app reads it the other way round. */
async function drawCode(uri) {
  const { encode } = await import('/qr.js');
  const { data, size } = encode(uri, { ecc: 'M', border: 0 });
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', data.flatMap((row, y) => row.map((dark, x) => (
    dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ''))).join(''));
  $('totp-qr').setAttribute('viewBox', `0 0 ${size + 2 * QUIET} ${size + 2 * QUIET}`);
  $('totp-qr').replaceChildren(path);
  $('totp-qr').removeAttribute('hidden'); /* SVG has no property of that name */
}

async function guarded(line, work) {
  line.textContent = '';
  try {
    await work();
  } catch (problem) {
    line.textContent = problem.message;
  }
}

$('totp-start').addEventListener('click', () => guarded($('totp-outcome'), async () => {
  const { body } = await call('POST', '/v1/me/totp');
  secret = body.secret;
  $('totp-secret').textContent = secret.replace(/(.{4})(?=.)/g, '$1 ');
  $('totp-uri').textContent = body.uri;
  $('totp-uri').href = body.uri;
  $('totp-qr').setAttribute('hidden', '');
  only('totp-set-up');
  $('totp-code').focus();
  await drawCode(body.uri).catch(() => {}); /* the same stands there as text */
}));

/* What was shown goes: nobody needs it again, and the next one is another. */
function forgetSecret() {
  secret = '';
  $('totp-form').reset();
  $('totp-secret').textContent = $('totp-uri').textContent = '';
  $('totp-uri').removeAttribute('href');
  $('totp-qr').replaceChildren();
}

$('totp-cancel').addEventListener('click', () => {
  forgetSecret();
  only('totp-off');
  $('totp-start').focus();
});

bind($('totp-form'), async ({ code }) => {
  const { body } = await call('PUT', '/v1/me/totp', { secret, code: code.trim() });
  forgetSecret();
  $('recovery').replaceChildren(...body.recovery_codes.map((text) => {
    const item = document.createElement('li');
    item.textContent = text;
    return item;
  }));
  $('codes-outcome').textContent = '';
  only('totp-codes');
  $('totp-codes').querySelector('h3').focus();
});

const recoveryText = () => [...$('recovery').children].map((item) => item.textContent).join('\n');

$('codes-copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(recoveryText());
    $('codes-outcome').textContent = 'Copied.';
  } catch {
    $('codes-outcome').textContent = 'The browser does not let this page copy. Download them.';
  }
});
$('codes-download').addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([`${recoveryText()}\n`], { type: 'text/plain' }));
  link.download = 'image-sync-recovery-codes.txt';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  $('codes-outcome').textContent = 'Downloaded.';
});
$('codes-kept').addEventListener('click', async () => {
  $('recovery').replaceChildren();
  await changed();
  $('totp-remove').focus();
});

$('totp-remove').addEventListener('click', () => guarded($('totp-outcome'), async () => {
  await call('DELETE', '/v1/me/totp');
  await changed();
  $('totp-outcome').textContent = 'Signing in takes your password alone again.';
  $('totp-start').focus();
}));

export function showSecondFactor(on, whenChanged) {
  changed = whenChanged;
  say($('totp-form'), '');
  only(on ? 'totp-on' : 'totp-off');
}
