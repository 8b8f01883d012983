/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The renderer: looks at pictures and renders recipes, somewhere that untrusted bytes can do no
 * harm. Everything is asynchronous: a job is submitted, waits for its turn and for memory, and ends
 * with exactly one call of its `done`, on a thread of the renderer.
 */

#include "core/model/film_info.h"
#include "core/model/image_info.h"
#include "core/model/photo_hash.h"
#include "core/model/photo_info.h"
#include "core/model/raw_info.h"
#include "core/model/recipe.h"

/* What a pixel takes while it is rendered, in bytes: two or three copies of it. */
#define RENDER_MEMORY_PER_PIXEL 12ULL

/*
 * At most what rendering this recipe of that picture takes at its peak, in bytes: the picture's own
 * estimate, and what margins around it and the encoders of WebP and AVIF add to it.
 */
uint64_t render_memory(const Recipe *recipe, const ImageInfo *info);

/* What a library keeps of a photo beside the original: two renditions, never scaled up. */
typedef struct RenderIngest {
    uint32_t
        mezzanine_max; /* pixels on the longer side, 1...RENDER_INGEST_SIDE_MAX; the mezzanine */
    uint32_t thumbnail_max; /* may have down to 15/16 of it, where that saves much work */
    uint32_t orientation;   /* how the pixels must be turned, 1...8 as in EXIF, whatever the picture
                               says, as of a raw file's preview; 0: as it says itself */
} RenderIngest;
#define RENDER_INGEST_SIDE_MAX 4096
#define RENDER_INGEST_DEFAULT  ((RenderIngest){.mezzanine_max = 2048, .thumbnail_max = 512})

/* The same as render_memory() of RENDER_INGEST. */
uint64_t render_ingest_memory(const RenderIngest *ingest, const ImageInfo *info);

/* What became of a job. */
typedef enum RenderStatus {
    RENDER_OK,
    RENDER_UNSUPPORTED,           /* the bytes are of no format that is accepted */
    RENDER_UNREADABLE,            /* of an accepted format, but broken */
    RENDER_TOO_LARGE,             /* more pixels, frames or memory than is allowed */
    RENDER_BACKGROUND_UNREADABLE, /* the background picture is one of the three above */
    RENDER_NO_FOREGROUND,         /* no subject was found */
    RENDER_ROI_EXCEEDS_BOUNDS,    /* the recipe's region does not lie in the picture */
    RENDER_ROI_EMPTY,             /* the recipe's region has no pixel */
    RENDER_UNKNOWN_MODEL,         /* no model of that name is installed, or none at all */
    RENDER_BUSY,                  /* the queue is full; come back after retry_after_s */
    RENDER_TIMEOUT,               /* it took longer than a job may */
    RENDER_CRASHED,               /* its worker died, and again when it was tried once more */
    RENDER_CANCELLED,             /* by renderer_cancel() or at shutdown */
    RENDER_FAULT,                 /* our own mistake or the machine's; the log says more */
    _RENDER_STATUS_MAX,
} RenderStatus;

/* "ok", "unsupported", ...; for messages between processes, logs and metrics. */
extern const char *const render_status_names[];

/* A range of bytes in a sealed memory file (fd_memory_seal()); the fd is borrowed until `done`. */
typedef struct RenderSource {
    int fd;
    uint64_t offset, len;
} RenderSource;

typedef enum RenderOp {
    RENDER_PROBE,  /* only read the header: fills `info` */
    RENDER_RENDER, /* the whole recipe */
    /*
     * Only what a library needs, in one decode: fills `info`, `photo`, `hash`, `mezzanine` and
     * `thumbnail`. Needs no model; the recipe, the model and the background count for nothing.
     */
    RENDER_INGEST,
    /*
     * Only what a film or a raw file says of itself: fills `photo`, and of a film `film`, of which
     * the "moov" box alone will do; of a raw file `raw`, whose preview lies within the input. No
     * picture is made, and neither a model nor an estimate of memory is needed.
     */
    RENDER_METADATA,
} RenderOp;

typedef struct RenderJob {
    RenderOp op;
    RenderSource input;
    RenderSource background; /* fd < 0: none */
    Recipe recipe;
    RenderIngest ingest;    /* RENDER_INGEST */
    const char *model;      /* NULL: the default model. Copied. */
    const char *request_id; /* for the log. Copied. */
    int priority;           /* higher first; equal ones in order of arrival */
    uint64_t memory;        /* render_memory() or render_ingest_memory() of a probe; 0: the
                               renderer probes by itself. The background's, which it probes
                               itself, comes on top. */
} RenderJob;

