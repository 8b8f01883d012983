/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/rabbitmq/bursts.h"

uint32_t bursts_spread(const Uuid *user_id) {
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < sizeof(user_id->bytes); i++) {
        hash = (hash ^ user_id->bytes[i]) * 0x100000001b3;
    }
    return (uint32_t)(hash >> 32);
}

bool bursts_add(Bursts *bursts, const Uuid *user_id, unsigned burst, uint64_t now_ms) {
    size_t at = bursts_spread(user_id) % BURSTS_SIZE;
    uint32_t now = (uint32_t)now_ms; /* of differences the low half is enough */
    float leaked = (float)(now - bursts->places[at].at_ms) / 1000;

    bursts->places[at].level = MAX(bursts->places[at].level - leaked, 0) + 1;
    bursts->places[at].at_ms = now;
    return bursts->places[at].level > (float)burst;
}
