# SPDX-License-Identifier: Apache-2.0
"""Where the files of libraries are, as an operator sees it: a folder, or a bucket of S3; and
SeaweedFS and RabbitMQ for the tests of this process."""

import contextlib
import functools
import itertools
import os
import shutil
import sys
from pathlib import Path

import boto3
import botocore.config

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contract"))

from rabbitmq_server import Broker  # noqa: E402
from seaweed_server import Seaweed  # noqa: E402

BUCKET = "tests"
_numbers = itertools.count(1)


# They take long to start, so that the tests of a process share them.
running = contextlib.ExitStack()


@functools.cache
def _broker():
    broker = running.enter_context(Broker())
    broker.control("await_startup")  # it takes connections a moment before commands
    return broker


@functools.cache
def _seaweed():
    store = running.enter_context(Seaweed())
    store.client().create_bucket(Bucket=BUCKET)
    return store


def place():
    """A new place for files, as settings of the binary."""
    store = _seaweed()
    return {"blobs": "s3", "s3_endpoint": store.endpoint, "s3_bucket": BUCKET,
            "s3_prefix": f"library{next(_numbers)}/", "s3_access_key": store.key,
            "s3_secret_key": store.secret}


@contextlib.contextmanager
def stores():
    """The same and a queue."""
    with _broker().host(f"library{next(_numbers)}") as queue:
        yield {"queue": queue, **place()}


class Folder:
    def __init__(self, root):
        self.root = Path(root)

    def sizes(self, area="blobs"):
        """The length of each file by its name."""
        return {str(path.relative_to(self.root / area)): path.stat().st_size
                for path in (self.root / area).rglob("*") if path.is_file()}

    def read(self, name, area="blobs"):
        return (self.root / area / name).read_bytes()

    def write(self, name, content, area="blobs"):
        """Also over what is there, which a server never does."""
        path = self.root / area / name
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            os.chmod(path, 0o600)
        path.write_bytes(content)

    def remove(self, name, area="blobs"):
        (self.root / area / name).unlink()

    def lose(self):
        """All there is, and by what it is known."""
        shutil.rmtree(self.root, ignore_errors=True)


class Bucket:
    def __init__(self, environment):
        def setting(name):
            return environment["IMAGESYNC_S3_" + name]

        self.bucket, self.prefix = setting("BUCKET"), setting("PREFIX")
        self.client = boto3.client(
            "s3", endpoint_url=setting("ENDPOINT"), aws_access_key_id=setting("ACCESS_KEY"),
            aws_secret_access_key=setting("SECRET_KEY"), region_name="us-east-1",
            config=botocore.config.Config(s3={"addressing_style": "path"}))

    def sizes(self, area="blobs"):
        return self._list(f"{self.prefix}{area}/")

    def _list(self, prefix):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket,
                                                                      Prefix=prefix)
        return {each["Key"][len(prefix):]: each["Size"]
                for page in pages for each in page.get("Contents", ())}

    def _object(self, name, area):
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{area}/{name}"}

    def read(self, name, area="blobs"):
        return self.client.get_object(**self._object(name, area))["Body"].read()

    def write(self, name, content, area="blobs"):
        self.client.put_object(Body=content, **self._object(name, area))

    def remove(self, name, area="blobs"):
        self.client.delete_object(**self._object(name, area))

    def lose(self):
        for key in self._list(self.prefix):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)


def store_of(server):
    return Bucket(server.environment) if str(server.blobs) == "s3" else Folder(server.blobs)
