// SPDX-License-Identifier: Apache-2.0
/* Where one is signed in: named, and signed out one by one or all together. */
import { call } from './api.js';
import { bind } from './form.js';
import { element, program, time } from './words.js';

const $ = (id) => document.getElementById(id);

function tell(text) {
  $('devices-outcome').textContent = text;
}

const nameOf = (device) => device.name || program(device.agent);

function button(text, label, act) {
  const made = element('button', 'button small', text);
  made.type = 'button';
  made.setAttribute('aria-label', label);
  made.addEventListener('click', async () => {
    tell('');
    try {
      await act();
    } catch (problem) {
      tell(problem.message);
    }
  });
  return made;
}

function startNaming(device, item) {
  const form = $('rename-template').content.firstElementChild.cloneNode(true);
  const input = form.elements.name;
  input.id = `name-${device.id}`;
  form.querySelector('label').htmlFor = input.id;
  form.querySelector('.error').id = `${input.id}-error`;
  input.setAttribute('aria-describedby', `${input.id}-error`);
  input.value = nameOf(device);
  const buttons = item.querySelector('.row');
  const stop = () => {
    form.remove();
    buttons.hidden = false;
    buttons.firstElementChild.focus();
  };
  form.querySelector('[type=button]').addEventListener('click', stop);
  bind(form, async ({ name }) => {
    await call('PATCH', `/v1/sessions/${device.id}`, { name: name.trim() });
    await loadDevices();
    tell(`The device is called ${name.trim()} now.`);
    $(`device-${device.id}`).querySelector('button').focus();
  });
  buttons.hidden = true;
  item.append(form);
  input.select();
}

async function signOut(device) {
  await call('DELETE', `/v1/sessions/${device.id}`);
  if (device.current) {
    location.assign('/account/sign-in');
    return;
  }
  await loadDevices();
  tell(`${nameOf(device)} is signed out.`);
  $('devices').querySelector('button')?.focus();
}

function itemOf(device) {
  const name = nameOf(device);
  const head = element('p', 'name', name);
  const item = element('li', '', head);
  item.id = `device-${device.id}`;
  if (device.current) {
    head.append(' ', element('span', 'mark', 'this device'));
  }
  item.append(
    element('p', 'fine', `${device.name ? `${program(device.agent)} · ` : ''}${device.address} · `
      + 'last seen ', time(device.seen)),
    element('div', 'row',
      button('Rename', `Rename ${name}`, () => startNaming(device, item)),
      button('Sign out', `Sign out ${name}`, () => signOut(device))));
  return item;
}

export async function loadDevices() {
  const { body } = await call('GET', '/v1/sessions');
  const sessions = body.sessions.sort((a, b) => b.current - a.current || b.seen - a.seen);
  $('devices').replaceChildren(...sessions.map(itemOf));
  $('sign-out-others').disabled = sessions.length < 2;
}

$('sign-out-others').addEventListener('click', async () => {
  try {
    await call('DELETE', '/v1/sessions?keep=current');
    await loadDevices();
    tell('All other devices are signed out.');
  } catch (problem) {
    tell(problem.message);
  }
});
$('sign-out-all').addEventListener('click', async () => {
  try {
    await call('DELETE', '/v1/sessions');
    location.assign('/account/sign-in');
  } catch (problem) {
    tell(problem.message);
  }
});
