// SPDX-License-Identifier: Apache-2.0
import { call, takeToken } from './api.js';
import { bind, say, turnTo } from './form.js';
import { offerIssuers } from './issuers.js';

const $ = (id) => document.getElementById(id);
const token = takeToken();

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
bind($('complete-form'), async (values) => {
  try {
    await call('POST', '/v1/registrations/complete', {
      token, ...values,
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
});
