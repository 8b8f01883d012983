// SPDX-License-Identifier: Apache-2.0
/* Forms whose errors stand beside the field they belong to. */

const EMPTY = {
  email: 'Enter your e-mail address.', password: 'Enter your password.',
  code: 'Enter the code.', name: 'Enter a name.',
};
const SENTENCES = {
  invalid_token: 'This link was used, has expired, or is incomplete. Ask for a new mail.',
  account_locked: 'This account is locked. Please ask whoever runs this server.',
  cross_site: 'The server takes this page for one of another site. Open it under the address that '
    + 'the server knows itself by.',
  wrong_credentials: 'The e-mail address or the password is wrong.',
  second_factor_required: 'Enter the code of your authenticator app, or a recovery code.',
  stale_version: 'This was changed from elsewhere meanwhile. Look at it once more, then save.',
};

/* The API says "field: what is wrong"; lists of what may be wrong are for programmers. */
function split(detail) {
  const [, name, text] = /^([a-z_]+): (.+)$/.exec(detail) ?? [null, '', detail];
  const plain = /^missing, unknown/.test(text) ? 'This is missing or too long.' : text;
  return { name, text: plain.charAt(0).toUpperCase() + plain.slice(1) };
}

/* { field, text } of a Problem; no field when it is about the whole form. */
function sentence(problem, form) {
  const { name, text } = split(problem.detail ?? '');
  const known = SENTENCES[problem.code];
  switch (problem.code) {
    case 'invalid_field':
      return { field: name, text };
    case 'weak_password':
      return { field: 'password', text };
    case 'second_factor_required':
      return { field: 'code', text: known };
    case 'wrong_credentials':
      return problem.detail && form.elements.code
        ? { field: 'code', text } : { field: 'password', text: form.dataset.wrong ?? known };
    default:
      return { text: known ?? ([problem.message, text].filter(Boolean)
        .map((part) => part.replace(/[.]?$/, '.')).join(' ')) };
  }
}

function mark(input, text) {
  const error = document.getElementById(`${input.id}-error`);
  error.textContent = text;
  error.hidden = !text;
  input.setAttribute('aria-invalid', String(Boolean(text)));
}

export function fields(form) {
  return [...form.elements].filter((input) => input.name);
}

export function clear(form) {
  fields(form).forEach((input) => mark(input, ''));
  say(form, '');
}

/* One line for the whole form, read out as it comes. */
export function say(form, text, good = false) {
  const line = form.querySelector('.outcome');
  if (form.countdown) {
    clearInterval(form.countdown);
    form.countdown = 0;
    form.querySelector('[type=submit]').disabled = false;
  }
  line.textContent = text;
  line.classList.toggle('good', good);
}

/* The number is read out once, and then only seen. */
function countDown(form, button, seconds) {
  const line = form.querySelector('.outcome');
  const end = Date.now() + seconds * 1000;
  const spoken = document.createElement('span');
  const seen = document.createElement('span');
  spoken.className = 'unseen';
  seen.ariaHidden = 'true';
  say(form, '');
  const text = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    return `Too many attempts. You can try again in ${left} second${left === 1 ? '' : 's'}.`;
  };
  spoken.textContent = seen.textContent = text();
  line.append(spoken, seen);
  button.disabled = true;
  form.countdown = setInterval(() => {
    if (Date.now() >= end) {
      say(form, 'You can try again now.', true);
    } else {
      seen.textContent = text();
    }
  }, 250);
}

function show(form, button, problem) {
  if (problem.status === 429) {
    countDown(form, button, problem.retryAfter || 1);
    return;
  }
  const { field, text } = sentence(problem, form);
  const input = field && form.elements[field];
  if (!input) {
    say(form, text);
    return;
  }
  input.closest('.field').hidden = false;
  mark(input, text);
  input.focus();
}

/* Says what was refused, by whatever led to it. */
export function refuse(form, problem) {
  show(form, form.querySelector('[type=submit]'), problem);
}

function missing(form) {
  const empty = fields(form).filter(
    (input) => input.required && !input.value && !input.closest('[hidden]'));
  empty.forEach((input) => mark(input, input.dataset.empty ?? EMPTY[input.name]));
  empty[0]?.focus();
  return empty.length > 0;
}

/* `submit(values)` does the work; what it throws is shown. Hidden and empty codes are not sent. */
export function bind(form, submit) {
  const button = form.querySelector('[type=submit]');
  form.noValidate = true;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.disabled) {
      return;
    }
    clear(form);
    if (missing(form)) {
      return;
    }
    const values = Object.fromEntries(fields(form).map((input) => [input.name, input.value]));
    if (!values.code?.trim()) {
      delete values.code;
    }
    button.disabled = true;
    form.setAttribute('aria-busy', 'true');
    try {
      await submit(values);
      button.disabled = false;
    } catch (problem) {
      button.disabled = false;
      if (problem.code === undefined) {
        throw problem;
      }
      show(form, button, problem);
    } finally {
      form.removeAttribute('aria-busy');
    }
  });
  form.querySelectorAll('.peek').forEach((peek) => peek.addEventListener('click', () => {
    const input = document.getElementById(peek.getAttribute('aria-controls'));
    const seen = input.type === 'password';
    input.type = seen ? 'text' : 'password';
    peek.setAttribute('aria-pressed', String(seen));
  }));
}

/* Shows one of the page's parts alone, and takes the reader to its heading. */
export function turnTo(id) {
  document.querySelectorAll('main > section').forEach((part) => { part.hidden = part.id !== id; });
  const heading = document.querySelector(`#${id} h1`);
  heading.tabIndex = -1;
  heading.focus();
}
