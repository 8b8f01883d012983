/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The renderer's RENDER_INGEST and RENDER_METADATA, waited for: what is known of a file, and a
 * picture's renditions. */

#include "core/ports/renderer.h"

#define RENDER_DETAIL_SIZE 200

/* What came of it. Its files are the caller's: rendering_done(). */
typedef struct Rendering {
    RenderStatus status;
    char detail[RENDER_DETAIL_SIZE];
    uint32_t retry_after_s; /* of RENDER_BUSY */
    ImageInfo info;
    FilmInfo film; /* of RENDER_METADATA, as the next */
    RawInfo raw;
    PhotoInfo photo;
    uint64_t hash;
    RenderFile mezzanine, thumbnail;
} Rendering;
#define RENDERING_NONE ((Rendering){.mezzanine = RENDER_FILE_NONE, .thumbnail = RENDER_FILE_NONE})
void rendering_done(Rendering *rendering);

/* One job under way, that another thread may end early. */
typedef struct Renders Renders;
Renders *renders_new(Renderer *renderer);
Renders *renders_free(Renders *renders); /* accepts NULL */

/* Called now and then while it is waited, every RENDERS_TICK_S. */
#define RENDERS_TICK_S 20
typedef void RendersTick(void *userdata);

/* `orientation`: as in RenderIngest. 0 whatever came of it, or a fault. */
int renders_run(Renders *renders, RenderOp op, const RenderSource *input, uint32_t orientation,
                RendersTick *tick, void *userdata, Rendering *ret_rendering);
/* That job, and all that come, end with RENDER_CANCELLED. */
void renders_stop(Renders *renders);
