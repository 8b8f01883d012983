// SPDX-License-Identifier: Apache-2.0
/* The page: photos come in, the chosen one is on the stage, renditions go out. */

import * as api from './api.js';
import * as panel from './panel.js';
import { Photo, megabytes } from './photo.js';
import * as stage from './stage.js';
import * as tray from './tray.js';

const PHOTOS_MAX = 300;
const $ = (id) => document.getElementById(id);

const photos = [];
let selected = null;
let saving = null; /* { abort, prefix, state, value } while renditions are made */
let keyAnswer = null; /* the promise of the open key prompt */

const host = {
  limits: {},
  askKey,
  changed(photo, entered) {
    tray.update(photo);
    if (photo === selected) {
      showSelected();
    }
    if (entered) {
      tell(photo);
    }
    refreshActions();
  },
};

function announce(words) {
  $('announce').textContent = words;
}

function toast(words) {
  $('toast-text').textContent = words;
  $('toast').hidden = false;
}

function hideToast() {
  $('toast').hidden = true;
}

function tell(photo) {
  if (photo.state === 'done') {
    announce(`${photo.name}: the background is removed.`);
  } else if (photo.state === 'waiting') {
    announce(`${photo.name}: the server is busy, trying again soon.`);
  } else if (photo.state === 'failed') {
    announce(`${photo.name}: ${photo.problem.title}`);
  }
}

/* Photos coming in */

function addFiles(files) {
  const room = PHOTOS_MAX - photos.length;
  hideToast();
  if (files.length > room) {
    toast(`Only ${PHOTOS_MAX} photos fit at once; ${files.length - room} were left out.`);
  }
  const added = files.slice(0, room).map((file) => new Photo(file, host));
  if (!added.length) {
    return;
  }
  $('welcome').hidden = true;
  $('editor').hidden = false;
  for (const photo of added) {
    photos.push(photo);
    tray.add(photo, { select, remove });
    photo.start();
  }
  select(added[0]);
  tray.focus(added[0]);
}

function select(photo) {
  selected = photo;
  tray.select(photo);
  showSelected();
  refreshActions();
}

function remove(photo) {
  const index = photos.indexOf(photo);
  photos.splice(index, 1);
  photo.remove();
  tray.remove(photo);
  if (!photos.length) {
    selected = null;
    $('editor').hidden = true;
    $('welcome').hidden = false;
    document.querySelector('#welcome [data-pick=files]').focus();
  } else {
    const next = photos[Math.min(index, photos.length - 1)];
    if (photo === selected) {
      select(next);
    }
    tray.focus(next);
  }
  refreshActions();
}

async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) {
    return [...transfer.files];
  }
  const found = [];
  for (const entry of entries) {
    await walk(entry, found);
  }
  return found;
}

async function walk(entry, found) {
  if (found.length > PHOTOS_MAX) {
    return;
  }
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    if (/^(image\/.*)?$/.test(file.type) && !file.name.startsWith('.')) {
      found.push(file);
    }
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) {
      return;
    }
    for (const child of some) {
      await walk(child, found);
    }
  }
}

/* The chosen photo */

function showSelected() {
  const photo = selected;
  stage.show(photo, panel.recipe());
  showProgress();
  $('failure').hidden = photo.state !== 'failed';
  if (photo.state === 'failed') {
    const { title, detail, advice, kind } = photo.problem;
    $('failure-title').textContent = title;
    $('failure-detail').textContent = detail;
    $('failure-detail').hidden = !detail;
    $('failure-advice').textContent = advice;
    $('failure-advice').hidden = !advice;
    $('failure-retry').textContent = kind === 'key' ? 'Enter a key' : 'Try again';
    $('failure-retry').hidden = kind === 'unfit';
  }
  const { width, height } = stage.cropOf(photo, panel.recipe());
  const unread = photo.done && !photo.readable ? ' · this browser cannot show the original' : '';
  const [name, size] = $('facts').children;
  name.textContent = photo.name;
  size.textContent = width ? `${width} × ${height} px${unread}` : '';
}

