/* SPDX-License-Identifier: Apache-2.0 */
#include "core/events/envelope.h"

#include <jansson.h>
#include <openssl/evp.h>

static size_t base64_len(size_t len) {
    return (len + 2) / 3 * 4;
}

static void add_base64(Str bytes, Buf *out) {
    /* It ends what it writes with a NUL, for which a Buf has room. */
    unsigned char *at = (unsigned char *)buf_reserve(out, base64_len(bytes.len));

    out->len += (size_t)EVP_EncodeBlock(at, (const unsigned char *)bytes.ptr, (int)bytes.len);
}

/* What is no JSON object stays away: a reader must be able to rely on the rest. */
static void add_facts(const char *facts, Buf *out) {
    json_t *object = json_loads(facts, JSON_REJECT_DUPLICATES, NULL);
    char *text =
        json_is_object(object) ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

    if (text) {
        buf_addf(out, ",\"facts\":%s", text);
    }
    free(text);
    json_decref(object);
}

void event_envelope_write(const Event *event, size_t size_max, Buf *out) {
    char user[UUID_TEXT_SIZE], object[UUID_TEXT_SIZE], device[UUID_TEXT_SIZE];
    size_t begin = out->len;

    uuid_text(&event->user_id, user);
    uuid_text(&event->object_id, object);
    buf_addf(out,
             "{\"topic\":\"%s\",\"user\":\"%s\",\"seq\":%lld,\"kind\":\"%s\",\"object\":\"%s\","
             "\"version\":%lld,\"removed\":%s,\"at\":%lld",
             event->topic, user, (long long)event->seq, event->kind, object,
             (long long)event->version, event->removed ? "true" : "false",
             (long long)(event->at_us / 1000));
    if (!uuid_is_nil(&event->device_id)) {
        uuid_text(&event->device_id, device);
        buf_addf(out, ",\"device\":\"%s\"", device);
    }
    if (event->facts[0]) {
        add_facts(event->facts, out);
    }
    if (event->sealed.len > 0) {
        if (out->len - begin + base64_len(event->sealed.len) + 16 > size_max) {
            buf_addf(out, ",\"omitted\":true");
        } else {
            buf_addf(out, ",\"sealed\":\"");
            add_base64(event->sealed, out);
            buf_addf(out, "\"");
        }
    }
    buf_addf(out, "}");
}
