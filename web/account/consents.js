// SPDX-License-Identifier: Apache-2.0
/* The documents of whoever runs the server: agreed to with a new account, and on the account page. */
import { Problem, call } from './api.js';
import { element, time } from './words.js';

const $ = (id) => document.getElementById(id);

function linkTo({ title, url }) {
  const link = element('a', '', title);
  link.href = url;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  return link;
}

function boxOf(agreement) {
  const name = `agree_${agreement.id.replaceAll('-', '_')}`;
  const input = document.createElement('input');
  const error = element('p', 'error');
  Object.assign(input, { type: 'checkbox', id: name, name });
  input.setAttribute('aria-describedby', `${name}-error`);
  Object.assign(error, { id: `${name}-error`, hidden: true });
  const label = element('label', 'tick', input, element('span', '', 'I agree to: ',
    linkTo(agreement), agreement.required ? '' : ' (you need not)'));
  return { agreement, input, field: element('div', 'field', label, error) };
}

/*
 * Check boxes in `part` of the form for a new account. Resolves to what gives the list of what is
 * ticked, and throws a Problem of the box that has to be.
 */
export async function askAgreements(part) {
  const { agreements } = (await call('GET', '/v1/agreements')).body;
  const boxes = agreements.map(boxOf);
  part.replaceChildren(...boxes.map(({ field }) => field));
  part.hidden = boxes.length === 0;
  return () => {
    const missing = boxes.find(({ agreement, input }) => agreement.required && !input.checked);
    if (missing) {
      throw new Problem(400, 'invalid_field', 'Agreement required',
        `${missing.input.name}: Agree to this to open an account.`);
    }
    return boxes.filter(({ input }) => input.checked)
      .map(({ agreement: { id, version } }) => ({ id, version }));
  };
}

function tell(line, text, good = false) {
  $(line).textContent = text;
  $(line).classList.toggle('good', good);
}

function button(text, label, line, act) {
  const made = element('button', 'button small', text);
  made.type = 'button';
  made.setAttribute('aria-label', label);
  made.addEventListener('click', async () => {
    tell(line, '');
    made.disabled = true;
    try {
      await act();
    } catch (problem) {
      tell(line, [problem.message, problem.detail].filter(Boolean).join('. '));
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

async function say(document, given, version = document.version) {
  await call('PUT', `/v1/me/consents/${document.id}`, { version, given });
}

function agree(document, line, changed) {
  return button('Agree', `Agree to ${document.title}`, line, async () => {
    await say(document, true);
    await changed();
    tell('consents-outcome', `You agree to ${document.title}.`, true);
    $('consents-title').focus();
  });
}

function itemOf(document, changed) {
  const current = document.given && document.given_version === document.version;
  const row = element('div', 'row');
  if (!current) {
    row.append(agree(document, 'consents-outcome', changed));
  }
  if (document.given && !document.required) {
    row.append(button('Take it back', `Take it back: ${document.title}`, 'consents-outcome',
      async () => {
        await say(document, false, document.given_version);
        await changed();
        tell('consents-outcome', `You do not agree to ${document.title} any more.`, true);
        $('consents-title').focus();
      }));
  }
  const state = document.given
    ? [`You agreed to version ${document.given_version}, `, time(document.at)]
    : document.at ? ['Taken back ', time(document.at)] : ['You have not agreed to this.'];
  const item = element('li', '', element('p', 'name', linkTo(document)),
    element('p', 'fine', ...state));
  if (row.hasChildNodes()) {
    item.append(row);
  }
  return item;
}

/* `due` is what an account needs and its owner has not agreed to; `changed` is called after a change. */
export async function loadConsents(due, changed) {
  const { consents } = (await call('GET', '/v1/me/consents')).body;
  $('consents').replaceChildren(...consents.map((one) => itemOf(one, changed)));
  $('consents-part').hidden = consents.length === 0;
  $('due').replaceChildren(...due.map((one) => element('li', '',
    element('p', 'name', linkTo(one)),
    element('div', 'row', agree(one, 'due-outcome', changed)))));
  $('due-part').hidden = due.length === 0;
}
