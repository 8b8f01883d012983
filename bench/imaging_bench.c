/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Renders one file with a made-up or a given matte and prints the milliseconds of each step:
 *   imaging_bench IN OUT [matte.f32 [recipe.json [repeat [threads]]]]
 * The matte is width x height floats of the model (1024 x 1024), or "-" for a soft ellipse.
 *
 * Or takes a photo into a library, and writes OUT.mezzanine and OUT.thumbnail:
 *   imaging_bench ingest IN OUT [repeat [threads]]
 */
#include "base/error.h"
#include "base/fd.h"
#include "imaging/ingest.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MODEL_SIDE 1024
#define FILE_MAX   (256UL << 20)

static int read_file(const char *path, Buf *buf) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? err_errno() : fd_read_to_end(fd, FILE_MAX, buf);

    fd_close(fd);
    return r;
}

static int make_ellipse(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                        uint32_t height) {
    (void)userdata;
    (void)rgb;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            float u = ((float)x + 0.5f) / (float)width - 0.5f;
            float v = ((float)y + 0.5f) / (float)height - 0.5f;
            float edge = (0.36f - sqrtf(u * u + v * v)) * 100;
            matte[(size_t)y * width + x] = CLAMP(edge, 0.0f, 1.0f);
        }
    }
    return 0;
}

