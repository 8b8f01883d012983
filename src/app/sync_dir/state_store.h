/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is known of a folder's files and of the library's photos that are not among them, in SQLite.
 * Thread-safe. Strings that are given are borrowed, those that are returned are in the arena. Every
 * call that writes is one transaction and on disk when it returns. All of them: 0 or a fault;
 * -ENOSPC: the disk is full.
 */

#include "base/crypto/digest.h"
#include "core/ports/db.h"

#include <sys/stat.h>

/* Set until a state from an older version has learnt of the library's albums. */
#define STATE_ALBUMS_UNKNOWN "albums_unknown"
#define STATE_SEEN           "seen" /* look_back.c */

typedef enum MoveDue {
    MOVE_NONE,
    MOVE_THERE, /* the server has to be told that the file is in this folder now */
    MOVE_HERE,  /* the file is about to be moved into `folder` */
} MoveDue;

typedef struct StateFile {
    Str path; /* any bytes */
    int64_t size, mtime_ns, inode;
    int64_t ctime_ns; /* 0: not known */
    bool hashed;      /* sha256 is that of the file as it was then */
    uint8_t sha256[DIGEST_LEN];
    const char *photo;   /* its id; "": it has none yet */
    const char *name;    /* of the photo, as the server has it; "": not known */
    int64_t version;     /* of the photo; 0: not known */
    const char *upload;  /* where its upload goes on; "": none was begun */
    const char *refused; /* why it is not sent until it changes; "": it may be */
    bool arriving;       /* a download that is about to be renamed to that path */
    bool rename_due;     /* the server has to be told its name */
    const char *albums;  /* the ids of those that the server has it in, with blanks between */
    Str folder;          /* where these put it when that was last looked at; "": DIR itself */
    MoveDue move_due;
    Str left; /* with MOVE_THERE: the folder that it was in when the server was last told */
} StateFile;
#define STATE_FILE_INIT                                                                            \
    {                                                                                              \
        .photo = "", .name = "", .upload = "", .refused = "", .albums = "", .folder = str_lit(""), \
        .left = str_lit("")                                                                        \
    }

/* Whether that is the file as it was when it was last looked at, by all that stat(2) tells. */
bool state_file_is(const StateFile *file, const struct stat *found);
/* After it was renamed by us: notes the time that this left, unless more has happened to it. */
void state_file_renamed(StateFile *file, const struct stat *found);

/* What becomes of a photo of which no file is here. */
#define FATE_WANTED  "wanted"  /* it is to be downloaded */
#define FATE_UNKEPT  "unkept"  /* its file was deleted or replaced here: it is not wanted back */
#define FATE_DELETE  "delete"  /* the same, and the server's is to go to its trash */
#define FATE_TRASHED "trashed" /* the server has it in its trash; the file lies in ours */
#define FATE_REFUSED "refused" /* the server does not give it */

typedef struct StatePhoto {
    const char *id, *fate, *name;
    int64_t size, version;
    const char *albums; /* as a file's */
} StatePhoto;

typedef struct StateAlbum {
    const char *id, *name;
} StateAlbum;

typedef struct State {
    Db *db;
} State;

/* With a whole sentence in *reterr_text on a fault. */
int state_open(const char *path, bool must_exist, Arena *arena, State *ret_state,
               const char **reterr_text);
void state_done(State *state);

/* "" when it was never set. */
int state_get(State *state, const char *name, Arena *arena, const char **ret_value);
int state_set(State *state, const char *name, const char *value);
int state_get_int(State *state, const char *name, int64_t *ret_value);
int state_set_int(State *state, const char *name, int64_t value);

/* Ordered by path. */
int state_files(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n);
/* Those whose photo it is. */
int state_files_of(State *state, const char *photo, Arena *arena, StateFile **ret_files,
                   size_t *ret_n);
/* Those that have no photo yet, and may be sent. */
int state_files_waiting(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n);
/* Those whose name the server has to be told. */
int state_files_renamed(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n);
/* Those with a photo whose folder the server has to be told. */
int state_files_moved(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n);
int state_files_put(State *state, const StateFile *files, size_t n);
/* The file moved: takes its row away under the old path and puts it under the new. */
int state_file_move(State *state, Str from, const StateFile *to);
int state_file_remove(State *state, Str path);
/* The same, and what becomes of its photo, unless another file has it. */
int state_file_lose(State *state, Str path, const StatePhoto *photo);
/* A photo came: its file in, the wish out. */
int state_file_arrive(State *state, const StateFile *file);

/* NULL when nothing is known of it. */
int state_photo(State *state, const char *id, Arena *arena, const StatePhoto **ret_photo);
int state_photos(State *state, const char *fate, Arena *arena, StatePhoto **ret_photos,
                 size_t *ret_n);
int state_photo_put(State *state, const StatePhoto *photo);
int state_photo_remove(State *state, const char *id);

/* The library's albums, ordered by id. */
int state_albums(State *state, Arena *arena, StateAlbum **ret_albums, size_t *ret_n);
int state_album_put(State *state, const StateAlbum *album);
int state_album_remove(State *state, const char *id);

typedef struct StateCounts {
    int64_t synced, waiting, refused, wanted, unkept, trashed;
} StateCounts;
int state_counts(State *state, StateCounts *ret_counts);