function showProgress() {
  const photo = selected;
  $('busy').hidden = !photo?.active;
  if (!photo?.active) {
    return;
  }
  const { state, value } = photo;
  $('busy-text').textContent = {
    queued: 'Waiting for its turn',
    uploading: `Uploading ${Math.round(value)} %`,
    cutting: `Cutting out… ${secondsTo(value)} s`,
    waiting: `The server is busy. Trying again in ${secondsTo(value)} s`,
    offline: 'You are offline. It goes on when you are back',
    locked: 'Waiting for your API key',
  }[state];
  const bar = $('busy-bar');
  if (state === 'uploading') {
    bar.value = value;
  } else {
    bar.removeAttribute('value');
  }
  bar.hidden = !['uploading', 'cutting'].includes(state);
  $('busy-now').hidden = state !== 'waiting';
}

/* Whole seconds between then and now. */
function secondsTo(ms) {
  return Math.round(Math.abs(ms - Date.now()) / 1000);
}

/* Renditions going out */

function savingText() {
  const { state, value, prefix } = saving;
  const words = {
    uploading: `${Math.round(value)} %`,
    cutting: `${secondsTo(value)} s`,
    waiting: `server busy, ${secondsTo(value)} s`,
    offline: 'offline',
    locked: 'key needed',
  };
  return `Cancel · ${prefix}${words[state] ?? 'waiting'}`;
}

function refreshActions() {
  const ready = photos.filter((photo) => photo.done).length;
  $('download').disabled = !saving && !selected?.done;
  $('download-text').textContent = saving ? savingText() : 'Download';
  $('download').firstElementChild.toggleAttribute('hidden', Boolean(saving));
  $('copy').disabled = Boolean(saving) || !selected?.done;
  $('copy').hidden = !navigator.clipboard?.write || !window.ClipboardItem;
  $('download-all').hidden = Boolean(saving) || photos.length < 2;
  $('download-all').disabled = ready === 0;
  $('download-all').textContent = `Download all (${ready})`;
}

function report(state, value) {
  Object.assign(saving, { state, value });
  refreshActions();
}

/* Runs `work(signal)` as the one save that is under way. */
async function save(work) {
  const abort = new AbortController();
  const pressed = document.activeElement;
  saving = { abort, prefix: '' };
  refreshActions();
  $('download').focus(); /* which cancels now; what was pressed is out of reach meanwhile */
  try {
    return await work(abort.signal);
  } catch (problem) {
    if (!abort.signal.aborted) {
      toast([problem.title ?? 'That did not work', problem.detail, problem.advice].filter(Boolean)
        .map((words) => words.replace(/[.\s]*$/, '.')).join(' '));
    }
    return null;
  } finally {
    saving = null;
    refreshActions();
    if (document.activeElement === $('download')) {
      pressed.focus();
    }
  }
}

function hand(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  announce(`${name} is downloaded, ${megabytes(blob.size)}.`);
}

async function download() {
  const photo = selected;
  const made = await save((signal) => photo.render(panel.recipe(), { signal, report }));
  if (made) {
    hand(made.blob, made.name);
  }
}

async function downloadAll() {
  const ready = photos.filter((photo) => photo.done);
  const recipe = panel.recipe();
  await save(async (signal) => {
    let failed = null;
    for (const [i, photo] of ready.entries()) {
      try {
        saving.prefix = `${i + 1} of ${ready.length}, `;
        const { blob, name } = await photo.render(recipe, { signal, report });
        hand(blob, name);
      } catch (problem) {
        signal.throwIfAborted();
        failed = problem;
      }
    }
    if (failed) {
      throw failed;
    }
  });
}

/* Browsers want the write to begin in the click, with the pixels to follow. */
async function copy() {
  const photo = selected;
  const recipe = { ...panel.recipe(), format: 'png' };
  await save(async (signal) => {
    const png = photo.render(recipe, { signal, report }).then(({ blob }) => blob);
    await Promise.all([png, navigator.clipboard.write([new ClipboardItem({ 'image/png': png })])]);
    announce('Copied.');
    $('copy').classList.add('copied');
    setTimeout(() => $('copy').classList.remove('copied'), 1600);
  });
}

