-- SPDX-License-Identifier: Apache-2.0
--
-- Moving the event log to a broker (src/core/events/relay.h), and shortening it.

-- Who relays the users of a shard, and until when he is waited for.
CREATE TABLE event_relay (
    shard BIGINT NOT NULL,
    holder TEXT NOT NULL, -- "": nobody
    until_us BIGINT NOT NULL,
    PRIMARY KEY (shard)
);

-- Up to where each user's log of a topic is relayed.
-- @partition by hash (user_id)
CREATE TABLE event_relayed (
    user_id BYTEA NOT NULL,
    topic TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (user_id, topic)
);

-- For whether an object has a later event.
CREATE INDEX event_object ON event (user_id, topic, object_id, seq);
