/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "imaging/render.h"

#include <gmodule.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>
#include <vips/vips.h>

#include <vips/vector.h>

/* Where no module lies: libvips must not load ImageMagick, Poppler and the like by itself. */
#define NO_MODULES "/nonexistent"

static const char *const accepted_loaders[] = {
    "VipsForeignLoadJpegBuffer",  "VipsForeignLoadPngBuffer",  "VipsForeignLoadWebpBuffer",
    "VipsForeignLoadNsgifBuffer", "VipsForeignLoadTiffBuffer", "VipsForeignLoadHeifBuffer",
};

/* The one module that is wanted; without it HEIC and AVIF are unsupported, the rest works. */
static void load_heif_module(void) {
    g_autofree char *path = g_strdup_printf("%s/vips-heif.so", IMAGESYNC_VIPS_MODULES);
    GModule *module = g_module_open(path, G_MODULE_BIND_LOCAL);

    if (module) {
        g_module_make_resident(module);
    }
}

/* Warnings about the pictures of strangers; errors come back as return values. */
static void drop_log(const char *domain, GLogLevelFlags level, const char *message, void *data) {
    (void)domain;
    (void)level;
    (void)message;
    (void)data;
}

static int start_vips(void) {
    g_autofree char *home = g_strdup(g_getenv("VIPSHOME"));
    int r;

    g_setenv("VIPSHOME", NO_MODULES, true);
    g_log_set_handler("VIPS", G_LOG_LEVEL_MASK, drop_log, NULL);
    r = vips_init("imagesync");
    if (home) {
        g_setenv("VIPSHOME", home, true);
    } else {
        g_unsetenv("VIPSHOME");
    }
    return r ? -EIO : 0;
}

/* Print colours and back: builds the profiles that libvips carries, and starts the engine. */
static void warm_up_colours(VipsImage *srgb) {
    VipsImage *cmyk = NULL, *back = NULL;
    double average;

    if (vips_icc_transform(srgb, &cmyk, "cmyk", "input_profile", "srgb", NULL) == 0 &&
        vips_icc_transform(cmyk, &back, "srgb", "input_profile", "cmyk", NULL) == 0) {
        vips_avg(back, &average, NULL);
    }
    g_clear_object(&back);
    g_clear_object(&cmyk);
}

/* Encodes and decodes a tiny picture each way, so that codecs load now what they load lazily. */
static void warm_up(void) {
    static const char *const suffixes[] = {".png", ".jpg", ".webp", ".avif[effort=0]"};
    VipsImage *black = NULL, *srgb = NULL;

    if (vips_black(&black, 16, 16, "bands", 3, NULL) == 0 &&
        vips_copy(black, &srgb, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) == 0) {
        for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
            g_autofree void *bytes = NULL;
            size_t len = 0;
            VipsImage *back = NULL;
            if (vips_image_write_to_buffer(srgb, suffixes[i], &bytes, &len, NULL) == 0 &&
                (back = vips_image_new_from_buffer(bytes, len, "", NULL)) != NULL) {
                double average;
                vips_avg(back, &average, NULL);
            }
            g_clear_object(&back);
        }
        warm_up_colours(srgb);
    }
    g_clear_object(&srgb);
    g_clear_object(&black);
    vips_error_clear();
}

int imaging_start(unsigned threads) {
    int r;

    mallopt(M_ARENA_MAX, 2); /* one heap a thread would keep what each has freed */
    r = start_vips();

    if (r < 0) {
        return err_trace(r);
    }
    /* liborc would compile code for resizing when first needed, which the sandbox forbids. */
    vips_vector_set_enabled(FALSE);
    load_heif_module();
    tzset(); /* gmtime(), which the colour engine calls, reads the time zone the first time */
    vips_concurrency_set((int)MAX(threads, 1U));
    vips_cache_set_max(0);
    vips_leak_set(FALSE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (size_t i = 0; i < ARRAY_LEN(accepted_loaders); i++) {
        vips_operation_block_set(accepted_loaders[i], FALSE);
    }
    warm_up();
    return 0;
}
