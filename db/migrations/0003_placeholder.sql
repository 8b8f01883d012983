-- SPDX-License-Identifier: Apache-2.0
CREATE TABLE placeholder_3 (id BIGINT);
