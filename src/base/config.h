/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Configuration by table: each module lists its settings once, and the same list reads the file,
 * the environment (IMAGESYNC_NAME) and the flags (--name), prints `imagesync config`, and documents
 * itself in --help. Later sources win: default, file, environment, flag.
 */

#include "base/arena.h"

typedef enum ConfigType {
    CONFIG_STR,    /* const char * */
    CONFIG_SECRET, /* const char *, never printed */
    CONFIG_U64,    /* uint64_t within min..max */
    CONFIG_BOOL,   /* bool: yes/no, true/false, on/off, 1/0 */
} ConfigType;

typedef struct ConfigField {
    const char *name; /* "api-keys": flag --api-keys, environment IMAGESYNC_API_KEYS */
    ConfigType type;
    size_t offset;
    const char *fallback; /* the default, as text */
    uint64_t min, max;    /* of a number; of a string's length, max 0: any */
    const char *unit;     /* "MiB", "s", or NULL; "512 MiB" is read as well as "512" */
    const char *help;
} ConfigField; /* a table ends with a field whose name is NULL */

typedef struct ConfigGroup {
    const char *title;
    const ConfigField *fields;
    void *target; /* the struct that the offsets refer to */
} ConfigGroup;

typedef struct Config Config;

Config *config_new(const ConfigGroup *groups, size_t n_groups);
Config *config_free(Config *config);
DEFINE_CLEANUP(Config *, config_free)

/*
 * Each sets what it finds; 0, or -EINVAL with a whole sentence in config_error() that names the
 * setting, what was wrong and what is expected. Order is the caller's: defaults, file, environment,
 * flags. A file has "name = value" lines, blank lines and lines that begin with '#'; unknown names
 * are errors. An environment variable IMAGESYNC_* of no known name is an error that suggests the
 * nearest; IMAGESYNC_TOKEN is passed over. `source` is how a person would find the place: "--jobs".
 * Strings that a target holds live as long as the Config. Not thread-safe.
 */
int config_load_defaults(Config *config);
int config_load_file(Config *config, const char *path);
int config_load_environment(Config *config);
int config_set(Config *config, const char *name, const char *value, const char *source);
const char *config_error(const Config *config);

/* The setting of that flag name (without --), or NULL. */
const ConfigField *config_find(const Config *config, const char *name);
/* The setting whose name looks most like `name`, for "did you mean"; NULL when none is near. */
const char *config_nearest(const Config *config, const char *name);

/* What may be shown of a text that is no secret: an address without the user and the password that
 * may stand in it. In the arena, or the text itself. */
const char *config_shown(Arena *arena, const char *text);

/* A table of name, value, source and help; secrets as "(set)". */
void config_print(const Config *config, Buf *out);
