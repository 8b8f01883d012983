// SPDX-License-Identifier: Apache-2.0
/* Other issuers to sign in with: links where somebody signs in, and those of one's own account. */
import { call, nextPage } from './api.js';
import { element, time } from './words.js';

const $ = (id) => document.getElementById(id);

async function issuers() {
  return (await call('GET', '/v1/issuers')).body.issuers;
}

/* Links in `part`, which stays hidden when there are none, or they cannot be had: the form does. */
export async function offerIssuers(part) {
  const list = await issuers().catch(() => []);
  const back = new URL(nextPage(), location.origin);
  const query = new URLSearchParams({ return: back.pathname + back.search });
  part.append(...list.map(({ name, title }) => {
    const link = element('a', 'button', `Continue with ${title}`);
    link.href = `/oauth/issuers/${name}/start?${query}`;
    return link;
  }));
  part.hidden = list.length === 0;
}

/* Leaves for the issuer; comes back to the account page. */
async function leave(path, issuer) {
  const { body } = await call('POST', path, { issuer, return: '/account' });
  location.assign(body.location);
}

function button(text, label, act, tell) {
  const made = element('button', 'button small', text);
  made.type = 'button';
  made.setAttribute('aria-label', label);
  made.addEventListener('click', async () => {
    tell('');
    try {
      await act();
    } catch (problem) {
      tell([problem.message, problem.detail].filter(Boolean).join('. '));
    }
  });
  return made;
}

function tell(text) {
  $('identities-outcome').textContent = text;
}

function itemOf(identity, changed) {
  return element('li', '', element('p', 'name', identity.title),
    element('p', 'fine', `${identity.email} · last used `, time(identity.used)),
    element('div', 'row', button('Remove', `Remove ${identity.title}`, async () => {
      await call('DELETE', `/v1/me/identities/${identity.id}`);
      await changed();
      tell(`${identity.title} does not sign you in any more.`);
      $('identities-title').focus();
    }, tell)));
}

/* The part of the account page, and the buttons of its proof; `changed` is called after a change. */
export async function loadIdentities(changed) {
  const [all, { body }] = await Promise.all([issuers(), call('GET', '/v1/me/identities')]);
  const linked = new Set(body.identities.map((identity) => identity.issuer));
  const add = ({ name, title }) => button(`Add ${title}`, `Add ${title}`,
    () => leave('/v1/me/identities', name), tell);
  const prove = ({ name, title }) => button(`Continue with ${title}`, `Continue with ${title}`,
    () => leave('/v1/sessions/proof/issuer', name),
    (text) => { $('proof-form').querySelector('.outcome').textContent = text; });

  $('identities-part').hidden = all.length === 0 && body.identities.length === 0;
  $('identities').replaceChildren(...body.identities.map((one) => itemOf(one, changed)));
  $('identities-add').replaceChildren(...all.filter(({ name }) => !linked.has(name)).map(add));
  $('identities-add').hidden = !$('identities-add').hasChildNodes();
  $('proof-issuers').replaceChildren(...all.filter(({ name }) => linked.has(name)).map(prove));
  $('proof-issuers').hidden = !$('proof-issuers').hasChildNodes();
}
