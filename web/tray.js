// SPDX-License-Identifier: Apache-2.0
/* The row of photos. */

const list = document.getElementById('tray');
const items = new Map();

const WORDS = {
  queued: 'waiting for its turn', uploading: 'uploading', cutting: 'cutting out',
  waiting: 'waiting for the server', offline: 'waiting for the network',
  locked: 'waiting for an API key', done: 'ready', failed: 'failed',
};
const ICONS = { failed: 'i-alert', done: 'i-check' };

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#${name}`);
  svg.append(use);
  return svg;
}

/* `on`: { select(photo), remove(photo) } */
export function add(photo, on) {
  const item = document.createElement('li');
  const open = document.createElement('button');
  const shut = document.createElement('button');
  const badge = document.createElement('span');
  open.className = 'thumb';
  shut.className = 'remove';
  badge.className = 'badge';
  shut.append(icon('i-close'));
  shut.setAttribute('aria-label', `Remove ${photo.name}`);
  open.append(icon('i-image'), badge);
  open.addEventListener('click', () => on.select(photo));
  shut.addEventListener('click', () => on.remove(photo));
  item.append(open, shut);
  list.append(item);
  items.set(photo, { item, open, badge, state: '' });
  update(photo);
}

export function update(photo) {
  const entry = items.get(photo);
  if (!entry) {
    return;
  }
  if (entry.state !== photo.state) {
    entry.state = photo.state;
    entry.item.dataset.state = photo.state;
    entry.open.setAttribute('aria-label', `${photo.name}, ${WORDS[photo.state]}`);
    entry.open.title = photo.name;
    entry.badge.replaceChildren(...(ICONS[photo.state] ? [icon(ICONS[photo.state])] : []));
  }
  if (photo.thumb && !entry.image) {
    entry.image = document.createElement('img');
    Object.assign(entry.image, { src: photo.thumb, alt: '' });
    entry.open.prepend(entry.image);
  }
}

export function select(photo) {
  for (const [other, { item, open }] of items) {
    open.setAttribute('aria-current', String(other === photo));
    if (other === photo) {
      item.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
  }
}

export function focus(photo) {
  items.get(photo)?.open.focus({ preventScroll: true });
}

export function remove(photo) {
  items.get(photo).item.remove();
  items.delete(photo);
}
