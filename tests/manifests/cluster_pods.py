"""Pods as a watch tells of them."""

from manifests.kustomized import Object


class Pods:
    """Those that are there, as of the last change that was heard."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        """The uid of every pod that ever was there."""
        self._now: dict[str, Object] = {}

    def hear(self, kind: str, pod: Object) -> None:
        """One change: ADDED, MODIFIED or DELETED."""
        uid = pod["metadata"]["uid"]
        self.seen.add(uid)
        if kind == "DELETED":
            self._now.pop(uid, None)
        else:
            self._now[uid] = pod

    @property
    def known(self) -> set[str]:
        """The uid of each."""
        return set(self._now)

    @property
    def staying(self) -> list[Object]:
        """Those that nobody has told to end."""
        return [pod for pod in self._now.values() if "deletionTimestamp" not in pod["metadata"]]

    @property
    def ready(self) -> list[Object]:
        """Those that take work: ready, and not about to end."""
        return ready_pods(self.staying)


def ready_pods(pods: list[Object]) -> list[Object]:
    """Those of them that say so."""
    return [pod for pod in pods if _is_ready(pod)]


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
