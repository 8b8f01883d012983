/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/rabbitmq/link.h"

#include "adapters/queue/rabbitmq/rabbitmq.h"
#include "base/error.h"
#include "base/log.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#define CHANNEL_PUBLISH 1
#define CHANNEL_CONSUME 2
#define HEARTBEAT_S     20
#define FRAME_MAX       131072

/* A job that is to come later goes from one to the next, the longest that fits each time. */
static const uint32_t delays_ms[] = {100, 500, 2000, 10000, 60000, 300000, 1800000, 7200000};

static const amqp_table_entry_t quorum[] = {
    {.key = {12, "x-queue-type"},
     .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = {6, "quorum"}}},
};

static struct timeval timeval_of(uint32_t ms) {
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* What an answer of the broker's means. */
static int reply_error(amqp_rpc_reply_t reply, const char *what) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        return 0;
    }
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
        const amqp_channel_close_t *close = reply.reply.decoded; /* a connection's looks alike */
        log_debug("rabbitmq refused", LOG_STR("what", what),
                  LOG_INT("code", close ? close->reply_code : 0));
        return close && close->reply_code == AMQP_ACCESS_REFUSED ? -EACCES : -EIO;
    }
    log_debug("rabbitmq lost", LOG_STR("what", what), LOG_INT("status", reply.library_error));
    return reply.library_error == AMQP_STATUS_TIMEOUT ? -ETIMEDOUT : -ENOTCONN;
}

static int last_error(const Link *link, const char *what) {
    return reply_error(amqp_get_rpc_reply(link->state), what);
}

static amqp_table_entry_t text(const char *key, const char *value) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t number(const char *key, int32_t value) {
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = value}};
}

static int declare(Link *link, const char *name, amqp_table_entry_t *arguments, int n,
                   uint64_t *ret_n) {
    const amqp_queue_declare_ok_t *answer = amqp_queue_declare(
        link->state, CHANNEL_CONSUME, amqp_cstring_bytes(name), /* passive= */ 0, /* durable= */ 1,
        /* exclusive= */ 0, /* auto_delete= */ 0, (amqp_table_t){n, arguments});
    int r = last_error(link, name);

    if (r == 0 && ret_n) {
        *ret_n = answer ? answer->message_count : 0;
    }
    return r;
}

void link_queue_name(const LinkOptions *options, const char *kind, QueueLane lane, unsigned shard,
                     char ret_name[LINK_NAME_SIZE]) {
    snprintf(ret_name, LINK_NAME_SIZE, "%s.%s.%d.%u", options->prefix, kind, (int)lane, shard);
}

void link_dead_name(const LinkOptions *options, char ret_name[LINK_NAME_SIZE]) {
    snprintf(ret_name, LINK_NAME_SIZE, "%s.dead", options->prefix);
}

int link_declare_dead(Link *link, uint64_t *ret_n) {
    amqp_table_entry_t arguments[] = {quorum[0]};
    char name[LINK_NAME_SIZE];
    int r;

    link_dead_name(link->options, name);
    r = declare(link, name, arguments, ARRAY_LEN(arguments), ret_n);
    return r < 0 ? err_trace(r) : 0;
}

static int set_up(Link *link) {
    int r;

    amqp_channel_open(link->state, CHANNEL_PUBLISH);
    r = last_error(link, "channel");
    if (r == 0) {
        amqp_confirm_select(link->state, CHANNEL_PUBLISH);
        r = last_error(link, "confirm");
    }
    if (r == 0) {
        amqp_channel_open(link->state, CHANNEL_CONSUME);
        r = last_error(link, "channel");
    }
    if (r == 0) {
        amqp_basic_qos(link->state, CHANNEL_CONSUME, 0, link->options->prefetch, /* global= */ 0);
        r = last_error(link, "qos");
    }
    if (r == 0) {
        r = link_declare_dead(link, NULL);
    }
    return r;
}

/* A socket that trusts whom base/crypto/tls.h trusts, which the library's own looking does not come
 * up to: it knows no addresses in certificates and does not say why it refuses one. */
static int new_tls_socket(const Link *link, int *refusal, amqp_socket_t **ret_socket,
                          const char **ret_reason) {
    amqp_socket_t *socket = amqp_ssl_socket_new(link->state);
    int r;

    if (!socket) {
        return -ENOMEM;
    }
    r = tls_trust(amqp_ssl_socket_get_context(socket), &link->options->files, link->options->host,
                  refusal);
    if (r < 0) {
        *ret_reason = TLS_FILES_TEXT;
        return -EACCES;
    }
    amqp_ssl_socket_set_verify_hostname(socket, 0);
    *ret_socket = socket;
    return 0;
}

