// SPDX-License-Identifier: Apache-2.0
/* The end of one's account: asked for with the address typed once more, and told of with its day. */
import { Problem, call } from './api.js';
import { bind } from './form.js';
import { element, time } from './words.js';

const $ = (id) => document.getElementById(id);

function showEnd(erase) {
  const title = element('h1', '', 'Your account is going to be deleted');
  const main = document.querySelector('main');
  const now = erase * 1000 <= Date.now();
  title.tabIndex = -1;
  main.replaceChildren(title, element('section', 'sheet',
    now ? element('p', '', 'It is deleted now, with all that belongs to it. A receipt comes by mail.')
      : element('p', '', 'On ', time(erase), ' it is deleted, with all that belongs to it. You are '
        + 'signed out everywhere. To keep it, sign in before that day. A mail says so, too.')));
  if (!now) {
    const link = element('a', 'button', 'Sign in to keep it');
    link.href = '/account/sign-in';
    main.lastElementChild.append(element('div', 'row', link));
  }
  $('sign-out').hidden = true;
  title.focus();
}

bind($('erasure-form'), async ({ confirm }) => {
  if (confirm.trim().toLowerCase() !== $('address').textContent.toLowerCase()) {
    throw new Problem(400, 'invalid_field', '', 'confirm: this is not the address of this account.');
  }
  const { body } = await call('DELETE', '/v1/me');
  showEnd(body.erase);
});
