"""The hosts of a training job, from `resourceconfig.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from container.errors import PlatformError

WORKER_PORT = 8890  # the port that AWS's own TensorFlow containers use for MultiWorkerMirroredStrategy


@dataclass(frozen=True)
class Cluster:
    """All hosts in an order that is the same on every host, and which of them this one is.

    Source: training contract, `resourceconfig.json`; only `hosts`, `current_host` and
    `network_interface_name` are promised there.
    """

    hosts: tuple[str, ...]
    current_host: str
    network_interface: str = "eth0"

    @property
    def rank(self) -> int:
        """The index of this host among `hosts`."""
        return self.hosts.index(self.current_host)

    @property
    def is_chief(self) -> bool:
        """Whether this host is the one that writes checkpoints and the model."""
        return self.rank == 0

    def tf_config(self, port: int = WORKER_PORT) -> dict[str, Any]:
        """The content of `TF_CONFIG`, which SageMaker does not set, for MultiWorkerMirroredStrategy."""
        return {
            "cluster": {"worker": [f"{host}:{port}" for host in self.hosts]},
            "task": {"type": "worker", "index": self.rank},
            "environment": "cloud",
        }


SINGLE_HOST = Cluster(hosts=("localhost",), current_host="localhost", network_interface="lo")


def read_cluster(path: Path) -> Cluster:
    """The cluster of SageMaker's `resourceconfig.json`; one host when the file is missing.

    `PlatformError` when it cannot be read or names a current host that is not among its hosts. Going on as a single
    host would train one model on each machine, and nobody would notice.
    """
    try:
        config = json.loads(path.read_bytes())
        hosts = tuple(sorted(config["hosts"]))
        current, interface = config["current_host"], config.get("network_interface_name", "eth0")
    except FileNotFoundError:
        return SINGLE_HOST
    except OSError as error:
        raise PlatformError(f"{path} cannot be read ({error.strerror}): run the container as root.") from None
    except (ValueError, KeyError, TypeError):
        raise PlatformError(f'{path} is damaged: it must hold a JSON object with "hosts" and "current_host".') from None
    if current not in hosts:
        raise PlatformError(f"{path} names the current host {current!r}, which is not among {', '.join(hosts)}.")
    return Cluster(hosts, current, interface)
