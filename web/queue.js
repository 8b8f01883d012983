// SPDX-License-Identifier: Apache-2.0
/* Requests to the server: two at once, and patience with a busy, locked or distant one. */

import * as api from './api.js';

const SLOTS = 2;
const TRIES_MAX = 20;

let running = 0;
const waiting = [];

/* Runs `work` when one of the slots is free; urgent work goes first. */
async function inSlot(work, urgent) {
  if (running < SLOTS) {
    running++;
  } else {
    await new Promise((go) => (urgent ? waiting.unshift(go) : waiting.push(go)));
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) {
      next();
    } else {
      running--;
    }
  }
}

/* Ends after `ms`, when `target` fires `event`, or with the signal's AbortError. */
function pause(ms, target, event, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer);
      target.removeEventListener(event, go);
      signal.removeEventListener('abort', stop);
      settle(value);
    };
    const go = () => end(resolve);
    const stop = () => end(reject, signal.reason);
    const timer = ms === Infinity ? 0 : setTimeout(go, ms);
    target.addEventListener(event, go);
    signal.addEventListener('abort', stop);
  });
}

/*
 * Sends one photo and tries again while that makes sense. `report(state, value)` is told: queued;
 * uploading, percent; cutting, since; waiting, until (both ms since the epoch); offline; locked.
 * `nudge` (an EventTarget) ends a wait by its event "now". `askKey(wrong)` resolves to whether
 * there is another key to try.
 */
export async function send(file, fields, { signal, report, nudge, askKey, urgent = false }) {
  const attempt = () => {
    signal.throwIfAborted();
    report('uploading', 0);
    return api.cutout(file, fields, {
      signal,
      onUpload: (percent) => report('uploading', percent),
      onSent: () => report('cutting', Date.now()),
    });
  };
  for (let tries = 1; ; tries++) {
    const used = api.key.get();
    try {
      return await inSlot(attempt, urgent);
    } catch (problem) {
      if (!(problem instanceof api.Problem) || tries === TRIES_MAX) {
        throw problem;
      }
      if (problem.kind === 'busy') {
        report('waiting', Date.now() + problem.retryAfter * 1000);
        await pause(problem.retryAfter * 1000, nudge, 'now', signal);
      } else if (problem.kind === 'offline') {
        report('offline');
        await pause(Infinity, window, 'online', signal);
      } else if (problem.kind === 'key') {
        report('locked');
        /* Another photo's request may have asked for the key meanwhile. */
        if (api.key.get() === used && !await askKey(used !== '')) {
          throw problem;
        }
      } else {
        throw problem;
      }
    }
    report('queued');
  }
}
