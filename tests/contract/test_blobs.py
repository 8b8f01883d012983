# SPDX-License-Identifier: Apache-2.0
"""The blobs port's suites on a real store that speaks S3, what happens when processes die (in a
folder too), when the network fails, and what another client sees in the bucket."""

import errno
import os
import re
import signal
import ssl
import subprocess
import uuid
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest

from certificates import Authority
from faulty_proxy import FAULTS, FaultyProxy
from postgres_server import free_port
from seaweed_server import READER, Seaweed

BUILD = Path(os.environ["IMAGESYNC_BIN"]).parent / "tests" / "contract"
BUCKET = "imagesync-test"
MIB = 1 << 20
PART = 5 * MIB
NONE, EXISTS, SHORT = "1", "2", "3"
AWAY = f"fault {errno.ENOTCONN}"
SECONDS = 120


@pytest.fixture(scope="module")
def store():
    with Seaweed() as seaweed:
        seaweed.client().create_bucket(Bucket=BUCKET)
        yield seaweed


def keys(store, secret=None):
    return {**os.environ, "AWS_ACCESS_KEY_ID": store.key,
            "AWS_SECRET_ACCESS_KEY": secret or store.secret}


class Try:
    """blobs_try on a store: `tell` gives what it printed."""

    def __init__(self, url, environment):
        self.process = subprocess.Popen([BUILD / "blobs_try", url], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment)
        self.opened = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode in (0, -signal.SIGKILL), errors

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def kill(self):
        self.process.kill()
        self.process.wait(SECONDS)


class Bucket:
    """A prefix of its own in the bucket."""

    def __init__(self, store, port=None):
        self.store = store
        self.prefix = f"t{uuid.uuid4().hex}/"
        self.port = port or store.port
        self.s3 = store.client()

    def url(self, port=None):
        return f"s3:http://127.0.0.1:{port or self.port}/{BUCKET}/{self.prefix}"

    def open(self, port=None, **environment):
        return Try(self.url(port), {**keys(self.store), **environment})

    def objects(self):
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=self.prefix)
        return {entry["Key"].removeprefix(self.prefix): entry["Size"]
                for entry in found.get("Contents", [])}

    def uploads(self):
        found = self.s3.list_multipart_uploads(Bucket=BUCKET, Prefix=self.prefix)
        return [(entry["Key"].removeprefix(self.prefix), entry["UploadId"])
                for entry in found.get("Uploads", [])]

    def get(self, name):
        return self.s3.get_object(Bucket=BUCKET, Key=self.prefix + name)["Body"].read()


class Folder:
    def __init__(self, path):
        self.path = path

    def open(self):
        return Try(f"folder:{self.path}/blobs", os.environ)


@pytest.fixture
def bucket(store):
    return Bucket(store)


@pytest.fixture
def proxy(store):
    with FaultyProxy(store.port) as faulty:
        yield faulty


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    return Folder(tmp_path) if request.param == "folder" else request.getfixturevalue("bucket")


def run(suite, url, store):
    done = subprocess.run([BUILD / suite, url], capture_output=True, text=True, timeout=300,
                          check=False, env=keys(store))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("suite", ["blobs_contract", "sealed_blobs_contract"])
def test_suite(store, bucket, suite):
    run(suite, bucket.url(), store)
    assert bucket.uploads() == [] or suite == "blobs_contract"


@pytest.mark.parametrize("suite", ["blobs_contract", "sealed_blobs_contract"])
def test_suite_while_every_seventh_request_fails(store, bucket, proxy, suite):
    proxy.fail_every(7)
    run(suite, bucket.url(proxy.port), store)
    assert len(proxy.seen) > 100


# Processes die

@pytest.mark.parametrize("synced", [0, 70000, PART, PART + 70000, 2 * PART + 1])
def test_killed_between_sync_and_commit(place, synced):
    length = synced + PART + 12345
    with place.open() as first:
        assert first.tell("open", "a/killed", 0) == "0"
        assert first.tell("write", "-", synced, 1) == "0"
        assert first.tell("sync") == "0"
        assert first.tell("write", "-", length - synced, 2) == "0"
        first.kill()
    with place.open() as second:
        assert second.tell("verify", "a/killed", 0) == NONE
        assert second.tell("open", "a/killed", synced) == "0"
        assert second.tell("write", "-", length - synced, 1) == "0"
        assert second.tell("commit") == "0"
        assert second.tell("verify", "a/killed", length, 1) == "0"
        assert second.tell("list", "stages") == "0"
    if isinstance(place, Bucket):
        assert place.uploads() == []
        assert set(place.objects()) == {"imagesync-blobs", "blobs/a/killed"}


