// SPDX-License-Identifier: Apache-2.0
import { call, nextPage } from './api.js';
import { bind } from './form.js';
import { offerIssuers } from './issuers.js';

bind(document.getElementById('sign-in'), async (values) => {
  await call('POST', '/v1/sessions', values);
  location.replace(nextPage());
});
await offerIssuers(document.getElementById('issuers'));
