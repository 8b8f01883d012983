// SPDX-License-Identifier: Apache-2.0
/* One's passkeys: added, named and removed; and the password, which they can take the place of. */
import { call } from './api.js';
import { bind } from './form.js';
import { available, createPasskey } from './passkey.js';
import { element, program, time } from './words.js';

const $ = (id) => document.getElementById(id);
let changed;

function tell(text) {
  $('passkeys-outcome').textContent = text;
}

function act(button, work) {
  button.addEventListener('click', async () => {
    tell('');
    button.disabled = true;
    try {
      await work();
    } catch (problem) {
      if (problem.code === undefined) {
        throw problem;
      }
      tell([problem.message, problem.detail].filter(Boolean).map((part) => (
        part.replace(/[.]?$/, '.'))).join(' '));
    } finally {
      button.disabled = false;
    }
  });
  return button;
}

function button(text, label, work) {
  const made = element('button', 'button small', text);
  made.type = 'button';
  made.setAttribute('aria-label', label);
  return act(made, work);
}

function startNaming(passkey, item) {
  const form = $('rename-template').content.firstElementChild.cloneNode(true);
  const input = form.elements.name;
  const label = form.querySelector('label');
  label.textContent = 'Name of the passkey';
  label.htmlFor = input.id = 'passkey-name';
  form.querySelector('.error').id = 'passkey-name-error';
  input.setAttribute('aria-describedby', 'passkey-name-error');
  input.value = passkey.name;
  const buttons = item.querySelector('.row');
  form.querySelector('[type=button]').addEventListener('click', () => {
    form.remove();
    buttons.hidden = false;
    buttons.firstElementChild.focus();
  });
  bind(form, async ({ name }) => {
    await call('PATCH', `/v1/me/passkeys/${passkey.id}`, { name: name.trim() });
    await changed();
    tell(`The passkey is called ${name.trim()} now.`);
    $('passkeys').querySelector('button')?.focus();
  });
  buttons.hidden = true;
  item.append(form);
  input.select();
}

async function remove(passkey) {
  await call('DELETE', `/v1/me/passkeys/${passkey.id}`);
  await changed();
  tell(`${passkey.name} is no longer good for signing in. Your device may still offer it: delete `
    + 'it there too.');
  $('passkey-add').focus();
}

function itemOf(passkey) {
  const used = passkey.used ? ['last used ', time(passkey.used)] : ['never used'];
  const item = element('li', '', element('p', 'name', passkey.name),
    element('p', 'fine', 'Added ', time(passkey.created), ' · ', ...used));
  item.append(element('div', 'row',
    button('Rename', `Rename the passkey ${passkey.name}`, async () => startNaming(passkey, item)),
    button('Remove', `Remove the passkey ${passkey.name}`, () => remove(passkey))));
  return item;
}

act($('passkey-add'), async () => {
  const { body } = await call('POST', '/v1/me/passkeys/options');
  const credential = await createPasskey(body.publicKey);
  const name = program(navigator.userAgent);
  await call('POST', '/v1/me/passkeys', { name, credential });
  await changed();
  tell('Added. You can sign in with it alone from now on.');
});

$('password-remove').addEventListener('click', async () => {
  const line = $('password-form').querySelector('.outcome');
  line.textContent = '';
  try {
    await call('DELETE', '/v1/me/password');
    await changed();
    line.classList.add('good');
    line.textContent = 'Your password is removed. Your other devices were signed out.';
    $('password').focus();
  } catch (problem) {
    line.classList.remove('good');
    line.textContent = [problem.message, problem.detail].filter(Boolean).join(': ');
  }
});

/* `me` is the account as it was read; resolves to its passkeys. */
export async function loadPasskeys(me, whenChanged) {
  changed = whenChanged;
  const { passkeys } = (await call('GET', '/v1/me/passkeys')).body;
  $('passkeys').replaceChildren(...passkeys.map(itemOf));
  $('passkey-add').hidden = !available;
  $('passkeys-none').hidden = available;
  $('password-remove').hidden = !me.password || passkeys.length === 0;
  $('password-hint').textContent = me.password
    ? 'Other devices are signed out.' : 'You have none: you sign in by other means.';
  $('password-form').querySelector('[type=submit]').textContent = me.password
    ? 'Change the password' : 'Choose a password';
  return passkeys;
}
