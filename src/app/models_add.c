/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Installing a model: copied with its manifest into a folder that nobody looks into, tried there,
 * and moved to its name only when it works.
 */

#include "app/file_io.h"
#include "app/model_try.h"
#include "app/models_command.h"
#include "base/error.h"
#include "core/contracts/worker.h"
#include "inference/model.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL_FILE "model.onnx"
#define CHUNK      65536
#define SIDE_MAX   TENSOR_SIDE_MAX

/* What rembg's sessions of these families do, in values of 0..255 (rembg's are of 0..1). */
typedef struct Family {
    const char *name;
    uint32_t side;
    double mean[3], scale[3];
    ModelRange range;
} Family;

#define IMAGENET                                                                                   \
    {123.675, 116.28, 103.53}, {                                                                   \
        58.395, 57.12, 57.375                                                                      \
    }

static const Family families[] = {
    {"u2net", 320, IMAGENET, MODEL_RANGE_MINMAX},
    {"u2netp", 320, IMAGENET, MODEL_RANGE_MINMAX},
    {"u2net_human_seg", 320, IMAGENET, MODEL_RANGE_MINMAX},
    {"silueta", 320, IMAGENET, MODEL_RANGE_MINMAX},
    {"isnet", 1024, {127.5, 127.5, 127.5}, {255, 255, 255}, MODEL_RANGE_MINMAX},
    {"isnet-anime", 1024, {123.675, 116.28, 103.53}, {255, 255, 255}, MODEL_RANGE_MINMAX},
    {"bria-rmbg", 1024, IMAGENET, MODEL_RANGE_MINMAX},
    {"birefnet", 1024, IMAGENET, MODEL_RANGE_SIGMOID},
};

static const char *const family_choices[] = {"u2net",     "u2netp",   "u2net_human_seg",
                                             "silueta",   "isnet",    "isnet-anime",
                                             "bria-rmbg", "birefnet", NULL};
static const char *const range_choices[] = {"unit", "sigmoid", "minmax", NULL};

const ModelsAddOptions models_add_options_init = {
    .width = -1, .height = -1, .output = -1, .range = -1};

static int read_choice(const char *text, const char *const *choices) {
    for (int i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            return i;
        }
    }
    return -EINVAL;
}

static int read_like(void *options, const char *text) {
    ((ModelsAddOptions *)options)->like = text;
    return MIN(read_choice(text, family_choices), 0);
}

static int read_range(void *options, const char *text) {
    ((ModelsAddOptions *)options)->range = read_choice(text, range_choices);
    return MIN(((ModelsAddOptions *)options)->range, 0);
}

static int read_side(const char *text, int64_t *ret_side) {
    uint64_t side;

    if (str_to_u64(str_from(text), &side) < 0 || side < 1 || side > SIDE_MAX) {
        return -EINVAL;
    }
    *ret_side = (int64_t)side;
    return 0;
}

static int read_width(void *options, const char *text) {
    return read_side(text, &((ModelsAddOptions *)options)->width);
}

static int read_height(void *options, const char *text) {
    return read_side(text, &((ModelsAddOptions *)options)->height);
}

static int read_output(void *options, const char *text) {
    uint64_t output;

    if (str_to_u64(str_from(text), &output) < 0 || output > 64) {
        return -EINVAL;
    }
    ((ModelsAddOptions *)options)->output = (int64_t)output;
    return 0;
}

/* "128" for all three channels or "123.7,116.3,103.5". */
static int read_triple(const char *text, double ret_values[3]) {
    Str rest = str_from(text), word;
    int n = 0;

    while (str_next_token(&rest, ",", &word)) {
        if (n == 3 || str_to_double(str_trim(word), &ret_values[n]) < 0) {
            return -EINVAL;
        }
        n++;
    }
    if (n == 1) {
        ret_values[1] = ret_values[2] = ret_values[0];
    }
    return n == 1 || n == 3 ? 0 : -EINVAL;
}

static int read_mean(void *options, const char *text) {
    ((ModelsAddOptions *)options)->mean_given = true;
    return read_triple(text, ((ModelsAddOptions *)options)->mean);
}

static int read_scale(void *options, const char *text) {
    const double *scale = ((ModelsAddOptions *)options)->scale;

    ((ModelsAddOptions *)options)->scale_given = true;
    if (read_triple(text, ((ModelsAddOptions *)options)->scale) < 0 || scale[0] == 0 ||
        scale[1] == 0 || scale[2] == 0) {
        return -EINVAL;
    }
    return 0;
}

#define AT(member) offsetof(ModelsAddOptions, member)

