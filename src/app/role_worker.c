/* SPDX-License-Identifier: Apache-2.0 */
#include "app/child.h"
#include "app/role_modules.h"
#include "app/sandbox.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "imaging/ingest.h"
#include "imaging/metadata.h"

#include <sys/mman.h>
#include <unistd.h>

#define OUTPUT_MAX ((uint64_t)1 << 30)

/* The memory shared with the inference process, mapped while a job lasts. */
typedef struct Tensor {
    void *base;
    TensorLayout layout;
} Tensor;

static void tensor_done(Tensor *tensor) {
    if (tensor->base) {
        munmap(tensor->base, tensor->layout.size);
    }
}

static int tensor_map(int fd, uint32_t width, uint32_t height, Tensor *ret_tensor) {
    Tensor tensor = {.layout = tensor_layout(width, height)};
    off_t size = lseek(fd, 0, SEEK_END);

    if (size < 0 || (uint64_t)size != tensor.layout.size) {
        return err_trace(-EBADMSG);
    }
    tensor.base =
        mmap(NULL, tensor.layout.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (tensor.base == MAP_FAILED) {
        return err_trace(err_errno());
    }
    *ret_tensor = tensor;
    return 0;
}

/* MatteFn: the pixels already lie in shared memory; the pool has them looked at. */
static int find_matte(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                      uint32_t height) {
    const uint64_t *id = userdata;
    _cleanup_(child_packet_done) ChildPacket answer = CHILD_PACKET_INIT;
    int r = child_send(&(ChildMessage){.op = CHILD_MATTE, .id = *id}, NULL, 0);

    (void)rgb;
    (void)matte;
    (void)width;
    (void)height;
    if (r < 0) {
        return r;
    }
    r = child_recv(&answer);
    if (r != 0) {
        return r < 0 ? r : -EPIPE;
    }
    if (answer.message.op != CHILD_MATTE || answer.message.id != *id) {
        return err_trace(-EBADMSG);
    }
    return answer.message.status == RENDER_OK ? 0 : -EIO;
}

static int refuse(uint64_t id, int status, const char *detail) {
    return child_send(
        &(ChildMessage){.op = CHILD_REFUSED, .id = id, .status = status, .detail = detail}, NULL,
        0);
}

/* A fault is told like a refusal: the worker itself is fine. It ran into its own memory's limit. */
static int refuse_render(uint64_t id, int r, const char *detail) {
    if (r == -ENOMEM) {
        return refuse(id, RENDER_TOO_LARGE, "The picture needs more memory than is allowed.");
    }
    return r < 0 ? refuse(id, RENDER_FAULT, NULL) : refuse(id, r, detail);
}

static int send_done(const ChildMessage *job, const RenderOutput *output, int fd) {
    ChildMessage message = {.op = CHILD_DONE,
                            .id = job->id,
                            .info = output->info,
                            .output_len = output->len,
                            .format = (int)output->format,
                            .subject = (int)output->subject,
                            .width = output->width,
                            .height = output->height,
                            .foreground = output->foreground,
                            .input_width = output->input_width,
                            .input_height = output->input_height,
                            .uncertainty = output->uncertainty,
                            .timings = output->timings};
    /* Written, never mapped: a mapping would keep the pool from sealing it. */
    int r = fd_write_all(fd, output->bytes, output->len);

    return r < 0 ? err_trace(r) : child_send(&message, NULL, 0);
}

static int handle_render(const ChildPacket *packet) {
    const ChildMessage *job = &packet->message;
    const ImagingLimits limits = {job->pixels_max, job->side_max, job->pages_max};
    _cleanup_(map_done) Map input = MAP_INIT, background = MAP_INIT;
    _cleanup_(tensor_done) Tensor tensor = {0};
    RenderOutput output = {0};
    const char *detail = NULL;
    uint64_t id = job->id;
    int r;

    if (packet->packet.n_fds != (job->has_background ? 4u : 3u)) {
        return err_trace(-EBADMSG);
    }
    if ((r = map_range(packet->packet.fds[0], job->input_offset, job->input_len, &input)) < 0 ||
        (r = tensor_map(packet->packet.fds[1], job->model_width, job->model_height, &tensor)) < 0) {
        return refuse_render(id, r, NULL);
    }
    if (job->has_background && (r = map_range(packet->packet.fds[3], job->background_offset,
                                              job->background_len, &background)) < 0) {
        return refuse_render(id, r, NULL);
    }
    r = render_recipe(&(RenderInput){.bytes = {input.data, input.len},
                                     .background = {background.data, background.len},
                                     .recipe = &job->recipe,
                                     .limits = &limits,
                                     .model_width = job->model_width,
                                     .model_height = job->model_height,
                                     .model_rgb = tensor.base,
                                     .model_matte = (float *)(void *)((char *)tensor.base +
                                                                      tensor.layout.matte_offset),
                                     .find_matte = find_matte,
                                     .find_matte_userdata = &id},
                      &output, &detail);
    if (r != 0) {
        return refuse_render(id, r, detail);
    }
    r = send_done(job, &output, packet->packet.fds[2]);
    render_output_done(&output);
    return r;
}

static ChildFile describe(const IngestFile *file) {
    return (ChildFile){file->encoded.len, (int)file->format, file->width, file->height};
}

static int send_ingested(const ChildMessage *job, const IngestOutput *output, const int *fds) {
    const Encoded *mezzanine = &output->mezzanine.encoded, *thumbnail = &output->thumbnail.encoded;
    int r;

    if ((r = fd_write_all(fds[0], mezzanine->bytes, mezzanine->len)) < 0 ||
        (r = fd_write_all(fds[1], thumbnail->bytes, thumbnail->len)) < 0) {
        return err_trace(r);
    }
    return child_send(&(ChildMessage){.op = CHILD_INGESTED,
                                      .id = job->id,
                                      .info = output->info,
                                      .photo = output->photo,
                                      .hash_high = (uint32_t)(output->hash >> 32),
                                      .hash_low = (uint32_t)output->hash,
                                      .mezzanine = describe(&output->mezzanine),
                                      .thumbnail = describe(&output->thumbnail),
                                      .timings = output->timings},
                      NULL, 0);
}

static int handle_ingest(const ChildPacket *packet) {
    const ChildMessage *job = &packet->message;
    const ImagingLimits limits = {job->pixels_max, job->side_max, job->pages_max};
    _cleanup_(map_done) Map input = MAP_INIT;
    _cleanup_(ingest_output_done) IngestOutput output = {0};
    const char *detail = NULL;
    int r;

    if (packet->packet.n_fds != 3) {
        return err_trace(-EBADMSG);
    }
    r = map_range(packet->packet.fds[0], job->input_offset, job->input_len, &input);
    if (r == 0) {
        r = ingest_photo(&(IngestInput){.bytes = {input.data, input.len},
                                        .limits = &limits,
                                        .sides = job->ingest},
                         &output, &detail);
    }
    return r != 0 ? refuse_render(job->id, r, detail)
                  : send_ingested(job, &output, packet->packet.fds + 1);
}

static int handle_metadata(const ChildPacket *packet) {
    const ChildMessage *job = &packet->message;
    _cleanup_(map_done) Map input = MAP_INIT;
    Metadata metadata;
    const char *detail = NULL;
    int r;

    if (packet->packet.n_fds != 1) {
        return err_trace(-EBADMSG);
    }
    r = map_range(packet->packet.fds[0], job->input_offset, job->input_len, &input);
    if (r == 0) {
        r = metadata_read((Str){input.data, input.len}, &metadata, &detail);
    }
    return r != 0 ? refuse_render(job->id, r, detail)
                  : child_send(&(ChildMessage){.op = CHILD_DESCRIBED,
                                               .id = job->id,
                                               .photo = metadata.photo,
                                               .film = metadata.film,
                                               .raw = metadata.raw},
                               NULL, 0);
}

static int handle_probe(const ChildPacket *packet) {
    const ChildMessage *job = &packet->message;
    const ImagingLimits limits = {job->pixels_max, job->side_max, job->pages_max};
    _cleanup_(map_done) Map input = MAP_INIT;
    ChildMessage answer = {.op = CHILD_PROBED, .id = job->id};
    const char *detail = NULL;
    int r;

    if (packet->packet.n_fds != 1) {
        return err_trace(-EBADMSG);
    }
    r = map_range(packet->packet.fds[0], job->input_offset, job->input_len, &input);
    if (r == 0) {
        r = image_probe((Str){input.data, input.len}, &limits, &answer.info, &detail);
    }
    return r != 0 ? refuse_render(job->id, r, detail) : child_send(&answer, NULL, 0);
}

static int serve(void) {
    for (;;) {
        _cleanup_(child_packet_done) ChildPacket packet = CHILD_PACKET_INIT;
        int r = child_recv(&packet);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
        switch (packet.message.op) {
        case CHILD_PROBE:
            r = handle_probe(&packet);
            break;
        case CHILD_RENDER:
            r = handle_render(&packet);
            break;
        case CHILD_INGEST:
            r = handle_ingest(&packet);
            break;
        case CHILD_METADATA:
            r = handle_metadata(&packet);
            break;
        default:
            r = -EBADMSG;
            break;
        }
        if (r < 0) {
            return err_trace(r);
        }
    }
}

static int start(void) {
    _cleanup_(child_packet_done) ChildPacket packet = CHILD_PACKET_INIT;
    int r = child_begin("worker", &packet);

    if (r < 0) {
        return r;
    }
    /* The sandbox lets no memory become code, so libvips must not generate any. */
    if (setenv("VIPS_NOVECTOR", "1", 1) < 0) {
        return err_trace(err_errno());
    }
    r = imaging_start(packet.message.threads);
    if (r < 0) {
        return err_trace(r);
    }
    r = sandbox_enter_worker(&(SandboxLimits){
        .socket = CHILD_SOCKET, .memory_max = packet.message.memory_max, .file_max = OUTPUT_MAX});
    if (r < 0) {
        return err_trace(r);
    }
    return child_send(&(ChildMessage){.op = CHILD_READY}, NULL, 0);
}

int role_module_main(int argc, char **argv) {
    int r;

    (void)argc;
    (void)argv;
    r = start();
    if (r == 0) {
        r = serve();
    }
    if (r < 0) {
        log_error("worker ended", LOG_STR("error", strerrordesc_np(-r)));
    }
    /* Library destructors have nothing to save, and the sandbox would stop them. */
    _exit(r < 0 ? 1 : 0);
}
