// SPDX-License-Identifier: Apache-2.0
import { call, nextPage } from './api.js';
import { bind, say } from './form.js';
import { offerIssuers } from './issuers.js';
import { available, usePasskey } from './passkey.js';

const AGE_MS = 240_000; /* a challenge is good for five minutes */
const form = document.getElementById('sign-in');
const button = document.getElementById('passkey');
let waiting; /* the browser's offer of passkeys in the address field, to be called off */

bind(form, async (values) => {
  await call('POST', '/v1/sessions', values);
  location.replace(nextPage());
});
await offerIssuers(document.getElementById('issuers'));

async function signIn(more) {
  const { body } = await call('POST', '/v1/passkey-challenges');
  const credential = await usePasskey(body.publicKey, more);
  say(form, '');
  await call('POST', '/v1/sessions/passkey', { credential });
  location.replace(nextPage());
}

function tell(problem) {
  say(form, [problem.message, problem.detail].filter(Boolean)
    .map((part) => part.replace(/[.]?$/, '.')).join(' '));
}

/* Passkeys among what the address field suggests, as long as nothing else is asked for. */
async function offer() {
  const mine = waiting = new AbortController();
  const renewal = setTimeout(() => mine.abort(), AGE_MS);
  try {
    await signIn({ mediation: 'conditional', signal: mine.signal });
  } catch (problem) {
    if (mine.signal.aborted) {
      if (waiting === mine) {
        offer();
      }
    } else if (problem.status > 0) {
      tell(problem); /* one was chosen, and was refused */
      offer();
    } /* else the browser offers none, which is nothing to be told of */
  } finally {
    clearTimeout(renewal);
  }
}

button.addEventListener('click', async () => {
  const before = waiting;
  waiting = undefined;
  before?.abort();
  button.disabled = true;
  say(form, '');
  try {
    await signIn();
  } catch (problem) {
    if (problem.code === undefined) {
      throw problem;
    }
    tell(problem);
  } finally {
    button.disabled = false;
  }
});

if (available) {
  button.closest('.or').hidden = false;
  if (await window.PublicKeyCredential.isConditionalMediationAvailable?.()) {
    offer();
  }
}
