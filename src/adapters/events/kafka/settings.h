/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "adapters/events/kafka/kafka.h"
#include "base/arena.h"

#include <librdkafka/rdkafka.h>

/*
 * What a producer is set to: whom it trusts, then the lines of the file, if there is one, then what
 * our promises rest on. The caller's, for rd_kafka_new(). 0; or a fault with a sentence that names
 * no value, in the arena.
 */
int kafka_settings_new(const EventsKafkaOptions *options, const char *servers, uint32_t timeout_ms,
                       Arena *arena, rd_kafka_conf_t **ret_conf, const char **reterr_text);