static int dial(const Link *link, const char **ret_reason) {
    const LinkOptions *options = link->options;
    const struct timeval timeout = timeval_of(options->timeout_ms);
    amqp_socket_t *socket = NULL;
    int refusal = 0, status, r = 0;

    if (options->tls) {
        r = new_tls_socket(link, &refusal, &socket, ret_reason);
    } else {
        socket = amqp_tcp_socket_new(link->state);
    }
    if (r < 0 || !socket) {
        return r < 0 ? r : -ENOMEM;
    }
    status = amqp_socket_open_noblock(socket, options->host, options->port, &timeout);
    if (options->tls) {
        tls_forget_refusal(amqp_ssl_socket_get_context(socket));
    }
    if (status == AMQP_STATUS_OK) {
        return 0;
    }
    log_debug("rabbitmq tried", LOG_INT("status", status));
    if (refusal != 0) {
        *ret_reason = tls_refusal_text(refusal);
    } else if (status == AMQP_STATUS_SSL_CONNECTION_FAILED || status == AMQP_STATUS_SSL_ERROR) {
        *ret_reason = "it does not speak TLS: give amqp:// in queue, or the port where it does";
    }
    return status == AMQP_STATUS_TIMEOUT ? -ETIMEDOUT : *ret_reason ? -EACCES : -ENOTCONN;
}

static int connect_and_log_in(Link *link, const char **ret_reason) {
    const LinkOptions *options = link->options;
    struct timeval timeout = timeval_of(options->timeout_ms);
    const unsigned unanswered_ms = 2 * HEARTBEAT_S * 1000;
    int r = dial(link, ret_reason);

    if (r < 0) {
        return r;
    }
    /* Writing blocks, so it must end when nobody reads. */
    setsockopt(amqp_get_sockfd(link->state), IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms,
               sizeof(unanswered_ms));
    amqp_set_handshake_timeout(link->state, &timeout);
    amqp_set_rpc_timeout(link->state, &timeout);
    return reply_error(amqp_login(link->state, options->vhost, AMQP_DEFAULT_MAX_CHANNELS, FRAME_MAX,
                                  HEARTBEAT_S, AMQP_SASL_METHOD_PLAIN, options->user,
                                  options->password),
                       "login");
}

int link_open(const LinkOptions *options, Link *ret_link) {
    const char *reason = NULL;
    Link link = {.options = options, .state = amqp_new_connection()};
    int r;

    if (!link.state) {
        return err_trace(-ENOMEM);
    }
    r = connect_and_log_in(&link, &reason);
    if (r == 0) {
        r = set_up(&link);
    }
    if (r == -EACCES && !reason) {
        reason = "it refuses the user, the password or the virtual host, or does not let the user "
                 "make queues: look at queue";
    }
    if (r == 0 || reason) {
        trouble_set(options->trouble, reason);
    }
    if (r < 0) {
        link_close(&link, false);
        return err_trace(r);
    }
    *ret_link = link;
    return 0;
}

void link_close(Link *link, bool politely) {
    if (!link->state) {
        return;
    }
    if (politely) {
        amqp_connection_close(link->state, AMQP_REPLY_SUCCESS);
    }
    amqp_destroy_connection(link->state);
    *link = (Link){0};
}

int link_fd(const Link *link) {
    return amqp_get_sockfd(link->state);
}

int link_declare(Link *link, const char *kind, QueueLane lane, unsigned shard, uint64_t *ret_n) {
    char name[LINK_NAME_SIZE], dead[LINK_NAME_SIZE];
    amqp_table_entry_t arguments[] = {
        quorum[0],
        number("x-delivery-limit", QUEUE_RABBITMQ_CRASHES_MAX),
        text("x-dead-letter-exchange", ""),
        text("x-dead-letter-routing-key", dead),
        text("x-dead-letter-strategy", "at-least-once"),
        text("x-overflow", "reject-publish"),
    };
    int r;

    link_dead_name(link->options, dead);
    arguments[3] = text("x-dead-letter-routing-key", dead);
    link_queue_name(link->options, kind, lane, shard, name);
    r = declare(link, name, arguments, ARRAY_LEN(arguments), ret_n);
    return r < 0 ? err_trace(r) : 0;
}

