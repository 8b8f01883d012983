/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The pages that people see when a program asks them to sign in: plain HTML, and tokens in forms,
 * so that no other site can send them. They work without script; one of our own, for passkeys, is
 * on the page that signs in. A form's token is an HMAC of what it is for, whose browser or session
 * it is, and the request as shown, so it confirms that and nothing else.
 */

#include "services/user/oidc/device_store.h"
#include "services/user/oidc/oidc.h"

/* Base64url of the token, in the arena. */
const char *page_form_token(UserCall *call, const char *purpose, Str binding, const char *request);
/* Same site, and the token is right. */
bool page_form_is_ours(UserCall *call, const Form *form, const char *purpose, Str binding,
                       const char *request);

/* The browser's own random word, from its cookie; made when absent: call->set_cookie then. */
const char *page_browser(UserCall *call);

/* `redirect_uri`: where the form's answer may lead (NULL: nowhere else), for the policy. */
typedef struct SignInPage {
    const char *client_name; /* NULL: no program sent them, they are to connect a device */
    const char *redirect_uri, *request, *email, *problem;
    const char *back; /* where to go on after signing in with another issuer */
    bool fresh;       /* being signed in there is not enough */
} SignInPage;
void page_sign_in(UserCall *call, unsigned status, const SignInPage *page);
/*
 * Reads that page's form, which is known to be ours, and signs in: the session that the browser had
 * is renewed, or ended when it is another account's. True: call->session is the session and
 * call->set_cookie its cookie. False: `page` was shown again with what is wrong.
 */
bool page_sign_in_read(UserCall *call, const Form *form, SignInPage page);
#define PAGE_SIGN_IN_PURPOSE(page) ((page)->client_name ? "sign-in" : "device-sign-in")
void page_consent(UserCall *call, const OauthClient *client, const char *redirect_uri,
                  uint32_t scopes, const char *email, const char *request);
void page_sign_out(UserCall *call, const char *redirect_uri, const char *request);
/* Where a device's code is typed; `problem` may be NULL. */
void page_device_code(UserCall *call, unsigned status, const char *problem);
/* Shows what is asked, by whom and from where; `shown_code` is to be compared with the device's. */
void page_device_consent(UserCall *call, const OauthClient *client, const DeviceRequest *request,
                         const char *shown_code, const char *email);
/* What pages are made of, for those of other parts: the beginning up to the heading, text, and a
 * form's hidden field. */
void page_begin(Buf *html, const char *title);
void page_add_text(Buf *html, const char *text);
void page_add_hidden(Buf *html, const char *name, const char *value);

/* A heading and a sentence. */
void page_message(UserCall *call, unsigned status, const char *title, const char *text);
