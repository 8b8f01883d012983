-- SPDX-License-Identifier: Apache-2.0
--
-- The OpenID Connect provider: what it signs with and what people let clients do.

-- The keys that tokens are signed with, sealed under the service's key. One is published from when
-- it is made, signs from signs_from_us until the next does, and goes when nothing that it signed is
-- good any more.
CREATE TABLE user_signing_key (
    kid TEXT NOT NULL, -- the thumbprint (RFC 7638)
    alg BIGINT NOT NULL, -- 0 ES256, 1 EdDSA
    sealed BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    signs_from_us BIGINT NOT NULL,
    PRIMARY KEY (kid)
);

-- What somebody let a client do once: a code, then the tokens that came of it. Codes and refresh
-- tokens are made from the secret in detail_sealed and a number, so that reading this table gives
-- nobody a token, and one that was replaced is known as such.
-- @partition by hash (user_id)
CREATE TABLE user_grant (
    user_id BYTEA NOT NULL,
    grant_id BYTEA NOT NULL,
    client_id TEXT NOT NULL,
    session_id BYTEA NOT NULL,
    scopes BIGINT NOT NULL, -- bits: 1 openid, 2 profile, 4 email, 8 offline_access, 16 account
    detail_sealed BYTEA NOT NULL, -- JSON: secret, redirect_uri, challenge, nonce
    counter BIGINT NOT NULL, -- 0: the code is good; else the number of the refresh token that is
    methods BIGINT NOT NULL, -- as in user_session
    authenticated_us BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, grant_id)
);

-- Which clients somebody need not be asked about again.
-- @partition by hash (user_id)
CREATE TABLE user_client_consent (
    user_id BYTEA NOT NULL,
    client_id TEXT NOT NULL,
    scopes BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