int link_consume(Link *link, const char *kind, QueueLane lane, unsigned shard) {
    char name[LINK_NAME_SIZE];
    int r = link_declare(link, kind, lane, shard, NULL);

    if (r == 0) {
        link_queue_name(link->options, kind, lane, shard, name);
        amqp_basic_consume(link->state, CHANNEL_CONSUME, amqp_cstring_bytes(name),
                           amqp_cstring_bytes(name), /* no_local= */ 0, /* no_ack= */ 0,
                           /* exclusive= */ 0, amqp_empty_table);
        r = last_error(link, name);
    }
    return r < 0 ? err_trace(r) : 0;
}

int link_cancel(Link *link, const char *kind, QueueLane lane, unsigned shard) {
    char name[LINK_NAME_SIZE];
    int r;

    link_queue_name(link->options, kind, lane, shard, name);
    amqp_basic_cancel(link->state, CHANNEL_CONSUME, amqp_cstring_bytes(name));
    r = last_error(link, name);
    return r < 0 ? err_trace(r) : 0;
}

/* The exchange PREFIX.delay.MS and its queue, whose messages go on where they were bound for. */
static int declare_delay(Link *link, size_t i, const char *name) {
    amqp_table_entry_t arguments[] = {
        quorum[0],
        number("x-message-ttl", (int32_t)delays_ms[i]),
        text("x-dead-letter-exchange", ""),
        text("x-dead-letter-strategy", "at-least-once"),
        text("x-overflow", "reject-publish"),
    };
    int r;

    if (link->n_delays & (1u << i)) {
        return 0;
    }
    amqp_exchange_declare(link->state, CHANNEL_CONSUME, amqp_cstring_bytes(name),
                          amqp_cstring_bytes("fanout"), /* passive= */ 0, /* durable= */ 1,
                          /* auto_delete= */ 0, /* internal= */ 0, amqp_empty_table);
    r = last_error(link, name);
    if (r == 0) {
        r = declare(link, name, arguments, ARRAY_LEN(arguments), NULL);
    }
    if (r == 0) {
        amqp_queue_bind(link->state, CHANNEL_CONSUME, amqp_cstring_bytes(name),
                        amqp_cstring_bytes(name), amqp_empty_bytes, amqp_empty_table);
        r = last_error(link, name);
    }
    if (r == 0) {
        link->n_delays |= 1u << i;
    }
    return r;
}

/* Which exchange leads where: "" takes a queue's name as it is. */
static int choose_way(Link *link, const Message *message, LinkWay way, int64_t now_us,
                      char exchange[LINK_NAME_SIZE], char key[LINK_NAME_SIZE]) {
    int64_t early_ms = (message->job.not_before_us - now_us) / 1000;
    size_t i = 0;

    exchange[0] = '\0';
    if (way == LINK_TO_DEAD) {
        link_dead_name(link->options, key);
        return 0;
    }
    link_queue_name(link->options, message->kind, message->job.lane, message->shard, key);
    if (early_ms <= 0) {
        return 0;
    }
    while (i + 1 < ARRAY_LEN(delays_ms) && (int64_t)delays_ms[i + 1] <= early_ms) {
        i++;
    }
    snprintf(exchange, LINK_NAME_SIZE, "%s.delay.%u", link->options->prefix, delays_ms[i]);
    return declare_delay(link, i, exchange);
}

int link_publish(Link *link, const Message *message, LinkWay way, int64_t now_us,
                 uint64_t *ret_number) {
    char exchange[LINK_NAME_SIZE], key[LINK_NAME_SIZE];
    MessageWire wire;
    int r = choose_way(link, message, way, now_us, exchange, key);

    if (r < 0) {
        return err_trace(r);
    }
    message_write(message, link->last_number + 1, &wire);
    r = amqp_basic_publish(link->state, CHANNEL_PUBLISH, amqp_cstring_bytes(exchange),
                           amqp_cstring_bytes(key), /* mandatory= */ 1, /* immediate= */ 0,
                           &wire.properties,
                           (amqp_bytes_t){message->job.payload.len, (void *)message->payload});
    if (r != AMQP_STATUS_OK) {
        return err_trace(-ENOTCONN);
    }
    *ret_number = ++link->last_number;
    return 0;
}

