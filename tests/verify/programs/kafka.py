"""A Kafka broker in KRaft mode: broker and controller in one process, no topics by themselves."""

import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from support.otlp_receiver import CERTIFICATE
from verify.asking import until
from verify.ports import new_port
from verify.programs.keeper import Keeper
from verify.programs.program import DidNotStart, Program

USER, PASSWORD = "penstock", "only-for-a-minute"
KEY = CERTIFICATE.with_name("localhost.key")
CLUSTER = urlsafe_b64encode(b"penstock--verify").decode().rstrip("=")
"""16 bytes; a random one may begin with a minus, which its tool takes for an option."""
PARTITIONS = 4
_LOG = """\
Configuration:
  Appenders:
    Console:
      name: stdout
      PatternLayout: {pattern: "%d %p %m (%c)%n%throwable"}
  Loggers:
    Root:
      level: info
      AppenderRef: {ref: stdout}
"""
_PROTOCOLS = "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT"
_JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # for minutes, not for months


class Kafka(Program):
    """`url` is for `--bus`; `secure_url` is the same broker's, by TLS, for a user with a password."""

    def __init__(self, jars: Path, folder: Path, keeper: Keeper) -> None:
        plain, secure, controller = (new_port() for _ in range(3))
        self.servers = f"127.0.0.1:{plain}"
        self.url = f"kafka://{self.servers}"
        self.secure_url = f"kafka+ssl://{USER}:{PASSWORD}@localhost:{secure}?ca_file={CERTIFICATE}"
        self._properties = folder / "kafka.properties"
        self._properties.write_text(_properties(folder, plain, secure, controller))
        (folder / "kafka.pem").write_text(f"{KEY.read_text()}{CERTIFICATE.read_text()}")
        (folder / "kafka.log4j.yaml").write_text(_LOG)
        logging = f"-Dlog4j2.configurationFile={folder / 'kafka.log4j.yaml'}"
        self._java = ["java", *_JVM, logging, "-cp", f"{jars}/*"]
        command = [*self._java, "kafka.Kafka", str(self._properties)]
        super().__init__("kafka", command, folder=folder, keeper=keeper, ready=self._is_ready)

    def format(self) -> None:
        """Prepare the folder of its data, once; raises `DidNotStart` with what Kafka says."""
        tool = "kafka.tools.StorageTool"
        options = ("format", "--standalone", "--cluster-id", CLUSTER, "--config", str(self._properties))
        done = subprocess.run(
            [*self._java, tool, *options], capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            raise DidNotStart(f"kafka: {done.stdout[-500:]}{done.stderr[-500:]}")

    def renew_topic(self, name: str) -> None:
        """Return once there is one with nothing in it."""
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 2})
        if name in admin.list_topics(timeout=30).topics:
            admin.delete_topics([name])[name].result(30)
            until(lambda: name not in admin.list_topics(timeout=30).topics, f"{name} is gone")
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)

    def _is_ready(self) -> bool:
        return "Kafka Server started" in self.log.read_text(errors="replace")


def _properties(folder: Path, plain: int, secure: int, controller: int) -> str:
    listeners = f"PLAINTEXT://127.0.0.1:{plain},SASL_SSL://localhost:{secure}"
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    return "\n".join(
        [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.bootstrap.servers=127.0.0.1:{controller}",
            f"listeners={listeners},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners={listeners}",
            f"listener.security.protocol.map={_PROTOCOLS}",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN",
            f'listener.name.sasl_ssl.plain.sasl.jaas.config={login} user_{USER}="{PASSWORD}";',
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={folder / 'kafka.pem'}",
            f"log.dirs={folder / 'kafka'}",
            "auto.create.topics.enable=false",
            "offsets.topic.num.partitions=4",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "log.retention.ms=-1",  # the suite's events are years old, and would be gone 30 s after the start
            "group.initial.rebalance.delay.ms=0",
            "group.min.session.timeout.ms=1000",  # the suite's members are quick to be missed
            "",
        ]
    )