static int copy_matte(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                      uint32_t height) {
    const Buf *file = userdata;
    const char *dump = getenv("IMAGING_BENCH_MODEL_RGB");

    if (dump) {
        int fd = open(dump, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        int r = fd < 0 ? err_errno() : fd_write_all(fd, rgb, (size_t)width * height * 3);
        fd_close(fd);
        if (r < 0) {
            return r;
        }
    }
    if (file->len != (size_t)width * height * sizeof(float)) {
        return -EINVAL;
    }
    memcpy(matte, file->data, file->len);
    return 0;
}

static void print_output(const RenderOutput *output, double cpu_ms) {
    const RenderTimings *t = &output->timings;
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf(
        "%ux%u %s %zu B box %u,%u %ux%u unsure %.3f | decode %.1f refine %.1f compose %.1f "
        "encode %.1f total %.1f ms, of all processors %.0f ms | peak %ld MB, estimated %llu MB\n",
        output->width, output->height, output_format_names[output->format], output->len,
        output->foreground.left, output->foreground.top, output->foreground.width,
        output->foreground.height, output->uncertainty, t->decode, t->refine, t->compose, t->encode,
        t->total - t->inference, cpu_ms, usage.ru_maxrss >> 10,
        (unsigned long long)(output->info.memory >> 20));
}

static int write_file(const char *path, const void *bytes, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int r = fd < 0 ? err_errno() : fd_write_all(fd, bytes, len);

    fd_close(fd);
    return r;
}

static int read_recipe(const char *text, Arena *arena, Recipe *recipe) {
    json_t *json = json_loads(text, 0, NULL);
    const char *where = "";
    int r = json ? recipe_from_json(json, arena, recipe, &where) : -EINVAL;

    if (r < 0) {
        fprintf(stderr, "the recipe is wrong: %s\n", where);
    }
    json_decref(json);
    return r;
}

static int write_rendition(const char *out, const char *name, const IngestFile *file) {
    _cleanup_(buf_done) Buf path = BUF_INIT;

    buf_addf(&path, "%s.%s", out, name);
    return write_file(buf_cstr(&path), file->encoded.bytes, file->encoded.len);
}

static int ingest_once(Str bytes, const char *out, const ImagingLimits *limits) {
    IngestInput input = {bytes, limits, RENDER_INGEST_DEFAULT};
    _cleanup_(ingest_output_done) IngestOutput output = {0};
    clock_t cpu = clock();
    struct rusage usage;
    const char *detail;
    int r = ingest_photo(&input, &output, &detail);

    if (r != 0) {
        fprintf(stderr, "%s: %s\n", r > 0 ? render_status_names[r] : "fault", detail);
        return -EINVAL;
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("ingest of %ux%u: %ux%u %s %zu B, %ux%u %zu B, hash %016llx, taken %s by %s | decode "
           "%.1f encode %.1f total %.1f ms, of all processors %.0f ms | peak %ld MB, estimated "
           "%llu MB\n",
           output.info.width, output.info.height, output.mezzanine.width, output.mezzanine.height,
           output_format_names[output.mezzanine.format], output.mezzanine.encoded.len,
           output.thumbnail.width, output.thumbnail.height, output.thumbnail.encoded.len,
           (unsigned long long)output.hash, output.photo.taken, output.photo.model,
           output.timings.decode, output.timings.encode, output.timings.total,
           (double)(clock() - cpu) * 1000 / CLOCKS_PER_SEC, usage.ru_maxrss >> 10,
           (unsigned long long)(render_ingest_memory(&input.sides, &output.info) >> 20));
    r = write_rendition(out, "mezzanine", &output.mezzanine);
    return r < 0 ? r : write_rendition(out, "thumbnail", &output.thumbnail);
}

static int run_ingest(int argc, char **argv) {
    static const ImagingLimits limits = {100000000, 20000, 1000};
    int repeat = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 1;
    _cleanup_(buf_done) Buf file = BUF_INIT;
    int r = argc < 4 ? -EINVAL : read_file(argv[2], &file);

    if (r == 0) {
        r = imaging_start(argc > 5 ? (unsigned)strtol(argv[5], NULL, 10) : 2);
    }
    for (int i = 0; r == 0 && i < repeat; i++) {
        r = ingest_once(buf_str(&file), argv[3], &limits);
    }
    return r < 0;
}

int main(int argc, char **argv) {
    Buf file = BUF_INIT, matte = BUF_INIT, background = BUF_INIT;
    Arena *arena = arena_new();
    Recipe recipe = RECIPE_INIT;
    ImagingLimits limits = {100000000, 20000, 1000};
    RenderInput input = {.recipe = &recipe,
                         .limits = &limits,
                         .model_width = MODEL_SIDE,
                         .model_height = MODEL_SIDE,
                         .find_matte = make_ellipse};
    int repeat = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 1;
    const char *backdrop = getenv("IMAGING_BENCH_BACKGROUND");

    if (argc > 1 && strcmp(argv[1], "ingest") == 0) {
        return run_ingest(argc, argv);
    }
    if (argc < 3 || read_file(argv[1], &file) < 0 ||
        (argc > 3 && strcmp(argv[3], "-") != 0 && read_file(argv[3], &matte) < 0) ||
        (argc > 4 && read_recipe(argv[4], arena, &recipe) < 0) ||
        (backdrop && read_file(backdrop, &background) < 0)) {
        fprintf(stderr, "usage: imaging_bench IN OUT [MATTE|- [RECIPE [REPEAT [THREADS]]]]\n"
                        "       imaging_bench ingest IN OUT [REPEAT [THREADS]]\n");
        return 2;
    }
    input.bytes = buf_str(&file);
    input.background = buf_str(&background);
    input.model_rgb = malloc((size_t)MODEL_SIDE * MODEL_SIDE * 3);
    input.model_matte = malloc(sizeof(float) * MODEL_SIDE * MODEL_SIDE);
    if (matte.len > 0) {
        input.find_matte = copy_matte;
        input.find_matte_userdata = &matte;
    }
    if (imaging_start(argc > 6 ? (unsigned)strtol(argv[6], NULL, 10) : 2) < 0) {
        return 1;
    }
    for (int i = 0; i < repeat; i++) {
        RenderOutput output;
        const char *detail = "";
        clock_t cpu = clock();
        int r;

        getppid(); /* marks, in strace, where a render begins and ends */
        r = render_recipe(&input, &output, &detail);
        getppid();
        if (r != 0) {
            fprintf(stderr, "%s: %s\n", r > 0 ? render_status_names[r] : "fault", detail);
            return 1;
        }
        print_output(&output, (double)(clock() - cpu) * 1000 / CLOCKS_PER_SEC);
        r = write_file(argv[2], output.bytes, output.len);
        render_output_done(&output);
        if (r < 0) {
            return 1;
        }
    }
    buf_done(&file);
    buf_done(&matte);
    buf_done(&background);
    arena_free(arena);
    free(input.model_rgb);
    free(input.model_matte);
    return 0;
}