def test_killed_after_a_sync_that_nobody_noted(place):
    with place.open() as first:
        assert first.tell("open", "a/noted", 0) == "0"
        for _ in range(4):
            assert first.tell("write", "-", 3 * MIB, 1) == "0"
            assert first.tell("sync") == "0"
        first.kill()
    with place.open() as second:
        assert second.tell("open", "a/noted", 9 * MIB) == "0"
        assert second.tell("write", "-", 7 * MIB, 1) == "0"
        assert second.tell("commit") == "0"
        assert second.tell("verify", "a/noted", 16 * MIB, 1) == "0"


def test_the_stages_of_the_dead_can_be_found_and_removed(place):
    with place.open() as first:
        assert first.tell("open", "a/left", 0) == "0"
        assert first.tell("write", "-", PART + 5, 1) == "0"
        first.tell("sync")
        first.kill()
    with place.open() as second:
        assert second.tell("list", "stages") == f"a/left:{PART + 5} 0"
        assert second.tell("remove-stage", "a/left") == "0"
        assert second.tell("list", "stages") == "0"
        assert second.tell("open", "a/left", PART + 5) == SHORT
    if isinstance(place, Bucket):
        assert place.uploads() == []
        assert set(place.objects()) == {"imagesync-blobs"}


def test_ends_of_ranges(place):
    with place.open() as one:
        for length in (1, PART, PART + 1):
            assert one.tell("put", f"end/{length}", length, 3) == "0"
            assert one.tell("verify", f"end/{length}", length, 3) == "0"
            assert one.tell("verify", f"end/{length}", length + 1, 3) == SHORT


# The network fails

REQUESTS = {
    "put": r"^PUT \S*/blobs/a/one ",
    "begin": r"^POST \S*/blobs/a/two\?uploads=",
    "part": r"^PUT \S*/blobs/a/two\?partNumber=2&",
    "last part": r"^PUT \S*/blobs/a/two\?partNumber=3&",
    "state": r"^PUT \S*/stages/a/two/0*[1-9a-f]",
    "complete": r"^POST \S*/blobs/a/two\?uploadId=",
    "read": r"^GET \S*/blobs/a/",
    "list": r"^GET \S*list-type=2",
}


