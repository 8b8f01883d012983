// SPDX-License-Identifier: Apache-2.0
/* What was done with the account, the newest first, a page at a time. */
import { call } from './api.js';
import { element, program, time } from './words.js';

const PAGE = 50; /* what the server gives at once */
const WORDS = {
  'account.created': 'Account opened', 'email.changed': 'Address changed',
  'erasure.asked': 'Deletion of the account asked for', 'erasure.called_off': 'Account kept',
  'export.asked': 'Copy of the data asked for', 'export.ready': 'Copy of the data made',
  'export.downloaded': 'Copy of the data downloaded',
  'passkey.added': 'Passkey added', 'passkey.copied': 'A copy of a passkey was refused',
  'passkey.removed': 'Passkey removed', 'passkey.used': 'Passkey used',
  'identity.added': 'Account elsewhere linked', 'identity.removed': 'Account elsewhere unlinked',
  'password.changed': 'Password changed', 'password.removed': 'Password removed',
  'password.reset': 'Password chosen anew by mail',
  'session.created': 'Signed in', 'session.ended': 'Device signed out',
  'session.refused': 'Sign-in refused', 'sessions.ended': 'Devices signed out',
  'totp.added': 'Two-step sign-in turned on', 'totp.removed': 'Two-step sign-in turned off',
};
const $ = (id) => document.getElementById(id);
let oldest = 0;

function itemOf(entry) {
  return element('li', '',
    element('p', 'name', WORDS[entry.action] ?? entry.action),
    element('p', 'fine', time(entry.at),
      ...[entry.address, entry.agent && program(entry.agent)].filter(Boolean)
        .map((text) => ` · ${text}`)));
}

async function page(before) {
  const { body } = await call('GET', `/v1/me/audit${before ? `?before=${before}` : ''}`);
  oldest = body.entries.at(-1)?.seq ?? 0;
  $('audit-more').hidden = body.entries.length < PAGE || oldest <= 1;
  return body.entries.map(itemOf);
}

export async function loadAudit() {
  $('audit').replaceChildren(...await page(0));
}

$('audit-more').addEventListener('click', async () => {
  try {
    const items = await page(oldest);
    $('audit').append(...items);
    $('audit-outcome').textContent = `${items.length} older entries are shown.`;
    if (items[0]) {
      items[0].tabIndex = -1;
      items[0].focus();
    }
  } catch (problem) {
    $('audit-outcome').textContent = problem.message;
  }
});