int link_ack(Link *link, uint64_t tag) {
    return amqp_basic_ack(link->state, CHANNEL_CONSUME, tag, /* multiple= */ 0) == AMQP_STATUS_OK
               ? 0
               : err_trace(-ENOTCONN);
}

int link_refuse(Link *link, uint64_t tag) {
    return amqp_basic_nack(link->state, CHANNEL_CONSUME, tag, /* multiple= */ 0,
                           /* requeue= */ 1) == AMQP_STATUS_OK
               ? 0
               : err_trace(-ENOTCONN);
}

static int read_content(Link *link, amqp_channel_t channel, uint64_t tag, Message **ret_message) {
    amqp_message_t wire;
    Message *message = NULL;
    int r = reply_error(amqp_read_message(link->state, channel, &wire, 0), "message");

    if (r < 0) {
        return r;
    }
    r = message_read(&wire, &message);
    amqp_destroy_message(&wire);
    if (r == 0) {
        message->tag = tag;
        *ret_message = message;
    }
    return r;
}

static int read_delivery(Link *link, const amqp_basic_deliver_t *deliver, LinkEvent *event) {
    int r;

    event->number = deliver->delivery_tag;
    r = read_content(link, CHANNEL_CONSUME, event->number, &event->message);
    event->type = r == -EBADMSG ? LINK_EVENT_FOREIGN : LINK_EVENT_MESSAGE;
    return r == -EBADMSG ? 0 : r;
}

static int read_return(Link *link, LinkEvent *event) {
    amqp_message_t wire;
    int r = reply_error(amqp_read_message(link->state, CHANNEL_PUBLISH, &wire, 0), "return");

    if (r < 0) {
        return r;
    }
    r = str_to_u64((Str){wire.properties.correlation_id.bytes, wire.properties.correlation_id.len},
                   &event->number);
    amqp_destroy_message(&wire);
    event->type = LINK_EVENT_RETURNED;
    return r < 0 ? -EIO : 0;
}

int link_next(Link *link, LinkEvent *ret_event) {
    struct timeval at_once = {0};
    LinkEvent event = {LINK_EVENT_NONE};
    amqp_frame_t frame;
    int status, r = 0;

    amqp_maybe_release_buffers(link->state);
    status = amqp_simple_wait_frame_noblock(link->state, &frame, &at_once);
    if (status == AMQP_STATUS_TIMEOUT) {
        *ret_event = event;
        return 0;
    }
    if (status != AMQP_STATUS_OK) {
        return err_trace(-ENOTCONN);
    }
    if (frame.frame_type != AMQP_FRAME_METHOD) {
        return frame.frame_type == AMQP_FRAME_HEARTBEAT ? link_next(link, ret_event) : -EPROTO;
    }
    switch (frame.payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = frame.payload.method.decoded;
        event = (LinkEvent){LINK_EVENT_CONFIRMED, ack->delivery_tag, ack->multiple, NULL};
        break;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = frame.payload.method.decoded;
        event = (LinkEvent){LINK_EVENT_REFUSED, nack->delivery_tag, nack->multiple, NULL};
        break;
    }
    case AMQP_BASIC_DELIVER_METHOD:
        r = read_delivery(link, frame.payload.method.decoded, &event);
        break;
    case AMQP_BASIC_RETURN_METHOD:
        r = read_return(link, &event);
        break;
    default: /* a channel or the connection was closed, or a queue was deleted */
        log_debug("rabbitmq closed", LOG_INT("method", frame.payload.method.id));
        r = -ENOTCONN;
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_event = event;
    return 0;
}

int link_get(Link *link, const char *name, Message **ret_message) {
    amqp_rpc_reply_t reply;
    int r;

    amqp_maybe_release_buffers(link->state);
    reply = amqp_basic_get(link->state, CHANNEL_CONSUME, amqp_cstring_bytes(name), /* no_ack= */ 0);
    r = reply_error(reply, name);
    if (r < 0) {
        return err_trace(r);
    }
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD) {
        *ret_message = NULL;
        return 0;
    }
    return read_content(link, CHANNEL_CONSUME,
                        ((const amqp_basic_get_ok_t *)reply.reply.decoded)->delivery_tag,
                        ret_message);
}

int link_give_back(Link *link) {
    return amqp_basic_nack(link->state, CHANNEL_CONSUME, 0, /* multiple= */ 1, /* requeue= */ 1) ==
                   AMQP_STATUS_OK
               ? 0
               : err_trace(-ENOTCONN);
}
