// SPDX-License-Identifier: Apache-2.0
/* On the page that programs send people to: a passkey goes with the form, in the password's place. */
import { call } from './api.js';
import { available, usePasskey } from './passkey.js';

const form = document.querySelector('form');
const part = document.getElementById('passkey');
const button = part.querySelector('button');

button.addEventListener('click', async () => {
  const told = part.querySelector('p');
  told.textContent = '';
  button.disabled = true;
  try {
    const { body } = await call('POST', '/v1/passkey-challenges');
    form.elements.credential.value = JSON.stringify(await usePasskey(body.publicKey));
    form.submit(); /* not as by a button: address and password may be empty */
  } catch (problem) {
    button.disabled = false;
    if (problem.code === undefined) {
      throw problem;
    }
    told.textContent = problem.message;
  }
});
part.hidden = !available;
