"""The hosts of a job from resourceconfig.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from container.errors import PlatformError
from train.job.cluster import Cluster, read_cluster

SERVICE = {  # as a training job of the service had it
    "current_group_name": "homogeneousCluster",
    "current_host": "algo-2",
    "current_instance_type": "ml.c5.xlarge",
    "hosts": ["algo-2", "algo-1"],
    "instance_groups": [{"hosts": ["algo-1", "algo-2"], "instance_group_name": "homogeneousCluster"}],
    "network_interface_name": "eth7",
    "topology": None,
}


def written(folder: Path, content: object) -> Path:
    path = folder / "resourceconfig.json"
    path.write_text(json.dumps(content))
    return path


def test_hosts_are_sorted_and_this_one_knows_its_rank(tmp_path: Path) -> None:
    cluster = read_cluster(written(tmp_path, SERVICE))
    assert cluster == Cluster(("algo-1", "algo-2"), "algo-2", "eth7")
    assert (cluster.rank, cluster.is_chief) == (1, False)


def test_the_first_host_is_the_chief(tmp_path: Path) -> None:
    cluster = read_cluster(written(tmp_path, {**SERVICE, "current_host": "algo-1"}))
    assert (cluster.rank, cluster.is_chief) == (0, True)


def test_tf_config_is_the_one_aws_builds(tmp_path: Path) -> None:
    cluster = read_cluster(written(tmp_path, SERVICE))
    assert cluster.tf_config() == {
        "cluster": {"worker": ["algo-1:8890", "algo-2:8890"]},
        "task": {"type": "worker", "index": 1},
        "environment": "cloud",
    }
    assert cluster.tf_config(port=7000)["cluster"]["worker"] == ["algo-1:7000", "algo-2:7000"]


def test_without_the_file_there_is_one_host(tmp_path: Path) -> None:
    cluster = read_cluster(tmp_path / "resourceconfig.json")
    assert (len(cluster.hosts), cluster.rank, cluster.is_chief) == (1, 0, True)


def test_the_network_interface_may_be_missing(tmp_path: Path) -> None:
    cluster = read_cluster(written(tmp_path, {"hosts": ["a"], "current_host": "a"}))
    assert cluster.network_interface == "eth0"


@pytest.mark.parametrize("content", [[], {}, {"hosts": ["a"]}, {"hosts": None, "current_host": "a"}, "text", 5])
def test_a_damaged_file_is_named(tmp_path: Path, content: object) -> None:
    with pytest.raises(PlatformError, match=r"resourceconfig\.json is damaged"):
        read_cluster(written(tmp_path, content))


def test_invalid_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "resourceconfig.json"
    path.write_text("{")
    with pytest.raises(PlatformError, match=r"resourceconfig\.json is damaged"):
        read_cluster(path)


def test_a_file_that_cannot_be_read_is_not_taken_for_one_host(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="cannot be read"):
        read_cluster(tmp_path)


def test_a_host_that_is_not_of_the_cluster_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="'algo-9', which is not among algo-1, algo-2"):
        read_cluster(written(tmp_path, {**SERVICE, "current_host": "algo-9"}))
