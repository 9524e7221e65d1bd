"""A real OpenTelemetry Collector with our settings."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from manifests.built import program
from manifests.kustomized import DEPLOY
from support.processes import Process, free_port


@contextmanager
def collector(settings: str, folder: Path, **env: str) -> Generator[None]:
    """Run it with deploy/logs/collector/`settings`; where it has not been built, the test is skipped."""
    health = f"127.0.0.1:{free_port()}"
    command = [program("otelcol"), "--config", str(DEPLOY / "logs" / "collector" / settings)]
    process = Process(command, env={"STATE": str(folder / "state"), "HEALTH": health, **env}, cwd=folder)
    try:
        yield
        assert process.terminate() == 0
    finally:
        process.kill()