/* Milliseconds spent in each step; zero where a step was not needed. */
typedef struct RenderTimings {
    double queue, decode, inference, refine, compose, encode, total;
} RenderTimings;

/* A rendition of an ingest: upright, sRGB, JPEG or (when it is not opaque) WebP, no metadata. */
typedef struct RenderFile {
    int fd; /* sealed memory file, -1 when there is none; take it with TAKE_FD() */
    uint64_t len;
    OutputFormat format;
    uint32_t width, height;
} RenderFile;
#define RENDER_FILE_NONE ((RenderFile){.fd = -1})

typedef struct RenderResult {
    RenderStatus status;
    const char *detail;     /* a sentence for the person who sent the picture; may be "" */
    uint32_t retry_after_s; /* RENDER_BUSY */
    ImageInfo info;         /* all operations, when it got that far */
    int output_fd;          /* sealed memory file, -1 when there is none; take it with TAKE_FD() */
    uint64_t output_len;
    OutputFormat format;                /* what was written; never auto */
    uint32_t width, height;             /* of the result */
    Rect foreground;                    /* the subject's box in the (size-limited) input */
    uint32_t input_width, input_height; /* the size-limited input that `foreground` refers to */
    RecipeSubject subject;              /* what it seems to be */
    double uncertainty;                 /* 0 sure ... 1 unsure */
    bool matte_kept; /* the same pixels were shown to the model before; nothing was inferred */
    PhotoInfo photo; /* RENDER_INGEST, as the next three; RENDER_METADATA */
    uint64_t hash;   /* core/model/photo_hash.h */
    RenderFile mezzanine, thumbnail;
    FilmInfo film; /* RENDER_METADATA, as the next */
    RawInfo raw;
    RenderTimings timings;
} RenderResult;

/* `result` and what it points to live only during the call. Must not block. */
typedef void RenderDone(const RenderResult *result, void *userdata);
/*
 * (const, but output_fd may be taken through `TAKE_FD(((RenderResult *)result)->output_fd)`, and so
 * may mezzanine.fd and thumbnail.fd.)
 */

typedef struct Renderer Renderer;
typedef struct RendererStats {
    uint32_t queued, running, workers_alive;
    uint64_t memory_admitted, memory_max;
    uint64_t worker_restarts, inference_restarts;
    bool ready; /* the model is loaded, where there is one, and a worker is up */
} RendererStats;

struct Renderer {
    const struct RendererImpl *impl;
};

typedef struct RendererImpl {
    int (*submit)(Renderer *self, const RenderJob *job, RenderDone *done, void *userdata,
                  uint64_t *ret_ticket);
    void (*cancel)(Renderer *self, uint64_t ticket);
    void (*stats)(Renderer *self, RendererStats *ret_stats);
    void (*drain)(Renderer *self, uint32_t timeout_ms);
    Renderer *(*free)(Renderer *self);
} RendererImpl;

/*
 * Hands a job over. `done` is called once, perhaps before this returns. A negative return means
 * that nothing was handed over and `done` will not be called. Thread-safe.
 */
static inline int renderer_submit(Renderer *self, const RenderJob *job, RenderDone *done,
                                  void *userdata, uint64_t *ret_ticket) {
    return self->impl->submit(self, job, done, userdata, ret_ticket);
}

/* Ends a job early with RENDER_CANCELLED, running or not. Unknown or ended tickets are ignored. */
static inline void renderer_cancel(Renderer *self, uint64_t ticket) {
    self->impl->cancel(self, ticket);
}

static inline void renderer_stats(Renderer *self, RendererStats *ret_stats) {
    self->impl->stats(self, ret_stats);
}

/* Takes no more jobs (RENDER_BUSY), waits for the running ones, then cancels what is left. */
static inline void renderer_drain(Renderer *self, uint32_t timeout_ms) {
    self->impl->drain(self, timeout_ms);
}

/* Cancels everything and ends its processes. Accepts NULL. */
static inline Renderer *renderer_free(Renderer *self) {
    return self ? self->impl->free(self) : NULL;
}
DEFINE_CLEANUP(Renderer *, renderer_free)