def write_both(one):
    """What a put and a stage of three parts came to, in words."""
    said = [one.tell("put", "a/one", 2 * MIB, 1), one.tell("open", "a/two", 0),
            one.tell("write", "-", 2 * PART, 2), one.tell("sync"),
            one.tell("write", "-", 1000, 2), one.tell("commit")]
    return [word for word in said if word != "0"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_fault_is_not_noticed(bucket, proxy, request_, fault):
    with bucket.open(proxy.port) as one:
        proxy.fail(fault, REQUESTS[request_], times=2)
        assert write_both(one) == []
        assert one.tell("verify", "a/one", 2 * MIB, 1) == "0"
        assert one.tell("verify", "a/two", 2 * PART + 1000, 2) == "0"
        assert one.tell("list", "blobs") == f"a/one:{2 * MIB} a/two:{2 * PART + 1000} 0"
        assert len([line for line in proxy.seen if re.search(REQUESTS[request_], line)]) >= 3
    assert bucket.uploads() == []
    assert set(bucket.objects()) == {"imagesync-blobs", "blobs/a/one", "blobs/a/two"}


@pytest.mark.parametrize("fault", ["refused", "half", "busy"])
@pytest.mark.parametrize("request_", ["put", "begin", "part", "state", "last part", "complete"])
def test_nothing_half_written_is_seen_and_it_ends_well(bucket, proxy, request_, fault):
    with bucket.open(proxy.port) as one:
        proxy.fail(fault, REQUESTS[request_], times=1000)
        assert AWAY in write_both(one)
        missing = "blobs/a/one" if request_ == "put" else "blobs/a/two"
        assert missing not in bucket.objects()
        proxy.heal()
    with bucket.open(proxy.port) as one:
        assert one.tell("put", "a/one", 2 * MIB, 1) == ("0" if request_ == "put" else EXISTS)
        synced = 2 * PART if request_ in ("last part", "complete") else 0
        if request_ != "put":
            assert one.tell("open", "a/two", synced) == "0"
            assert one.tell("write", "-", 2 * PART + 1000 - synced, 2) == "0"
            assert one.tell("commit") == "0"
        assert one.tell("verify", "a/one", 2 * MIB, 1) == "0"
        assert one.tell("verify", "a/two", 2 * PART + 1000, 2) == "0"
    assert bucket.uploads() == []
    assert set(bucket.objects()) == {"imagesync-blobs", "blobs/a/one", "blobs/a/two"}


def test_a_store_that_is_mute(bucket, proxy):
    with bucket.open(proxy.port, BLOBS_TIMEOUT_MS="3000") as one:
        proxy.fail("mute", REQUESTS["put"])
        proxy.fail("mute", REQUESTS["complete"])
        assert write_both(one) == []
        proxy.fail("mute", REQUESTS["read"], times=1000)
        assert one.tell("verify", "a/one", 2 * MIB, 1) == AWAY
        proxy.heal()
        assert one.tell("verify", "a/one", 2 * MIB, 1) == "0"


def test_an_error_within_a_200_is_tried_again(bucket, proxy):
    with bucket.open(proxy.port) as one:
        proxy.fail("late", REQUESTS["complete"], times=2)
        assert write_both(one) == []
        assert one.tell("verify", "a/two", 2 * PART + 1000, 2) == "0"


def test_a_lost_answer_is_told_from_a_blob_of_somebody_else(bucket, proxy):
    with bucket.open(proxy.port) as one, bucket.open() as other:
        assert other.tell("put", "a/one", 10, 7) == "0"
        proxy.fail("lost", REQUESTS["put"], times=1)
        assert one.tell("put", "a/one", 2 * MIB, 1) == EXISTS
        assert one.tell("open", "a/two", 0) == "0"
        assert one.tell("write", "-", PART + 1, 1) == "0"
        assert other.tell("put", "a/two", 10, 7) == "0"
        proxy.fail("lost", REQUESTS["complete"], times=1)
        assert one.tell("commit") == EXISTS
        assert one.tell("verify", "a/one", 10, 7) == "0"
        assert one.tell("verify", "a/two", 10, 7) == "0"
        assert one.tell("list", "stages") == "0"
    assert bucket.uploads() == []


def test_an_upload_that_a_rule_of_the_bucket_aborted(bucket):
    with bucket.open() as one:
        assert one.tell("open", "a/old", 0) == "0"
        assert one.tell("write", "-", PART + 1000, 1) == "0"
        assert one.tell("sync") == "0"
        [(key, upload)] = bucket.uploads()
        bucket.s3.abort_multipart_upload(Bucket=BUCKET, Key=bucket.prefix + key, UploadId=upload)
        assert one.tell("commit") == f"fault {errno.EIO}"
        assert one.tell("verify", "a/old", 0) == NONE
        assert one.tell("open", "a/old", PART + 1000) == SHORT  # so the caller begins again
        assert one.tell("open", "a/old", 0) == "0"
        assert one.tell("write", "-", PART + 1000, 2) == "0"
        assert one.tell("commit") == "0"
        assert one.tell("verify", "a/old", PART + 1000, 2) == "0"
    assert bucket.uploads() == []


class Unconditional(FaultyProxy):
    """A store that does not heed If-None-Match."""

    def __init__(self, store):
        super().__init__(store.port)
        self.store = store

    def reply(self, client, head, body):
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
        headers = {name: value for name, value in lines
                   if name.lower() not in ("if-none-match", "authorization", "x-amz-date",
                                           "x-amz-content-sha256")}
        line = head.decode().split("\r\n")[0]
        method, path, _ = line.split(" ")
        request = botocore.awsrequest.AWSRequest(method, f"http://{headers['Host']}{path}",
                                                 headers, body)
        botocore.auth.S3SigV4Auth(
            botocore.credentials.Credentials(self.store.key, self.store.secret), "s3",
            "us-east-1").add_auth(request)
        signed = "\r\n".join([line, *(f"{name}: {value}"
                                      for name, value in request.headers.items())])
        return super().reply(client, signed.encode(), body)


def test_a_store_that_knows_no_conditions(store, bucket):
    with Unconditional(store) as proxy, bucket.open(proxy.port) as one, bucket.open() as other:
        assert one.tell("put", "a/one", 20, 1) == "0"
        assert one.tell("put", "a/one", 20, 2) == EXISTS
        assert one.tell("verify", "a/one", 20, 1) == "0"
        assert len([line for line in proxy.seen if re.search(REQUESTS["put"], line)]) == 1
        proxy.fail("lost", r"^PUT \S*/blobs/a/lost ")
        assert one.tell("put", "a/lost", 20, 1) == "0"
        proxy.fail("lost", REQUESTS["complete"])
        assert write_both(one) == [EXISTS]
        assert one.tell("verify", "a/two", 2 * PART + 1000, 2) == "0"
        assert one.tell("open", "a/late", 0) == "0"
        assert one.tell("write", "-", PART + 1, 1) == "0"
        assert other.tell("put", "a/late", 20, 7) == "0"
        assert one.tell("commit") == EXISTS
        assert one.tell("verify", "a/late", 20, 7) == "0"
    assert bucket.uploads() == []


# Stores that are not ours

def refused(url, store, secret=None, **environment):
    done = subprocess.run([BUILD / "blobs_try", url], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL,
                          env={**keys(store, secret), **environment})
    assert store.secret not in done.stderr and "wrong" not in done.stderr
    return done.stdout.strip(), done.stderr


def test_keys_that_are_refused(store, bucket):
    with bucket.open() as one:
        assert one.opened == "0"
    said, why = refused(bucket.url(), store, secret="wrong")
    assert said == f"fault {errno.EACCES}" and "does not accept the secret key" in why
    said, why = refused(bucket.url(), store, AWS_ACCESS_KEY_ID="nobody")
    assert said == f"fault {errno.EACCES}" and "does not know the access key" in why
    said, why = refused(bucket.url(), store, secret=READER[1], AWS_ACCESS_KEY_ID=READER[0])
    assert said == f"fault {errno.EACCES}"


def test_buckets_that_are_not_ours(store, bucket):
    said, why = refused(bucket.url().replace(BUCKET, "nonesuch"), store)
    assert said == f"fault {errno.ENOMEDIUM}" and "no such bucket" in why
    bucket.s3.put_object(Bucket=BUCKET, Key=bucket.prefix + "photo.jpg", Body=b"x")
    said, why = refused(bucket.url(), store)
    assert said == f"fault {errno.ENOMEDIUM}" and "holds other objects" in why
    assert set(bucket.objects()) == {"photo.jpg"}


def test_a_store_that_is_not_there(store, bucket):
    said, _ = refused(bucket.url(free_port()), store)
    assert said == AWAY


def test_https(store, bucket, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("store", hosts=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.chain, pair.key)
    trusting = {"AWS_CA_BUNDLE": str(authority.file)}
    with FaultyProxy(store.port, context) as proxy:
        url = bucket.url(proxy.port).replace("http:", "https:")
        said, why = refused(url, store)
        assert said == AWAY and "not trusted" in why and proxy.seen == []
        said, why = refused(url.replace("127.0.0.1", "localhost"), store, **trusting)
        assert said == AWAY and "not trusted" in why and proxy.seen == []
        with Try(url, {**keys(store), **trusting}) as one:
            assert write_both(one) == []
            assert one.tell("verify", "a/two", 2 * PART + 1000, 2) == "0"
        assert len(proxy.seen) > 10


# Another client

def test_what_another_client_sees(bucket):
    with bucket.open() as one:
        assert one.tell("seal", "u1/sealed", 200000) == "0"
        assert one.tell("put", "u1/plain", 300, 4) == "0"
        assert one.tell("open", "u2/grows", 0) == "0"
        assert one.tell("write", "-", PART + 700, 5) == "0"
        assert one.tell("sync") == "0"
    overhead = 29 * -(-200000 // 65536)
    objects = bucket.objects()
    state = f"stages/u2/grows/{PART + 700:016x}"
    assert set(objects) == {"imagesync-blobs", "blobs/u1/plain", "blobs/u1/sealed", state,
                            f"stages/u2/grows/{0:016x}"}
    assert objects["blobs/u1/sealed"] == 200000 + overhead and objects["blobs/u1/plain"] == 300
    uuid.UUID(bucket.get("imagesync-blobs").decode())
    assert b"AAAAAA" not in bucket.get("blobs/u1/sealed")
    assert len(bucket.get(state).partition(b"\n")[2]) == 700
    assert [key for key, _ in bucket.uploads()] == ["blobs/u2/grows"]
    with pytest.raises(botocore.exceptions.ClientError):  # not before it is committed
        bucket.get("blobs/u2/grows")
    # What is copied by another client is the same store.
    copy = Bucket(bucket.store)
    for key in objects:
        copy.s3.put_object(Bucket=BUCKET, Key=copy.prefix + key, Body=bucket.get(key))
    with copy.open() as one:
        assert one.tell("verify", "u1/plain", 300, 4) == "0"