const CliOption models_add_options[] = {
    {"manifest", 0, CLI_TEXT, AT(manifest), .value = "M.json",
     .help = "A manifest, as they lie beside installed models."},
    {"like", 0, CLI_READ, .read = read_like, .value = "FAMILY", .choices = family_choices,
     .expects = "u2net, u2netp, u2net_human_seg, silueta, isnet, isnet-anime, bria-rmbg or "
                "birefnet",
     .help = "Size, mean, scale and range as rembg has them for: u2net, u2netp, u2net_human_seg, "
             "silueta, isnet, isnet-anime, bria-rmbg, birefnet."},
    {"name", 0, CLI_TEXT, AT(name), .value = "NAME",
     .help = "The name to install it under. Default: the manifest's, else the file's."},
    {"licence", 0, CLI_TEXT, AT(licence), .value = "TEXT", .help = "The licence of the weights."},
    {"width", 0, CLI_READ, .read = read_width, .value = "N", .expects = "pixels, at most 4096",
     .help = "Width of the input in pixels."},
    {"height", 0, CLI_READ, .read = read_height, .value = "N", .expects = "pixels, at most 4096",
     .help = "Height of the input in pixels."},
    {"mean", 0, CLI_READ, .read = read_mean, .value = "R,G,B",
     .expects = "one number or three, of values 0..255",
     .help = "What is taken from each value 0..255: 123.7,116.3,103.5, or one number for all."},
    {"scale", 0, CLI_READ, .read = read_scale, .value = "R,G,B",
     .expects = "one number or three, none of them 0",
     .help = "What each value is then divided by."},
    {"range", 0, CLI_READ, .read = read_range, .value = "RANGE", .choices = range_choices,
     .expects = "unit, sigmoid or minmax",
     .help = "What the matte holds: unit (0..1), sigmoid (logits) or minmax (is stretched)."},
    {"output-index", 0, CLI_READ, .read = read_output, .value = "N", .expects = "a number up to 64",
     .help = "Which of the network's outputs is the matte. Default: 0, the first."},
    {0},
};

static json_t *json_triple(const double values[3]) {
    return json_pack("[f,f,f]", values[0], values[1], values[2]);
}

/* The member as an object, made when it is missing. */
static json_t *object_in(json_t *parent, const char *name) {
    json_t *object = json_object_get(parent, name);

    if (!json_is_object(object)) {
        object = json_object();
        json_object_set_new(parent, name, object);
    }
    return object;
}

static void set_default(json_t *object, const char *name, const char *value) {
    if (!json_is_string(json_object_get(object, name))) {
        json_object_set_new(object, name, json_string(value));
    }
}

static void apply_family(json_t *manifest, const Family *family) {
    json_t *input = object_in(manifest, "input"), *output = object_in(manifest, "output");

    json_object_set_new(input, "width", json_integer(family->side));
    json_object_set_new(input, "height", json_integer(family->side));
    json_object_set_new(input, "mean", json_triple(family->mean));
    json_object_set_new(input, "scale", json_triple(family->scale));
    json_object_set_new(output, "range", json_string(range_choices[family->range]));
}

static void apply_options(json_t *manifest, const ModelsAddOptions *options) {
    json_t *input = object_in(manifest, "input"), *output = object_in(manifest, "output");

    if (options->width > 0) {
        json_object_set_new(input, "width", json_integer(options->width));
    }
    if (options->height > 0) {
        json_object_set_new(input, "height", json_integer(options->height));
    }
    if (options->mean_given) {
        json_object_set_new(input, "mean", json_triple(options->mean));
    }
    if (options->scale_given) {
        json_object_set_new(input, "scale", json_triple(options->scale));
    }
    if (options->range >= 0) {
        json_object_set_new(output, "range", json_string(range_choices[options->range]));
    }
    if (options->output >= 0 || !json_object_get(output, "index")) {
        json_object_set_new(output, "index", json_integer(MAX(options->output, 0)));
    }
}

/* Puts together what is known of the model; its checksum comes later. NULL: said why. */
static json_t *make_manifest(const CliCall *call, const char *name) {
    const ModelsAddOptions *options = call->options;
    _cleanup_(json_decrefp) json_t *manifest = NULL;
    json_error_t error;

    if (options->manifest) {
        manifest = json_load_file(options->manifest, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(manifest)) {
            cli_no_start("%s is no manifest: %s", options->manifest,
                         manifest ? "not an object" : error.text);
            return NULL;
        }
    } else {
        manifest = json_object();
    }
    for (size_t i = 0; i < ARRAY_LEN(families) && options->like; i++) {
        if (strcmp(families[i].name, options->like) == 0) {
            apply_family(manifest, &families[i]);
        }
    }
    apply_options(manifest, options);
    json_object_set_new(manifest, "name", json_string(name));
    json_object_set_new(manifest, "file", json_string(MODEL_FILE));
    set_default(manifest, "title", name);
    if (options->licence) {
        json_object_set_new(manifest, "licence", json_string(options->licence));
    }
    set_default(manifest, "licence", "unknown");
    set_default(manifest, "precision", "as-is");
    return TAKE_PTR(manifest);
}

/* The file's name without folder and extension. */
static const char *stem(const char *path, Arena *arena) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return arena_strdup(arena,
                        (Str){name, dot && dot != name ? (size_t)(dot - name) : strlen(name)});
}

