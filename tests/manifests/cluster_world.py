"""What stands in a cluster before anything of ours does."""

from manifests.kustomized import Object

ZONES = ("a", "b", "c")
NODES = tuple(f"{zone}{number}" for zone in ZONES for number in (1, 2))


def world() -> list[Object]:
    """Two nodes in each zone, and volumes for whoever asks for one, more than all tests together do."""
    return [*map(_node, NODES), _storage(), *map(_volume, range(60))]


def _node(name: str) -> Object:
    labels = {"topology.kubernetes.io/zone": name[0], "kubernetes.io/hostname": name}
    room = {"cpu": "16", "memory": "64Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": room, "allocatable": room},
    }


def _storage() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
    }


def _volume(number: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"volume-{number}"},
        "spec": {
            "storageClassName": "standard",
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/nowhere/{number}"},
        },
    }
