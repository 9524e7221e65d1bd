"""The files that follow from the dashboards."""

import json
from pathlib import Path

from grafana.pages import dashboards

FOLDER = Path(__file__).parent / "dashboards"


def files() -> dict[Path, str]:
    """Their texts.

    All of them have to stay below 256 KiB: `kubectl apply` keeps a copy of a ConfigMap in an annotation.
    """
    return {
        FOLDER / f"{page.name}.json": json.dumps(page.as_json(), indent=1, ensure_ascii=False) + "\n"
        for page in dashboards()
    }