static const char *choose_name(const CliCall *call) {
    const ModelsAddOptions *options = call->options;
    _cleanup_(json_decrefp) json_t *manifest = NULL;
    const char *name = NULL;

    if (options->name) {
        return options->name;
    }
    if (options->manifest) {
        manifest = json_load_file(options->manifest, 0, NULL);
        name = json_string_value(json_object_get(manifest, "name"));
    }
    return name ? arena_strdup(call->arena, str_from(name)) : stem(call->arguments[0], call->arena);
}

/* Copies, and gives the SHA-256 of what was written in hex. */
static int copy_hashed(int from, int to, char ret_hex[65]) {
    char chunk[CHUNK];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char hash[EVP_MAX_MD_SIZE];
    ssize_t n = -1;
    int r = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;

    while (r == 0 && (n = read(from, chunk, CHUNK)) > 0) {
        EVP_DigestUpdate(context, chunk, (size_t)n);
        r = fd_write_all(to, chunk, (size_t)n);
    }
    if (r == 0 && n < 0) {
        r = err_errno();
    }
    if (r == 0 && EVP_DigestFinal_ex(context, hash, NULL) != 1) {
        r = -EIO;
    }
    EVP_MD_CTX_free(context);
    for (int i = 0; i < 32 && r == 0; i++) {
        snprintf(ret_hex + (size_t)i * 2, 3, "%02x", hash[i]);
    }
    return r;
}

static int fill_folder(const char *folder, const char *source, json_t *manifest, Arena *arena) {
    _cleanup_(fd_closep) int from = open(source, O_RDONLY | O_CLOEXEC);
    _cleanup_(fd_closep) int to = -1;
    const char *path = arena_printf(arena, "%s/manifest.json", folder);
    char hex[65];
    int r;

    if (from < 0) {
        return err_errno();
    }
    to = open(arena_printf(arena, "%s/" MODEL_FILE, folder),
              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (to < 0) {
        return err_errno();
    }
    r = copy_hashed(from, to, hex);
    if (r < 0) {
        return r;
    }
    json_object_set_new(manifest, "sha256", json_pack("{s:s}", MODEL_FILE, hex));
    return json_dump_file(manifest, path, JSON_INDENT(1)) < 0 ? -EIO : 0;
}

static void discard(const char *staging, const char *folder, Arena *arena) {
    unlink(arena_printf(arena, "%s/" MODEL_FILE, folder));
    unlink(arena_printf(arena, "%s/manifest.json", folder));
    rmdir(folder);
    rmdir(staging);
}

/* Everything that may go wrong before the model has its name. Returns an ExitStatus. */
static int prepare(const CliCall *call, const char *staging, const char *name, json_t *manifest) {
    const char *folder = arena_printf(call->arena, "%s/%s", staging, name);
    const char *where = "";
    ModelManifest read_back;
    double ms = 0;
    int r = file_make_folders(folder);

    if (r == 0) {
        r = fill_folder(folder, call->arguments[0], manifest, call->arena);
    }
    if (r < 0) {
        return cli_no_start("cannot copy %s into %s: %s", call->arguments[0],
                            call->settings->models_dir, strerror(-r));
    }
    if (model_manifest_load(staging, name, call->arena, &read_back, &where) < 0) {
        return cli_no_start("not enough is known of the model (%s); give --like, --manifest, or "
                            "--width --height --mean --scale --range",
                            where);
    }
    r = model_try(call->settings, staging, name, call->arena, &ms, &where);
    if (r == -EINTR) {
        return EXIT_INTERRUPTED;
    }
    if (r < 0) {
        return cli_no_start("%s does not run as a model, so it is not installed: %s",
                            call->arguments[0], where);
    }
    printf("%s runs; one picture took %.0f ms\n", name, ms);
    return EXIT_OK;
}

int models_add_command(const CliCall *call) {
    _cleanup_(json_decrefp) json_t *manifest = NULL;
    const char *name = choose_name(call), *staging, *folder, *target;
    struct stat status;
    int result;

    if (!model_name_valid(name)) {
        return cli_usage(call->command,
                         "'%s' cannot be a model's name: letters, digits, '.', '_' "
                         "and '-', at most %d; give --name",
                         name, MODEL_NAME_MAX);
    }
    target = arena_printf(call->arena, "%s/%s", call->settings->models_dir, name);
    if (lstat(target, &status) == 0) {
        return cli_no_start("there is a model '%s' already; remove it first, or give --name", name);
    }
    manifest = make_manifest(call, name);
    if (!manifest) {
        return EXIT_NO_START;
    }
    model_try_block_signals();
    staging =
        arena_printf(call->arena, "%s/.adding-%ld", call->settings->models_dir, (long)getpid());
    folder = arena_printf(call->arena, "%s/%s", staging, name);
    result = prepare(call, staging, name, manifest);
    if (result == EXIT_OK && renameat2(AT_FDCWD, folder, AT_FDCWD, target, RENAME_NOREPLACE) < 0) {
        result = cli_no_start("cannot install %s: %s", name, strerror(errno));
    }
    discard(staging, folder, call->arena);
    if (result == EXIT_OK) {
        printf("installed %s in %s\n", name, call->settings->models_dir);
    }
    return result;
}
