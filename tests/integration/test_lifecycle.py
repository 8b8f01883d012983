# SPDX-License-Identifier: Apache-2.0
"""Clients that go away, and a server that is told to stop."""

import resource
import socket
import threading
import urllib.parse

import requests

from harness import KEY, encode, eventually, photo


def raw_request(image, boundary=b"XyZ"):
    body = (b"--" + boundary + b'\r\nContent-Disposition: form-data; name="image_file"; '
            b'filename="a.jpg"\r\n\r\n' + image + b"\r\n--" + boundary + b"--\r\n")
    return (b"POST /v1.0/removebg HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: " + KEY.encode() +
            b"\r\nContent-Type: multipart/form-data; boundary=" + boundary +
            b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)


def done_lines(server):
    return [line for line in server.log() if line["event"] == "image request done"]


def test_a_client_that_goes_away_cancels_its_work(start):
    server = start("key:100," + KEY, megapixels_per_minute=0, workers=1, matte_cache_mib=0)
    image = encode(photo().resize((3000, 3000)), quality=80)
    connections = []
    for _ in range(6):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(raw_request(image))
        connections.append(connection)
    for connection in connections:
        connection.close()
    assert eventually(lambda: len(done_lines(server)) == 6, 60)
    cancelled = server.metric('imagesync_renders_total{status="cancelled"}')
    finished = server.metric('imagesync_renders_total{status="ok"}')
    assert cancelled + finished <= 6 and finished <= 2, (cancelled, finished)
    assert all(line["gone"] for line in done_lines(server))


def test_who_went_away_is_not_charged(start):
    server = start("ten:10", megapixels_per_minute=0, workers=1)
    image = encode(photo().resize((2500, 2500)), quality=80)
    request = raw_request(image).replace(KEY.encode(), b"ten", 1)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request)
    assert eventually(lambda: len(done_lines(server)) == 1, 60)
    assert server.balance("ten") == 10


def test_a_client_that_goes_away_cancels_its_download(start, site):
    server = start(megapixels_per_minute=0, fetch_allow="127.0.0.1/32", fetch_timeout_s=600,
                   fetch_threads=1)
    released = threading.Event()
    site.pages["/hang"] = lambda handler: released.wait(60)
    body = urllib.parse.urlencode({"image_url": site.url + "/hang"}).encode()
    connections = []
    for _ in range(3):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(
            b"POST /v1.0/removebg HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: " + KEY.encode() +
            b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
            str(len(body)).encode() + b"\r\n\r\n" + body)
        connections.append(connection)
    try:
        assert eventually(lambda: "/hang" in site.requests)
        # The one that is fetched, and the two that wait for the only thread.
        for connection in connections:
            connection.close()
        assert eventually(lambda: len(done_lines(server)) == 3)
        assert all(line["gone"] for line in done_lines(server))
        assert site.requests.count("/hang") == 1
    finally:
        released.set()


def test_shutdown_drains(start):
    server = start(megapixels_per_minute=0, workers=1)
    image = encode(photo().resize((2500, 2500)), quality=80)
    replies = []
    thread = threading.Thread(target=lambda: replies.append(server.removebg(image)))
    thread.start()
    renders = 'imagesync_step_seconds_count{step="probe"}'
    assert eventually(lambda: server.metric(renders) >= 1)
    server.terminate()
    thread.join(60)
    assert replies and replies[0].status_code == 200, "the request under way was answered"
    assert server.process.wait(30) == 0
    try:
        requests.get(server.url + "/healthz", timeout=5)
        raise AssertionError("it still listens")
    except requests.ConnectionError:
        pass


def test_metrics_count_steps_that_were_taken(start, astronaut):
    server = start(megapixels_per_minute=0)

    def counts():
        return [server.metric(f'imagesync_step_seconds_count{{step="{step}"}}')
                for step in ("probe", "inference", "encode")]

    assert server.removebg(astronaut).status_code == 200
    assert counts() == [1, 1, 1]
    assert server.metric("imagesync_inference_seconds_count") == 1
    # The same photo again needs no inference, and one without a subject is never encoded.
    assert server.removebg(astronaut).status_code == 200
    assert counts() == [2, 1, 2]
    assert server.metric("imagesync_inference_seconds_count") == 1
    assert server.removebg(encode(photo().resize((1, 1)), "PNG")).status_code == 400
    assert counts() == [3, 2, 2]


def test_system_addresses(server):
    assert requests.get(server.url + "/healthz", timeout=10).status_code == 200
    assert requests.get(server.url + "/readyz", timeout=10).status_code == 200
    metrics = requests.get(server.url + "/metrics", timeout=10)
    assert metrics.headers["Content-Type"].startswith("text/plain")
    assert "imagesync_renders_total" in metrics.text
    assert requests.get(server.url + "/openapi.yaml", timeout=10).text.startswith("#")
    assert requests.get(server.url + "/", timeout=10).headers["Content-Type"].startswith(
        "text/html")


def hold(server, n):
    """So many clients at once, each answered and kept."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    clients = []
    for _ in range(n):
        client = socket.create_connection(("127.0.0.1", server.port), 10)
        clients.append(client)
        client.sendall(request)
        assert client.recv(15).startswith(b"HTTP/1.1 200 OK")
    return clients


def test_a_low_limit_of_open_files_is_raised(start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        server = start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for client in hold(server, 500):
        client.close()
    assert not any(line["level"] == "warn" for line in server.log())
