"""build_and_push.sh: what it pushes, what it prints, and one clear sentence for each thing missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
import requests

from tests.delivery.project import Project
from tests.engine import docker

TOOLS = (  # what the script calls beside docker and aws
    "awk",
    "bash",
    "cat",
    "cksum",
    "cut",
    "df",
    "dirname",
    "env",
    "find",
    "git",
    "head",
    "sed",
    "sort",
    "tail",
    "tee",
    "xargs",
)


def ecr(url: str, region: str = "eu-west-1"):  # type: ignore[no-untyped-def]  # boto3 makes clients at run time
    return boto3.client(
        "ecr", endpoint_url=url, region_name=region, aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.mark.docker
def test_pushes_one_manifest_and_prints_its_digest_uri_alone(
    project: Project, engine: None, registry: str, ecr_api: str, tmp_path: Path
) -> None:
    (project.root / "README.md").write_text("Not in the image, so no change of it.\n")
    done = project.push("nmt/spanish", cwd=tmp_path, ECR_REGISTRY=registry)
    assert done.returncode == 0, done.stderr
    uri, ending = done.stdout.split("\n", 1)
    assert ending == "", "stdout holds the URI and nothing else"
    digest = re.fullmatch(rf"{registry}/nmt/spanish@(sha256:[0-9a-f]{{64}})", uri)
    assert digest, uri

    single = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    answer = requests.get(
        f"http://{registry}/v2/nmt/spanish/manifests/{digest[1]}", headers={"Accept": single}, timeout=20
    )
    assert answer.headers["Content-Type"] in single, "SageMaker refuses an index of manifests"
    config = requests.get(
        f"http://{registry}/v2/nmt/spanish/blobs/{answer.json()['config']['digest']}", timeout=20
    ).json()
    assert (config["os"], config["architecture"]) == ("linux", "amd64")

    tags = requests.get(f"http://{registry}/v2/nmt/spanish/tags/list", timeout=20).json()["tags"]
    assert tags == [project.git("rev-parse", "--short=12", "HEAD")]
    (repository,) = ecr(ecr_api).describe_repositories(repositoryNames=["nmt/spanish"])["repositories"]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["imageTagMutability"] == "IMMUTABLE"
    policy = ecr(ecr_api).get_lifecycle_policy(repositoryName="nmt/spanish")
    (rule,) = json.loads(policy["lifecyclePolicyText"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged", "an image with a tag may be in use"


@pytest.mark.docker
def test_again_on_an_existing_repository_gives_the_same_answer(
    project: Project, engine: None, registry: str, ecr_api: str
) -> None:
    ecr(ecr_api).create_repository(repositoryName="sagemaker-nmt")
    first, second = (project.push(ECR_REGISTRY=registry) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stdout == second.stdout
    assert first.stdout.startswith(f"{registry}/sagemaker-nmt@sha256:")
    assert "Building" in first.stderr
    assert "was pushed before" in second.stderr
    assert "Building" not in second.stderr


@pytest.mark.docker
def test_what_was_pushed_is_not_built_again_where_nothing_of_it_is_left(
    project: Project, engine: None, registry: str
) -> None:
    """As on a second machine: the registry alone knows. There is no room for a build, and none is asked for."""
    first = project.push("elsewhere", ECR_REGISTRY=registry)
    project.remove_images()
    second = project.push("elsewhere", ECR_REGISTRY=registry, BUILD_DISK_GB="999999")
    assert (second.returncode, second.stdout) == (0, first.stdout), second.stderr


@pytest.mark.docker
def test_dry_run_changes_nothing(project: Project, engine: None, registry: str, ecr_api: str) -> None:
    tag = project.git("rev-parse", "--short=12", "HEAD")
    done = project.push("--dry-run", "dry", ECR_REGISTRY=registry)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Would create the repository dry" in done.stderr
    assert f"Would build and push {registry}/dry:{tag}\n" in done.stderr
    assert ecr(ecr_api).describe_repositories()["repositories"] == []
    assert project.images() == set()

    pushed = project.push("dry", ECR_REGISTRY=registry)
    done = project.push("--dry-run", "dry", ECR_REGISTRY=registry)
    assert (done.returncode, done.stdout) == (0, pushed.stdout), done.stderr


@pytest.mark.docker
def test_gpu_and_pytorch_are_other_images_under_other_tags(project: Project, engine: None, registry: str) -> None:
    (project.root / "Dockerfile").write_text(
        "FROM scratch\nARG FRAMEWORK\nARG ACCELERATOR\nARG REVISION\nARG CREATED\nCOPY train /train\n"
        f"LABEL test={project.label} built=$FRAMEWORK-$ACCELERATOR revision=$REVISION created=$CREATED\n"
    )
    project.git("commit", "--quiet", "--all", "--message", "labelled")
    for arguments in ((), ("--gpu",), ("--framework", "pytorch")):
        done = project.push(*arguments, "both", ECR_REGISTRY=registry)
        assert done.returncode == 0, done.stderr
    revision = project.git("rev-parse", "--short=12", "HEAD")
    committed = datetime.fromisoformat(project.git("log", "-1", "--format=%cI"))
    tags = requests.get(f"http://{registry}/v2/both/tags/list", timeout=20).json()["tags"]
    built = {revision: "tensorflow-cpu", f"{revision}-gpu": "tensorflow-gpu", f"{revision}-pytorch": "pytorch-cpu"}
    assert sorted(tags) == sorted(built)
    for tag, arguments_of_build in built.items():
        found = docker("image", "inspect", "--format={{json .Config.Labels}}", f"{registry}/both:{tag}").stdout
        labels = json.loads(found)
        assert (labels["built"], labels["revision"]) == (arguments_of_build, tag)
        assert datetime.fromisoformat(labels["created"]) == committed, "the commit's date, not the build's"


@pytest.mark.docker
def test_another_base_is_another_image_under_another_tag(project: Project, engine: None, registry: str) -> None:
    (project.root / "Dockerfile").write_text(
        f"ARG BASE_IMAGE=scratch\nFROM scratch\nARG BASE_IMAGE\nCOPY train /train\n"
        f"LABEL test={project.label} base=$BASE_IMAGE\n"
    )
    project.git("commit", "--quiet", "--all", "--message", "labelled")
    revision = project.git("rev-parse", "--short=12", "HEAD")
    for base in ("python@sha256:1", "python@sha256:2"):
        done = project.push("based", ECR_REGISTRY=registry, BASE_IMAGE=base)
        assert done.returncode == 0, done.stderr
        (tag,) = re.findall(rf"Building {registry}/based:({revision}-base-\d+)\n", done.stderr)
        found = docker("image", "inspect", "--format={{.Config.Labels.base}}", f"{registry}/based:{tag}").stdout
        assert found.strip() == base


@pytest.mark.docker
def test_writes_the_bill_of_materials_beside_the_digest(
    project: Project, engine: None, registry: str, tmp_path: Path
) -> None:
    (project.root / "train" / "parts.json").write_text('{"components": []}')
    with (project.root / "Dockerfile").open("a") as file:
        file.write("COPY train/parts.json /opt/sbom.cdx.json\n")
    folder = tmp_path / "a folder"
    folder.mkdir()
    first = project.push("--sbom", "sbom.json", "listed", cwd=folder, ECR_REGISTRY=registry)
    assert first.returncode == 0, first.stderr
    assert (folder / "sbom.json").read_text() == '{"components": []}'
    project.remove_images()  # pushed before, by another machine
    again = project.push("--sbom", str(folder / "again.json"), "listed", ECR_REGISTRY=registry)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    assert (folder / "again.json").read_text() == '{"components": []}'
    refused = project.push("--sbom", str(folder / "none" / "sbom.json"), "listed", ECR_REGISTRY=registry)
    assert "the bill of materials could not be written to" in last_line(refused)
    left = docker("ps", "--all", "--quiet", f"--filter=ancestor={first.stdout.strip()}").stdout
    assert left == "", "the container that it was read from"


@pytest.mark.docker
def test_uncommitted_changes_show_in_the_tag(project: Project, engine: None, registry: str) -> None:
    (project.root / "train" / "__init__.py").write_text("# changed\n")
    done = project.push("dirty", ECR_REGISTRY=registry)
    assert done.returncode == 0, done.stderr
    (tag,) = requests.get(f"http://{registry}/v2/dirty/tags/list", timeout=20).json()["tags"]
    assert re.fullmatch(project.git("rev-parse", "--short=12", "HEAD") + r"-\d+", tag)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_without_override_the_registry_is_that_of_account_region_and_partition(
    project: Project, engine: None, ecr_api: str, region: str, host: str
) -> None:
    """There is no such account, so the script gets as far as the login and says so."""
    done = project.push(AWS_REGION=region)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"build_and_push.sh: the login to {host} failed (reason above)."
    assert ecr(ecr_api, region).describe_repositories()["repositories"], "the repository was made in that region"


def path_without(*missing: str, folder: Path, environment: Mapping[str, str]) -> str:
    """A PATH that holds the script's tools except the missing ones."""
    folder.mkdir()
    for tool in {*TOOLS, "docker", "aws"} - set(missing):
        found = shutil.which(tool, path=environment["PATH"])
        if found:
            (folder / tool).symlink_to(found)
    return str(folder)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()[-1]


