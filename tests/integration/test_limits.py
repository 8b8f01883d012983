# SPDX-License-Identifier: Apache-2.0
"""Credits, the rate limit in megapixels, daily caps, and what happens under a burst."""

import time
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from harness import KEY, encode, error, header_number, photo


def test_a_preview_costs_a_quarter(start, astronaut):
    server = start("poor:0.25")
    reply = server.removebg(astronaut, key="poor")
    assert reply.status_code == 200 and reply.headers["X-Credits-Charged"] == "0.25"
    assert server.balance("poor") == 0
    assert error(server.removebg(astronaut, key="poor")) == (402, "insufficient_credits")
    assert server.metric("imagesync_credits_charged_total") == 0.25


def test_failed_calls_are_not_charged(server, astronaut):
    before = server.balance("ten")
    assert server.removebg(astronaut[:500], key="ten").status_code == 400
    assert server.removebg(astronaut, key="ten", size="huge").status_code == 400
    flat = encode(photo().resize((1, 1)).resize((300, 300)), "PNG")
    assert error(server.removebg(flat, key="ten", size="full")) == (400, "unknown_foreground")
    assert server.balance("ten") == before


def test_auto_takes_what_the_balance_allows(start):
    server = start("broke:1.5")
    large = encode(photo().resize((1200, 1200)))
    replies = [server.removebg(large, key="broke", size="auto") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 402]
    assert [reply.headers.get("X-Credits-Charged") for reply in replies[:3]] == ["1", "0.25",
                                                                                "0.25"]
    assert header_number(replies[0], "X-Width") == 1200
    assert header_number(replies[1], "X-Width") == 500


def test_calls_in_parallel_cannot_overdraw(start, astronaut):
    server = start("three:3")
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: server.removebg(astronaut, key="three", size="full"),
                                range(8)))
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [200] * 3 + [402] * 5
    assert server.balance("three") == 0


def test_an_empty_balance(server, astronaut):
    assert error(server.removebg(astronaut, key="empty")) == (402, "insufficient_credits")


def test_rate_limit_counts_input_megapixels(start):
    server = start(megapixels_per_minute=10)
    four = encode(photo().resize((2000, 2000)), quality=70)
    first = server.removebg(four)
    assert first.status_code == 200
    assert header_number(first, "X-RateLimit-Limit") == 10
    assert header_number(first, "X-RateLimit-Remaining") in (6, 7)
    assert 0 <= header_number(first, "X-RateLimit-Reset") - time.time() <= 61
    assert "Retry-After" not in first.headers
    assert server.removebg(four).status_code == 200
    refused = server.removebg(four)
    assert error(refused) == (429, "rate_limit_exceeded")
    assert 1 <= header_number(refused, "Retry-After") <= 60
    assert header_number(refused, "X-RateLimit-Limit") == 10


def test_a_picture_above_the_whole_budget_is_let_in_when_it_is_full(start):
    server = start(megapixels_per_minute=6)
    nine = encode(Image.new("RGB", (3000, 3000), (90, 90, 90)), "PNG")
    assert error(server.removebg(nine)) == (400, "unknown_foreground")
    refused = server.removebg(nine)
    assert error(refused) == (429, "rate_limit_exceeded")
    assert 1 <= header_number(refused, "Retry-After") <= 10  # one unit, before it is looked at


def test_keys_have_budgets_of_their_own(start, astronaut):
    server = start("one,two", megapixels_per_minute=1)
    assert server.removebg(astronaut, key="one").status_code == 200
    assert error(server.removebg(astronaut, key="one")) == (429, "rate_limit_exceeded")
    assert server.removebg(astronaut, key="two").status_code == 200


def test_improve_has_a_daily_cap(start, astronaut):
    server = start(improve_per_day=2, megapixels_per_minute=0)
    replies = [server.post("/v1.0/improve", files={"image_file": astronaut}) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert error(replies[2]) == (429, "daily_limit_exceeded")
    midnight = 86400 - time.time() % 86400
    assert (header_number(replies[2], "Retry-After") - midnight) % 86400 <= 60


def test_a_burst_is_turned_away_with_429(start):
    server = start(megapixels_per_minute=0, workers=1, queue_max=2, matte_cache_mib=0)
    image = encode(photo().resize((1500, 1500)), quality=80)
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: server.removebg(image), range(16)))
    statuses = [reply.status_code for reply in replies]
    assert set(statuses) == {200, 429}, statuses
    for reply in replies:
        if reply.status_code == 429:
            assert error(reply)[1] == "busy"
            assert header_number(reply, "Retry-After") >= 1
    assert server.removebg(image, key=KEY).status_code == 200