/* The key */

function askKey(wrong) {
  keyAnswer ??= new Promise((resolve) => {
    const dialog = $('key-dialog');
    api.key.set('');
    $('key-text').textContent = wrong
      ? 'The server did not accept that key. Check it and enter it again.'
      : 'This server asks for a key. It is kept in this tab only and forgotten when you close it.';
    $('key-input').value = '';
    dialog.showModal();
    dialog.addEventListener('close', () => {
      keyAnswer = null;
      resolve(api.key.get() !== '');
    }, { once: true });
  });
  return keyAnswer;
}

$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const value = $('key-input').value.trim();
  if (value) {
    api.key.set(value);
    $('key-dialog').close();
  }
});
$('key-cancel').addEventListener('click', () => $('key-dialog').close());

/* Wiring */

for (const button of document.querySelectorAll('[data-pick]')) {
  button.addEventListener('click', () => $(button.dataset.pick).click());
}
for (const input of [$('files'), $('camera')]) {
  input.addEventListener('change', () => {
    addFiles([...input.files]);
    input.value = '';
  });
}
$('pick-background').addEventListener('click', () => $('background-file').click());
$('background-file').addEventListener('change', ({ target }) => {
  const [file] = target.files;
  if (file && /^(image|$)/.test(file.type)) {
    panel.setBackground(file);
  } else if (file) {
    toast(`${file.name} is not an image.`);
  }
  target.value = '';
});

const carriesFiles = (event) => event.dataTransfer?.types.includes('Files');
window.addEventListener('dragover', (event) => {
  if (carriesFiles(event)) {
    event.preventDefault();
    $('dragging').hidden = false;
  } else if (!event.target.closest('input')) {
    event.preventDefault(); /* or a link that is dropped would replace the page */
    event.dataTransfer.dropEffect = 'none';
  }
});
window.addEventListener('dragleave', (event) => { $('dragging').hidden ||= !event.relatedTarget; });
window.addEventListener('drop', async (event) => {
  $('dragging').hidden = true;
  if (carriesFiles(event)) {
    event.preventDefault();
    addFiles(await filesOf(event.dataTransfer));
  }
});
window.addEventListener('paste', (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) {
    event.preventDefault();
    addFiles(files);
  }
});

/* The buttons of a card go away with it; the photo keeps the focus. */
for (const [id, act] of [['busy-cancel', 'cancel'], ['busy-now', 'tryNow']]) {
  $(id).addEventListener('click', () => {
    tray.focus(selected);
    selected[act]();
  });
}
$('failure-retry').addEventListener('click', () => {
  const photo = selected;
  photo.start();
  tray.focus(photo);
});
$('failure-remove').addEventListener('click', () => remove(selected));
$('toast-close').addEventListener('click', () => {
  hideToast();
  tray.focus(selected);
});
/* Before anything that is done shows a new one. */
for (const deed of ['click', 'input']) {
  $('editor').addEventListener(deed, hideToast, true);
}
$('panel').addEventListener('input', () => selected && showSelected());
$('panel').addEventListener('submit', (event) => {
  event.preventDefault();
  if (saving) {
    saving.abort.abort();
  } else if (selected?.done) {
    download();
  }
});
$('download-all').addEventListener('click', downloadAll);
$('copy').addEventListener('click', copy);

/* Seconds go by. */
setInterval(() => {
  showProgress();
  if (saving) {
    refreshActions();
  }
}, 250);

api.pageConfig().then((config) => {
  host.limits = config;
  panel.setFormats(config.formats);
  if (config.file_bytes_max) {
    $('limits').textContent += `, up to ${megabytes(config.file_bytes_max).replace(' ', '\u00a0')}`;
  }
  if (config.key_required && !api.key.get()) {
    askKey(false);
  }
}).catch(() => toast(`${api.unreachable().title}. Photos can be added when it is back.`));
