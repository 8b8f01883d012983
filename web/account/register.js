// SPDX-License-Identifier: Apache-2.0
import { call, takeToken } from './api.js';
import { askAgreements } from './consents.js';
import { bind, clear, refuse, say, turnTo } from './form.js';
import { offerIssuers } from './issuers.js';
import { available, createPasskey } from './passkey.js';
import { program } from './words.js';

const $ = (id) => document.getElementById(id);
const token = takeToken();

let agreed = () => []; /* what is ticked */

if (token) {
  turnTo('complete');
} else {
  offerIssuers($('issuers'));
}
bind($('ask-form'), async (values) => {
  await call('POST', '/v1/registrations', values);
  $('sent-to').textContent = values.email.trim();
  turnTo('sent');
});
async function complete(work) {
  try {
    await call('POST', '/v1/registrations/complete', {
      token, agreements: agreed(), ...await work(),
      locale: navigator.language, zone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? '',
    });
  } catch (problem) {
    if (problem.code !== 'invalid_token') {
      throw problem;
    }
    turnTo('ask');
    say($('ask-form'), 'This link was used, has expired, or is incomplete. Ask for a new mail.');
    return;
  }
  location.replace('/account');
}
bind($('complete-form'), ({ name, password }) => complete(() => ({ name, password })));

$('passkey').closest('.or').hidden = !available;
$('passkey').addEventListener('click', async () => {
  const form = $('complete-form');
  clear(form);
  $('passkey').disabled = true;
  try {
    await complete(async () => {
      const { body } = await call('POST', '/v1/registrations/passkey', { token });
      return { credential: await createPasskey(body.publicKey), name: $('name').value,
        passkey_name: program(navigator.userAgent) };
    });
  } catch (problem) {
    if (problem.code === undefined) {
      throw problem;
    }
    refuse(form, problem);
  } finally {
    $('passkey').disabled = false;
  }
});

if (token) {
  try {
    agreed = await askAgreements($('agreements'));
  } catch (problem) {
    say($('complete-form'), `${problem.message} Reload the page to try again.`);
  }
}
