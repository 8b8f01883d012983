/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The tables user_export and user_export_part: what somebody asked to have of their data, and the
 * archive that came of it, sealed piece by piece under their key. Calls run in a transaction of the
 * caller's.
 *
 * Whoever makes an archive has taken it until due_us and moves that on with each piece. When the
 * maker dies somebody else takes it, and `tries`, which counts, keeps what the first would still
 * write out.
 */

#include "services/user/vault.h"

typedef enum ExportState {
    EXPORT_WAITING,
    EXPORT_RUNNING,
    EXPORT_READY,
    EXPORT_FAILED,
} ExportState;

typedef enum ExportReason {
    EXPORT_REASON_NONE,
    EXPORT_REASON_FAULT,     /* it was tried as often as it may be */
    EXPORT_REASON_TOO_LARGE, /* more than EXPORT_LEN_MAX */
} ExportReason;

#define EXPORT_LEN_MAX   ((int64_t)32 << 20) /* bytes of an archive */
#define EXPORT_PIECE_LEN ((size_t)255 << 10) /* sealed it stays below 256 KiB */
#define EXPORTS_MAX      10                  /* of one user; the oldest make room */
#define EXPORT_TRIES_MAX 5

extern const char *const export_state_names[];  /* waiting running ready failed */
extern const char *const export_reason_names[]; /* "" fault too_large */

typedef struct Export {
    Uuid user_id, export_id;
    int state, reason;
    int64_t tries, len, n_parts;
    int64_t created_us;
    int64_t ready_us; /* 0: not yet */
    /* Until it is ready or failed: when it may be taken; then: when it goes. */
    int64_t due_us;
} Export;

enum {
    EXPORT_E_NONE = 1, /* there is no such, or not any more */
    EXPORT_E_BUSY,     /* one of that user's waits or runs already */
    EXPORT_E_TAKEN,    /* somebody else has it by now, or it is gone */
};

extern const DbStatement export_statements[];
extern const size_t export_statements_len;

/* Fills export_id; user_id and created_us are there. 0 or EXPORT_E_BUSY. */
int export_store_add(DbTx *tx, Arena *arena, Export *export);
/* 0 or EXPORT_E_NONE. */
int export_store_get(DbTx *tx, const Uuid *user_id, const Uuid *export_id, Arena *arena,
                     Export *ret_export);
/* The newest first. */
int export_store_list(DbTx *tx, const Uuid *user_id, Arena *arena, Export **ret_exports,
                      size_t *ret_n);

/* At most `max` with which something is to be done, of whomever. */
int export_store_due(DbTx *tx, int64_t now_us, size_t max, Arena *arena, Export **ret_exports,
                     size_t *ret_n);
/* Takes it as it was read; what a try before has left goes. Counts it up. 0 or EXPORT_E_TAKEN. */
int export_store_take(DbTx *tx, Export *export, int64_t until_us);
/* Keeps the next piece, and holds the export until then. 0 or EXPORT_E_TAKEN. */
int export_store_add_part(DbTx *tx, const UserKey *key, const Export *export, int64_t part,
                          Str bytes, int64_t until_us, Arena *arena);
/* Writes state, reason, len, n_parts, ready_us and due_us of one that is taken. With `alone` the
 * others of that user go. 0 or EXPORT_E_TAKEN. */
int export_store_put(DbTx *tx, const Export *export, bool alone);
/* 0 or EXPORT_E_NONE. */
int export_store_get_part(DbTx *tx, const UserKey *key, const Uuid *export_id, int64_t part,
                          Arena *arena, Str *ret_bytes);
/* With its parts. */
int export_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *export_id);
