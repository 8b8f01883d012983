// SPDX-License-Identifier: Apache-2.0
/* Only a click uses the link up: mail scanners open what they find. */
import { call, takeToken } from './api.js';
import { bind, turnTo } from './form.js';

const token = takeToken();

turnTo(token ? 'confirm' : 'incomplete');
bind(document.getElementById('confirm-form'), async () => {
  try {
    await call('POST', '/v1/email-changes/complete', { token });
  } catch (problem) {
    if (problem.code !== 'invalid_token') {
      throw problem;
    }
    turnTo('incomplete');
    return;
  }
  turnTo('done');
});