def test_says_that_docker_is_missing(project: Project, tmp_path: Path) -> None:
    path = path_without("docker", folder=tmp_path / "bin", environment=project.environment)
    assert "docker is not installed" in last_line(project.push(PATH=path))


@pytest.mark.docker
def test_says_that_no_engine_answers(project: Project, engine: None, tmp_path: Path) -> None:
    done = project.push(DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert "no Docker engine answers" in last_line(done)


@pytest.mark.docker
def test_says_that_the_aws_cli_is_missing(project: Project, engine: None, tmp_path: Path) -> None:
    path = path_without("aws", folder=tmp_path / "bin", environment=project.environment)
    assert "the AWS CLI is not installed" in last_line(project.push(PATH=path))


@pytest.mark.docker
def test_says_that_no_region_is_set(project: Project, engine: None) -> None:
    assert "no AWS region is set" in last_line(project.push(AWS_REGION=""))


@pytest.mark.docker
def test_says_that_there_are_no_credentials(project: Project, engine: None) -> None:
    done = project.push(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert "AWS does not accept the credentials" in last_line(done)


@pytest.mark.docker
def test_says_that_the_image_did_not_build(project: Project, engine: None, registry: str) -> None:
    (project.root / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
    assert "the image did not build" in last_line(project.push(ECR_REGISTRY=registry))


@pytest.fixture
def read_only_registry() -> Iterator[str]:
    """A registry that lets everybody in and takes nothing."""
    with answering(lambda reading: 404 if reading else 403) as address:
        yield address


@pytest.fixture
def broken_registry() -> Iterator[str]:
    """A registry that lets everybody in and fails on everything."""
    with answering(lambda reading: 500) as address:
        yield address


@contextmanager
def answering(status: Callable[[bool], int]) -> Iterator[str]:
    """The address of a registry that answers everything but a login by `status`, of a reading request or another."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(200 if self.path == "/v2/" else status(self.command in ("GET", "HEAD")))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.docker
def test_says_that_the_push_failed(project: Project, engine: None, read_only_registry: str) -> None:
    done = project.push(ECR_REGISTRY=read_only_registry)
    assert f"the push to {read_only_registry} failed" in last_line(done)


@pytest.mark.docker
def test_says_that_the_registry_does_not_say_what_it_has(
    project: Project, engine: None, ecr_api: str, broken_registry: str
) -> None:
    """To build and push in the dark would end at an immutable tag."""
    ecr(ecr_api).create_repository(repositoryName="sagemaker-nmt")
    said = last_line(project.push(ECR_REGISTRY=broken_registry))
    assert f"{broken_registry} did not say whether it has sagemaker-nmt:" in said


@pytest.mark.docker
def test_says_that_the_login_failed(project: Project, engine: None) -> None:
    assert "the login to localhost:9 failed" in last_line(project.push(ECR_REGISTRY="localhost:9"))


@pytest.mark.docker
def test_says_that_the_disk_is_too_full(project: Project, engine: None, registry: str) -> None:
    said = last_line(project.push(ECR_REGISTRY=registry, BUILD_DISK_GB="999999"))
    assert re.search(r"has \d+ GB free, the build asks for 999999; run docker system prune", said)


@pytest.mark.docker
def test_says_that_ecr_refuses(project: Project, engine: None, registry: str) -> None:
    """The sentence holds what ECR said: here that the name is not one."""
    assert "the repository Upper could not be created" in last_line(project.push("Upper", ECR_REGISTRY=registry))


def test_unknown_options_and_too_many_arguments_are_refused(project: Project) -> None:
    assert "unknown option --gpus" in last_line(project.push("--gpus"))
    assert "--framework is tensorflow or pytorch" in last_line(project.push("--framework", "torch"))
    assert "no image with PyTorch for GPUs" in last_line(project.push("--framework", "pytorch", "--gpu"))
    assert "one repository at most, got one and two" in last_line(project.push("one", "two"))


def test_help_goes_to_stdout(project: Project) -> None:
    done = project.push("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: build_and_push.sh")
