/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/blobs_engine.h"

#include "adapters/blobs/folder/folder.h"
#include "base/error.h"

#include <ftw.h>
#include <stdio.h>

#define MARKER "imagesync-blobs"

static struct {
    const char *path;
    char id[BLOB_STORE_ID_LEN + 1];
} engine;

int blobs_engine_open(const char *url, Blobs **ret_blobs) {
    static const char scheme[] = "folder:";
    const char *reason = NULL;
    int r;

    if (!str_starts_with(str_from(url), str_lit("folder:"))) {
        return -EINVAL;
    }
    engine.path = url + sizeof(scheme) - 1;
    r = blobs_folder_new(engine.path, "", ret_blobs, engine.id, &reason);
    if (reason) {
        (void)fprintf(stderr, "%s: %s\n", engine.path, reason);
    }
    return r;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void blobs_engine_close(Blobs *blobs) {
    blobs_free(blobs);
    nftw(engine.path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *blobs_engine_id(void) {
    return engine.id;
}

int blobs_engine_reopen(const char *id, const char **reterr) {
    char found[BLOB_STORE_ID_LEN + 1];
    Blobs *blobs = NULL;
    int r = blobs_folder_new(engine.path, id, &blobs, found, reterr);

    blobs_free(blobs);
    return r;
}

void blobs_engine_hide_marker(bool hide) {
    char shown[4096], hidden[4096];

    snprintf(shown, sizeof(shown), "%s/" MARKER, engine.path);
    snprintf(hidden, sizeof(hidden), "%s/hidden", engine.path);
    if (rename(hide ? shown : hidden, hide ? hidden : shown) < 0) {
        abort();
    }
}
