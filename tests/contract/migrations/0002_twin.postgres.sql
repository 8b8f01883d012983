-- SPDX-License-Identifier: Apache-2.0
INSERT INTO contract_first (id, word) VALUES (2, 'postgres ' || pg_typeof(1)::text);
