// SPDX-License-Identifier: Apache-2.0
/* The copy of one's data: asked for, waited for, downloaded. */
import { call } from './api.js';
import { element, time } from './words.js';

const $ = (id) => document.getElementById(id);
const LOOK_MS = 1500;
const UNDER_WAY = { waiting: 'It waits for its turn.', running: 'It is being made.' };
const REASONS = {
  fault: 'It could not be made. Please ask for another, or tell whoever runs this server.',
  too_large: 'There is too much for one file. Please ask whoever runs this server.',
};
let looking = 0;

function tell(text, good = false) {
  $('exports-outcome').textContent = text;
  $('exports-outcome').classList.toggle('good', good);
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function itemOf(one) {
  const item = element('li', '', element('p', 'name', 'Asked for ', time(one.created)));
  if (one.status === 'ready') {
    const link = element('a', 'button small', 'Download');
    link.href = `/v1/me/exports/${one.id}/file`;
    link.download = '';
    item.append(element('p', 'fine', `${size(one.bytes)}, and your photos · can be downloaded until `,
      time(one.expires)), element('div', 'row', link));
  } else {
    item.append(element('p', 'fine', UNDER_WAY[one.status] ?? REASONS[one.reason]));
  }
  return item;
}

/* Looks again while one is being made. */
export async function loadExports() {
  const { exports } = (await call('GET', '/v1/me/exports')).body;
  const busy = exports.some(({ status }) => status in UNDER_WAY);
  $('exports').replaceChildren(...exports.map(itemOf));
  $('export-ask').disabled = busy;
  clearTimeout(looking);
  if (busy) {
    looking = setTimeout(look, LOOK_MS);
  }
  return busy;
}

async function look() {
  try {
    if (!await loadExports()) {
      tell('The copy of your data is ready.', true);
    }
  } catch (problem) {
    tell(problem.message);
  }
}

$('export-ask').addEventListener('click', async () => {
  tell('');
  try {
    await call('POST', '/v1/me/exports');
    tell('It is being made. You also get a mail when it is there.', true);
    await look();
  } catch (problem) {
    tell([problem.message, problem.detail].filter(Boolean)
      .map((part) => part.replace(/[.]?$/, '.')).join(' '));
  }
});
