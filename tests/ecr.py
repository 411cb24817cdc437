"""A stand-in for Amazon ECR under its real name: HTTPS on port 443, a login that is checked, layers on this disk.

Both the engine and the SDK make up the registry's name out of account and region and know no other port. So
this writes two things of the machine for the time of a test: lines in /etc/hosts, and the certificate below
/etc/docker/certs.d. It does so in CI, and elsewhere only when it is asked for by NMT_TEST_ECR=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.engine import docker, skip_or_fail

ACCOUNT = "123456789012"  # moto's
HOSTS = (
    f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn",
)
# bcrypt of "123456789012-auth-token", the password of moto's authorization token for the user AWS
HTPASSWD = "AWS:$2b$05$nmtnmtnmtnmtnmtnmtnmtOUC/dvZR91W5Vy6mT.UXKEzHkTJQ/KXS"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ETC_HOSTS = Path("/etc/hosts")
CERTIFICATES = Path("/etc/docker/certs.d")


@dataclass(frozen=True)
class Ecr:
    """The running registry. `ca` is the certificate that a client has to trust."""

    ca: Path

    def pushed_bytes(self, uri: str) -> list[int]:
        """Sizes of the config and of each layer, as they went over the wire, of `host/name@digest`."""
        host, _, rest = uri.partition("/")
        name, _, digest = rest.partition("@")
        answer = requests.get(
            f"https://{host}/v2/{name}/manifests/{digest}",
            headers={"Accept": MANIFEST},
            auth=("AWS", f"{ACCOUNT}-auth-token"),
            verify=str(self.ca),
            timeout=20,
        )
        answer.raise_for_status()
        document = answer.json()
        return [part["size"] for part in (document["config"], *document["layers"])]


def require_permission() -> None:
    """Skip where the machine's own files are not ours to write."""
    if os.environ.get("CI") != "true" and os.environ.get("NMT_TEST_ECR") != "1":
        skip_or_fail("Set NMT_TEST_ECR=1 to let this test write to /etc/hosts and /etc/docker/certs.d for its time.")
    if os.geteuid() != 0:
        skip_or_fail("Only root may write /etc/hosts and listen on port 443, so no push to ECR's own name is tested.")
    if shutil.which("docker-registry") is None:
        skip_or_fail("Debian's docker-registry is not installed, so no push is tested here.")


@contextmanager
def stand_in(folder: Path) -> Iterator[Ecr]:
    """ECR in `folder` under every name of `HOSTS`; afterwards the machine's files are as they were."""
    certificate, key = make_certificate(folder)
    (folder / "htpasswd").write_text(HTPASSWD + "\n")
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"auth: {{htpasswd: {{realm: ECR, path: {folder}/htpasswd}}}}\n"
        f"http: {{addr: '127.0.0.1:443', tls: {{certificate: {certificate}, key: {key}}}}}\n"
    )
    log = folder / "registry.log"
    with log.open("wb") as output, named(HOSTS), trusted(HOSTS, certificate):
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=output, stderr=output)
        try:
            wait_for(f"https://{HOSTS[0]}/v2/", certificate, process, log)
            wait_for_engine(HOSTS)
            yield Ecr(certificate)
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_for(url: str, ca: Path, process: subprocess.Popen[bytes], log: Path, within: float = 60) -> None:
    end = time.monotonic() + within
    while time.monotonic() < end:
        assert process.poll() is None, f"the registry ended: {log.read_text()}"
        try:
            assert requests.get(url, verify=str(ca), timeout=2).status_code == 401, "no login is asked for"
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError(f"nothing answered at {url} within {within} s: {log.read_text()}")


def wait_for_engine(hosts: Sequence[str], within: float = 30) -> None:
    """Until the engine, which keeps what it read of /etc/hosts for some seconds, knows each name."""
    end = time.monotonic() + within
    for host in hosts:
        while "no such host" in (said := docker("pull", f"{host}/none", check=False).stderr):
            assert time.monotonic() < end, f"the engine does not find {host}: {said}"
            time.sleep(0.2)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for `HOSTS`, signed by itself, good for a day; returns it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in ECR")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    return folder / "ca.crt", folder / "key.pem"


@contextmanager
def named(hosts: Sequence[str]) -> Iterator[None]:
    """`hosts` are this machine. Written in place: in a container /etc/hosts is a mount and cannot be renamed."""
    before = ETC_HOSTS.read_text()
    assert not any(host in before for host in hosts), "an earlier test left its lines in /etc/hosts: delete them"
    ETC_HOSTS.write_text(before.rstrip("\n") + "\n" + "".join(f"127.0.0.1 {host}\n" for host in hosts))
    try:
        yield
    finally:
        ETC_HOSTS.write_text(before)


@contextmanager
def trusted(hosts: Sequence[str], certificate: Path) -> Iterator[None]:
    """The engine trusts `certificate` when `hosts` show it."""
    folders = [CERTIFICATES / host for host in hosts]
    for folder in folders:
        folder.mkdir(parents=True)
        shutil.copy(certificate, folder / "ca.crt")
    try:
        yield
    finally:
        for folder in folders:
            shutil.rmtree(folder)
