-- SPDX-License-Identifier: Apache-2.0
--
-- The event log (src/core/events): what happened to a user's things, in order and without gaps.

-- How far each user's log of a topic goes.
-- @partition by hash (user_id)
CREATE TABLE event_head (
    user_id BYTEA NOT NULL,
    topic TEXT NOT NULL,
    seq BIGINT NOT NULL, -- of the last event
    horizon BIGINT NOT NULL, -- up to here events may have been removed
    changed_us BIGINT NOT NULL, -- when the last one was added
    PRIMARY KEY (user_id, topic)
);
CREATE INDEX event_head_changed ON event_head (changed_us);

-- @partition by hash (user_id)
CREATE TABLE event (
    user_id BYTEA NOT NULL,
    topic TEXT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL, -- what it is about: photo, album ...
    object_id BYTEA NOT NULL,
    version BIGINT NOT NULL, -- of the object
    removed BIGINT NOT NULL, -- 1: the object is no more; a tombstone
    device_id BYTEA, -- whose act it was; NULL: the service's own
    at_us BIGINT NOT NULL,
    facts TEXT NOT NULL, -- JSON, of what tells nothing of the person; "" for none
    sealed BYTEA NOT NULL, -- the object's state, by the service that owns it; empty when removed
    PRIMARY KEY (user_id, topic, seq)
);

-- Users with events that are not relayed yet, by shard.
CREATE TABLE event_outbox (
    shard BIGINT NOT NULL,
    user_id BYTEA NOT NULL,
    topic TEXT NOT NULL,
    PRIMARY KEY (shard, user_id, topic)
);
