/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/issuer/part.h"

#include "base/crypto/digest.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "services/user/issuer/visit.h"
#include "services/user/oidc/pages.h"

int issuer_new(UserService *service, UserIssuer **ret_issuer, const char **reterr) {
    const UserServiceOptions *options = &service->options;
    const UserKey *key = vault_service_key(service->vault);
    UserIssuer *issuer = calloc(1, sizeof(*issuer));
    int r;

    if (!issuer) {
        abort();
    }
    digest_hkdf((Str){(const char *)key->bytes, VAULT_KEY_LEN}, (Str){0},
                str_lit("imagesync/issuer/flow"), issuer->flow_key, sizeof(issuer->flow_key));
    r = issuers_read(options->settings->issuers, options->arena, &issuer->issuers, reterr);
    if (r == 0) {
        r = issuer_remote_new(issuer->issuers, &issuer->remote);
    }
    if (r < 0) {
        issuer_free(issuer);
        return err_trace(r);
    }
    *ret_issuer = issuer;
    return 0;
}

UserIssuer *issuer_free(UserIssuer *issuer) {
    if (issuer) {
        issuer_remote_free(issuer->remote);
        issuers_free(issuer->issuers);
        secret_wipe(issuer->flow_key, sizeof(issuer->flow_key));
        free(issuer);
    }
    return NULL;
}

void issuer_add_links(const UserService *service, const char *back, bool fresh, Buf *html) {
    const Issuers *issuers = service->issuer->issuers;

    if (issuers->n_issuers == 0 || !back || !flow_back_is_ours(back)) {
        return;
    }
    buf_addf(html, "<p class=\"or\">or</p>");
    for (size_t i = 0; i < issuers->n_issuers; i++) {
        _cleanup_(buf_done) Buf query = BUF_INIT;
        oidc_add_param(&query, "return", back);
        if (fresh) {
            oidc_add_param(&query, "fresh", "1");
        }
        buf_addf(html, "<a class=\"button plain\" href=\"/oauth/issuers/%s/start?",
                 issuers->issuers[i].name);
        page_add_text(html, buf_cstr(&query));
        buf_addf(html, "\">Continue with ");
        page_add_text(html, issuers->issuers[i].title);
        buf_addf(html, "</a>");
    }
}

bool issuer_is_configured(const UserService *service, const char *url) {
    return issuers_find_url(service->issuer->issuers, str_from(url)) != NULL;
}
