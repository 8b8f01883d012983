# SPDX-License-Identifier: Apache-2.0
"""A throw-away SeaweedFS, a store that speaks S3, on free ports of 127.0.0.1.

    with Seaweed() as store:
        store.endpoint, store.key, store.secret, store.client()  # boto3's

It ends with the `with` block, and with this process whatever ends it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

from postgres_server import ending_with_us, free_port

WEED = Path(sys.executable).parent / "weed"
START_S = 90  # it takes 20 until its volumes are there
STOP_S = 30
READER = ("reader", "the secret of one who may only read")


class Seaweed:
    key, secret = "tester", "not/so+secret=at all"

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="imagesync-seaweed-"))
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def identities(self):
        def identity(name, secret, actions):
            return {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}],
                    "actions": actions}
        return {"identities": [identity(self.key, self.secret, ["Admin"]),
                               identity(*READER, ["Read", "List"])]}

    def start(self):
        config = self.folder / "s3.json"
        config.write_text(json.dumps(self.identities()))
        data = self.folder / "data"
        data.mkdir()
        ports = {f"{part}.port{kind}": free_port() for kind in ("", ".grpc")
                 for part in ("master", "volume", "filer")}
        ports |= {"s3.port": self.port, "s3.port.grpc": free_port(), "s3.port.iceberg": 0,
                  "s3.port.lance": 0}
        flags = {"ip": "127.0.0.1", "ip.bind": "127.0.0.1", "dir": data, "s3": "true",
                 "s3.config": config, "s3.autoCreateBucket": "false", "master.telemetry": "false", "volume.max": 40,
                 "master.volumeSizeLimitMB": 1024, **ports}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ending_with_us([WEED, "server", *(f"-{k}={v}" for k, v in flags.items())]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + START_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(self.log()[-2000:])
            time.sleep(0.2)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def ready(self):
        """Whether an object can be written."""
        client = self.client()
        try:
            client.create_bucket(Bucket="ready")
        except client.exceptions.BucketAlreadyExists:
            pass
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            return False
        try:
            client.put_object(Bucket="ready", Key="x", Body=b"x")
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            return False
        return True

    def client(self):
        return boto3.client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id=self.key,
            aws_secret_access_key=self.secret, region_name="us-east-1",
            config=botocore.config.Config(retries={"max_attempts": 1}, read_timeout=20,
                                          s3={"addressing_style": "path"}))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()  # nothing needs to be kept
            self.process.wait(STOP_S)
        shutil.rmtree(self.folder, ignore_errors=True)
