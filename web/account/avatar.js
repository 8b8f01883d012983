// SPDX-License-Identifier: Apache-2.0
/* The picture that somebody shows of themselves: chosen, shown and removed. */
import { call } from './api.js';

const BYTES_MAX = 10 * 1024 * 1024; /* what the server takes */
const $ = (id) => document.getElementById(id);

function say(text, good = false) {
  $('avatar-outcome').textContent = text;
  $('avatar-outcome').classList.toggle('good', good);
}

export function showAvatar(me) {
  const { avatar } = me;
  $('avatar').hidden = !avatar;
  $('avatar-none').hidden = Boolean(avatar);
  $('avatar-remove').hidden = !avatar;
  $('avatar-choose').textContent = avatar ? 'Choose another' : 'Choose a picture';
  if (avatar) {
    $('avatar').src = avatar.url;
  } else {
    $('avatar').removeAttribute('src');
  }
}

async function act(button, work) {
  say('');
  button.disabled = true;
  $('avatar-part').setAttribute('aria-busy', 'true');
  try {
    await work();
  } catch (problem) {
    if (problem.code === undefined) {
      throw problem;
    }
    say([problem.message, problem.detail].filter(Boolean).map((part) => (
      part.replace(/[.]?$/, '.'))).join(' '));
  } finally {
    button.disabled = false;
    $('avatar-part').removeAttribute('aria-busy');
  }
}

async function put(file) {
  if (file.size > BYTES_MAX) {
    say('This file has more than 10 MB. Choose a smaller one.');
    return;
  }
  showAvatar((await call('PUT', '/v1/me/avatar', file)).body);
  say('This is your picture now.', true);
}

$('avatar-choose').addEventListener('click', () => $('avatar-file').click());
$('avatar-file').addEventListener('change', () => {
  const [file] = $('avatar-file').files;
  if (file) {
    /* Emptied, so that the same file can be chosen again; not before it was sent. */
    act($('avatar-choose'), () => put(file)).finally(() => { $('avatar-file').value = ''; });
  }
});
$('avatar-remove').addEventListener('click', () => act($('avatar-remove'), async () => {
  await call('DELETE', '/v1/me/avatar');
  showAvatar({ avatar: null });
  say('You have no picture any more.', true);
  $('avatar-choose').focus();
}));
