# SPDX-License-Identifier: Apache-2.0
"""A throw-away Kafka (KRaft, one node) on free ports of 127.0.0.1, from Maven's artifacts.

    with Kafka() as kafka:
        kafka.servers
        kafka.kill(); kafka.start()  # what was acknowledged is there again
        kafka.tls_servers            # with TLS, and USER and PASSWORD by SCRAM-SHA-512 or PLAIN
        kafka.show(kafka.authority.issue("kafka", expired=True))  # from its next start on

The jars that pom.xml names are gathered once, in .deps. It ends with the `with` block, and
with this process whatever ends it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from certificates import Authority  # noqa: E402
from postgres_server import free_port, wait_for  # noqa: E402

POM = Path(__file__).with_name("pom.xml")
START_S = 120
MEMORY = "-Xmx512m"
USER, PASSWORD = "relay", "pass-relay"
CONFIG = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},FAR://127.0.0.1:{far_port},CONTROLLER://127.0.0.1:{controller},TLS://127.0.0.1:{tls_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},FAR://127.0.0.1:{line_port},TLS://127.0.0.1:{tls_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SASL_SSL
listener.name.tls.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.tls.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.tls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.location={folder}/keystore.pem
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
"""


def jars_folder():
    return ROOT / ".deps" / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def jars():
    """The class path; gathered by Maven when it is not there."""
    folder = jars_folder()
    if not folder.exists():
        begun = Path(tempfile.mkdtemp(prefix="kafka-", dir=ROOT / ".deps"))
        subprocess.run(["mvn", "-B", "-q", "-f", POM, "dependency:copy-dependencies",
                        f"-DoutputDirectory={begun}"], check=True, timeout=600)
        begun.rename(folder)
    return f"{folder}/*"


class Kafka:
    """Who comes by `far_port` is told to come by `line_port`: for a line there that can be cut."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="imagesync-kafka-"))
        self.port, self.controller, self.far_port = free_port(), free_port(), free_port()
        self.tls_port = free_port()
        self.tls_servers = f"127.0.0.1:{self.tls_port}"
        self.authority = Authority(self.folder)
        self.line_port = self.far_port
        self.servers = f"127.0.0.1:{self.port}"
        self.process = None
        self.class_path = jars()

    def __enter__(self):
        try:
            (self.folder / "server.properties").write_text(CONFIG.format(
                port=self.port, controller=self.controller, folder=self.folder,
                far_port=self.far_port, line_port=self.line_port, tls_port=self.tls_port,
                user=USER, password=PASSWORD))
            self.show(self.authority.issue("kafka"))
            subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t",
                                     "4L6g3nShT-eMCtK--X86sw", "-c",
                                     self.folder / "server.properties", "--add-scram",
                                     f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
                           check=True, capture_output=True, timeout=START_S)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def java(self, *command):
        return ["java", MEMORY, "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                f"-Dkafka.logs.dir={self.folder}", "-cp", self.class_path, *map(str, command)]

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL",
                 *self.java("kafka.Kafka", self.folder / "server.properties")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        wait_for(self.ready, START_S, f"Kafka does not answer; see {self.folder}")

    def show(self, pair):
        (self.folder / "keystore.pem").write_text(pair.pem())

    def admin(self):
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
        try:
            return bool(self.admin().list_topics(timeout=1).brokers)
        except Exception:  # it says no in many ways
            return False

    def make_topic(self, name, partitions):
        admin = self.admin()
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(60)

    def kill(self):
        self.process.kill()
        self.process.wait()
