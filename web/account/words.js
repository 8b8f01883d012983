// SPDX-License-Identifier: Apache-2.0
/* What programs and times are called in a list. */

const BROWSERS = [[/Edg\//, 'Edge'], [/Firefox\//, 'Firefox'], [/Chrom(e|ium)\//, 'Chrome'],
  [/Safari\//, 'Safari']];
const SYSTEMS = [[/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'], [/Linux|X11/, 'Linux']];

/* "Firefox on Linux", or how the program calls itself. */
export function program(agent = '') {
  const find = (list) => list.find(([pattern]) => pattern.test(agent))?.[1];
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  return browser && system ? `${browser} on ${system}`
    : browser ?? (agent.split(/[\s/]/)[0] || 'An unknown program');
}

const format = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

/* Of seconds since 1970: a <time>. */
export function time(seconds) {
  const element = document.createElement('time');
  const date = new Date(seconds * 1000);
  element.dateTime = date.toISOString();
  element.textContent = format.format(date);
  return element;
}

export function element(name, className, ...content) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}
