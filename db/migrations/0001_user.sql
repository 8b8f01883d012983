-- SPDX-License-Identifier: Apache-2.0
--
-- The tables of the user service; no other service reads them. Times are microseconds since 1970
-- (UTC). `..._sealed` is AES-256-GCM under the user's key with the table, the column and the row's
-- identity as associated data; `..._hash` is a keyed hash, or SHA-256 of a random secret.

-- A user's key, wrapped by the master key. A table of its own, so that backups can leave it out:
-- without its row nothing else of that user can be read.
-- @partition by hash (user_id)
CREATE TABLE user_key (
    user_id BYTEA NOT NULL,
    wrapped BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (user_id)
);

-- @partition by hash (user_id)
CREATE TABLE user_account (
    user_id BYTEA NOT NULL,
    status BIGINT NOT NULL, -- 0 active, 1 locked, 2 to be erased at erase_us
    role BIGINT NOT NULL, -- 0 user, 1 support, 2 admin
    email_hash BYTEA NOT NULL,
    email_sealed BYTEA NOT NULL,
    profile_sealed BYTEA NOT NULL, -- JSON: name, locale, zone
    password_sealed BYTEA, -- the Argon2id string; NULL: signs in by other means only
    totp_sealed BYTEA, -- the secret; NULL: none
    totp_step BIGINT NOT NULL, -- the last step that was used, against replay
    erase_us BIGINT,
    created_us BIGINT NOT NULL,
    version BIGINT NOT NULL, -- counts changes, for If-Match
    PRIMARY KEY (user_id)
);

-- Who has an address. Not partitioned by user: this is what finds the user.
CREATE TABLE user_email (
    email_hash BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    PRIMARY KEY (email_hash)
);

-- What is sent by mail and used once: registration, reset, change of address. Nobody has an
-- account before the address is proved, so a registration has no user yet.
CREATE TABLE user_mail_token (
    token_hash BYTEA NOT NULL,
    kind BIGINT NOT NULL,
    user_id BYTEA, -- NULL: registration
    payload_sealed BYTEA NOT NULL, -- JSON, under the service's key
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    PRIMARY KEY (token_hash)
);
CREATE INDEX user_mail_token_expiry ON user_mail_token (expires_us);
CREATE INDEX user_mail_token_user ON user_mail_token (user_id);

-- A signed-in browser, phone or program.
-- @partition by hash (user_id)
CREATE TABLE user_session (
    user_id BYTEA NOT NULL,
    session_id BYTEA NOT NULL,
    secret_hash BYTEA NOT NULL,
    device_sealed BYTEA NOT NULL, -- JSON: name, agent, address
    methods BIGINT NOT NULL, -- bits: 1 password, 2 TOTP, 4 recovery code, 8 passkey, 16 other issuer
    authenticated_us BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL, -- within a minute or so
    expires_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, session_id)
);

-- @partition by hash (user_id)
CREATE TABLE user_recovery_code (
    user_id BYTEA NOT NULL,
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- @partition by hash (user_id)
CREATE TABLE user_api_key (
    user_id BYTEA NOT NULL,
    key_id BYTEA NOT NULL,
    secret_hash BYTEA NOT NULL,
    hint TEXT NOT NULL, -- the first characters, for telling keys apart
    name_sealed BYTEA NOT NULL,
    scopes BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT, -- NULL: never
    used_us BIGINT, -- within a minute or so
    PRIMARY KEY (user_id, key_id)
);

-- Credits, in hundredths. The subscription service will fill them.
-- @partition by hash (user_id)
CREATE TABLE user_credit (
    user_id BYTEA NOT NULL,
    balance BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    PRIMARY KEY (user_id)
);

-- What is set aside for a job under way; one that is never settled (a crash) is given back when it
-- expires.
-- @partition by hash (user_id)
CREATE TABLE user_reservation (
    user_id BYTEA NOT NULL,
    reservation_id BYTEA NOT NULL,
    amount BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, reservation_id)
);
CREATE INDEX user_reservation_expiry ON user_reservation (expires_us);

-- Acts that matter for security, never changed: each row's mac covers the one before it. Acts of
-- nobody in particular are under the nil UUID.
-- @partition by hash (user_id)
CREATE TABLE user_audit (
    user_id BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    action TEXT NOT NULL,
    detail_sealed BYTEA NOT NULL, -- JSON: address, agent, session and what the action is about
    mac BYTEA NOT NULL,
    PRIMARY KEY (user_id, seq)
);

-- Keys of the service itself, wrapped by the master key: for keyed hashes and rows of no user.
CREATE TABLE user_service_key (
    name TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    PRIMARY KEY (name)
);
