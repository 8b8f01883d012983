// SPDX-License-Identifier: Apache-2.0
/* The options: what the recipe for every photo is. */

const $ = (id) => document.getElementById(id);
const form = $('panel');
const fields = form.elements;

const SWATCHES = [
  ['#ffffff', 'White'], ['#f2f2ef', 'Light grey'], ['#d9dde3', 'Grey'], ['#111214', 'Black'],
  ['#f4e3d3', 'Sand'], ['#dcebdf', 'Mint'], ['#d8e6f7', 'Sky'],
];
const FORMATS = {
  png: ['PNG', 'Lossless, keeps transparency.'],
  webp: ['WebP', 'Small, keeps transparency. For the web.'],
  jpg: ['JPEG', 'Opens everywhere. No transparency.'],
  avif: ['AVIF', 'Smallest, keeps transparency. For new browsers.'],
};
const PLACED = 'It is centred and fills the whole picture.';

let image = null;
let imageUrl = null;
let imageId = 0;

function radio(name, value, checked) {
  const input = document.createElement('input');
  Object.assign(input, { type: 'radio', name, value, checked });
  return input;
}

function label(...children) {
  const element = document.createElement('label');
  element.append(...children);
  return element;
}

function text(words, className = '') {
  const element = document.createElement('span');
  element.textContent = words;
  element.className = className;
  return element;
}

export function setFormats(names) {
  const known = Object.keys(FORMATS).filter((name) => names.includes(name));
  const chosen = fields.format?.value;
  $('formats').replaceChildren(...known.map((name, i) =>
    label(radio('format', name, chosen ? chosen === name : i === 0), text(FORMATS[name][0]))));
  refresh();
}

function buildSwatches() {
  const dots = SWATCHES.map(([colour, name], i) => {
    const dot = text('', 'dot');
    dot.style.backgroundColor = colour;
    return label(radio('colour', colour, i === 0), dot, text(name, 'unseen'));
  });
  const picker = document.createElement('input');
  Object.assign(picker, { type: 'color', value: '#ffd7c2', id: 'picker' });
  picker.setAttribute('aria-label', 'Pick any colour');
  const own = radio('colour', picker.value, false);
  own.setAttribute('aria-label', 'Own colour');
  picker.addEventListener('input', () => {
    own.value = picker.value;
    own.checked = true;
  });
  picker.addEventListener('click', () => { own.checked = true; });
  const custom = document.createElement('span');
  custom.className = 'custom';
  custom.append(own, picker);
  $('swatches').append(...dots, custom);
}

/* The recipe as it stands. */
export function recipe() {
  return {
    background: fields.background.value === 'image' && !image ? 'none' : fields.background.value,
    colour: fields.colour.value,
    image, imageUrl, imageId,
    blur: Number(fields.blur.value) / 1000,
    crop: fields.crop.checked,
    margin: Number(fields.margin.value),
    format: fields.format.value,
  };
}

export function setBackground(file) {
  URL.revokeObjectURL(imageUrl);
  image = file;
  imageUrl = URL.createObjectURL(file);
  imageId++;
  const thumb = $('background-thumb');
  thumb.onload = thumb.onerror = ({ type }) => {
    thumb.hidden = type === 'error';
    $('background-note').textContent = thumb.hidden ? 'This browser cannot show it.' : PLACED;
  };
  thumb.src = imageUrl;
  $('background-name').textContent = file.name;
  fields.background.value = 'image';
  refresh();
  form.dispatchEvent(new Event('input'));
}

function refresh() {
  const now = { background: fields.background.value, crop: fields.crop.checked };
  for (const part of form.querySelectorAll('[data-for]')) {
    const name = part.dataset.for;
    part.hidden = name === 'crop' ? !now.crop : name !== now.background;
  }
  const shown = { blur: fields.blur.value / 10, margin: Number(fields.margin.value) };
  for (const [name, value] of Object.entries(shown)) {
    const input = fields[name];
    const words = `${value} %`;
    $(`${name}-value`).textContent = words;
    input.setAttribute('aria-valuetext', words);
    const share = (input.value - input.min) / (input.max - input.min);
    input.style.setProperty('--done', `${100 * share}%`);
  }
  const white = fields.format.value === 'jpg' && recipe().background === 'none';
  $('format-note').textContent = FORMATS[fields.format.value][1]
    + (white ? ' The background becomes white.' : '');
}

$('background-note').textContent = PLACED;
buildSwatches();
setFormats(Object.keys(FORMATS));
form.addEventListener('input', refresh);
