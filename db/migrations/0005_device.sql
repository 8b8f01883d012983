-- SPDX-License-Identifier: Apache-2.0
--
-- OAuth for what has no browser (RFC 8628), and clients that admins keep.

-- What a program that cannot show a page asks for. It holds the device code, and shows somebody a
-- short user code to type elsewhere; here are SHA-256 of the one and a keyed hash of the other. Not
-- partitioned by user: nobody is known yet when it is made.
CREATE TABLE user_device_request (
    device_hash BYTEA NOT NULL,
    user_code_hash BYTEA NOT NULL,
    client_id TEXT NOT NULL,
    scopes BIGINT NOT NULL, -- as in user_grant
    origin_sealed BYTEA NOT NULL, -- under the service's key; JSON: address, agent
    state BIGINT NOT NULL, -- 0 undecided, 1 allowed, 2 denied, 3 redeemed
    user_id BYTEA, -- who decided
    grant_id BYTEA, -- what was allowed: in user_grant
    interval_s BIGINT NOT NULL, -- seconds between polls at least
    polled_us BIGINT NOT NULL, -- when it was asked last; 0: never
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    PRIMARY KEY (device_hash)
);
CREATE UNIQUE INDEX user_device_request_code ON user_device_request (user_code_hash);
CREATE INDEX user_device_request_expiry ON user_device_request (expires_us);

-- Clients beside those of the configuration.
CREATE TABLE user_oauth_client (
    client_id TEXT NOT NULL,
    metadata TEXT NOT NULL, -- JSON as in the configuration: a secret is there as its SHA-256
    created_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    version BIGINT NOT NULL, -- counts changes, for If-Match
    PRIMARY KEY (client_id)
);

-- A client that is taken out takes with it what it was given.
CREATE INDEX user_grant_client ON user_grant (client_id);
CREATE INDEX user_client_consent_client ON user_client_consent (client_id);
