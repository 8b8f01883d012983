-- SPDX-License-Identifier: Apache-2.0
-- What tests/contract/migrations_test.c applies; no part of the product.
CREATE TABLE contract_first (
    id BIGINT NOT NULL PRIMARY KEY,
    word TEXT NOT NULL -- a ';' and a "quote" that end nothing
);
INSERT INTO contract_first (id, word) VALUES (1, 'one; and ''two'' \ ?');
