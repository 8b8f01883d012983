/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/settings.h"

#define AT(member) offsetof(ImageSettings, member)

const ConfigField image_settings_fields[] = {
    {"api-keys", CONFIG_SECRET, AT(api_keys), "", 0, 0, NULL,
     "API keys as key[:credits],...; a key without a number has no limit"},
    {"page-access", CONFIG_STR, AT(page_access), "auto", 0, 0, NULL,
     "who may use the web page without a key: auto (this machine, when listening on loopback), "
     "open (everyone), key (nobody)"},
    {"page-hosts", CONFIG_STR, AT(page_hosts), "", 0, 0, NULL,
     "host names that browsers may use to reach the page, separated by commas"},
    {"megapixels-per-minute", CONFIG_U64, AT(megapixels_per_minute), "500", 0, 1000000, NULL,
     "rate budget of one key in input megapixels a minute; 0 for none"},
    {"file-max-mib", CONFIG_U64, AT(file_max_mib), "22", 1, 1024, "MiB",
     "largest picture that is accepted, in a request or behind a URL"},
    {"improve-per-day", CONFIG_U64, AT(improve_per_day), "100", 0, 100000, NULL,
     "feedback uploads that one key may make a day"},
    {"improve-keep-days", CONFIG_U64, AT(improve_keep_days), "365", 0, 36500, "d",
     "how long feedback uploads are kept; 0: for ever"},
    {0},
};

uint64_t image_settings_body_max(const ImageSettings *settings) {
    /* 4/3 for base64, one file as it is, and room for the other fields. */
    return settings->file_max_mib * (1 << 20) * 7 / 3 + (4 << 20);
}
