"""The actor image: made once from this machine's own release, recognised afterwards by a hash of its recipe.

`python -m testbed.emulation.image` makes it beforehand.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.emulation.command import run
from testbed.emulation.docker_service import connect, docker_daemon
from testbed.errors import CapabilityError, EmulationError

ACTOR_IMAGE = "coflow-actor"
CONTENT_LABEL = "coflow-testbed.content"
CACHE = Path("/var/cache/coflow-testbed")
RECIPES = Path(__file__).resolve().parents[2] / "images"
BUILD_TIMEOUT_S = 600.0

_POLICY_SOURCE = re.compile(r"^ +\d+ (https?://\S+) \S+/main ", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """What the image is made from: the machine's distribution."""

    codename: str
    python: str
    """Version of its own Python, such as 3.11."""

    @property
    def content(self) -> str:
        """Hash of everything that decides what is in the image."""
        recipe = b"".join((RECIPES / name).read_bytes() for name in ("build-root.sh", "Dockerfile"))
        facts = f"{self.codename} {self.python} {platform.machine()}".encode()
        return hashlib.sha256(recipe + facts).hexdigest()[:16]


def ensure_image(client: Any, name: str, log: Callable[[str], None] = lambda _: None) -> str:
    """The id of an image in a Docker daemon; the actor image is made, or made anew, where it is not up to date.

    CapabilityError for another image that the daemon does not have, or where none of the ways to make one works.
    """
    found = inspect_image(client, name)
    if name != ACTOR_IMAGE:
        if found is None:
            raise CapabilityError(
                f"image '{name}' is not in the Docker daemon; build or pull it, or leave out hosts.image "
                f"for the testbed's own '{ACTOR_IMAGE}'"
            )
        return str(found["Id"])
    release = this_release()
    if found is not None and (found["Config"].get("Labels") or {}).get(CONTENT_LABEL) == release.content:
        return str(found["Id"])
    began = time.monotonic()
    try:
        root = cached_root(release, log)
    except EmulationError as error:
        log(f"image: {error}; trying images/Dockerfile")
        _build_with_dockerfile(client, release, error)
    else:
        repository = {"repository": ACTOR_IMAGE, "tag": "latest"}
        client.import_image_from_file(str(root), changes=[f'LABEL {CONTENT_LABEL}="{release.content}"'], **repository)
    made = inspect_image(client, name)
    if made is None:
        raise EmulationError(f"image '{name}' is not there after it was made; see the log of the Docker daemon")
    log(f"image: {name} made from {release.codename}, Python {release.python}, in {time.monotonic() - began:.1f} s")
    return str(made["Id"])


def inspect_image(client: Any, name: str) -> dict[str, Any] | None:
    """What the daemon says of an image, or None where it has none of that name."""
    from docker.errors import ImageNotFound

    try:
        found: dict[str, Any] = client.inspect_image(name)
    except ImageNotFound:
        return None
    return found


def cached_root(release: Release, log: Callable[[str], None] = lambda _: None) -> Path:
    """The root file system's tar from the cache folder, made first where it is not there."""
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    target = CACHE / f"actor-root-{release.content}.tar"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            log(f"image: unpacking Python {release.python} of {release.codename} (once)")
            fresh = target.with_suffix(".new.tar")
            mirror = apt_mirror()
            arguments = [release.codename, release.python, str(fresh), *([mirror] if mirror else [])]
            run([str(RECIPES / "build-root.sh"), *arguments], timeout_s=BUILD_TIMEOUT_S, lasting=True)
            fresh.replace(target)
            for old in CACHE.glob("actor-root-*.tar"):
                if old != target:
                    old.unlink()
    return target


def this_release() -> Release:
    """Codename and Python version of the distribution that this machine runs."""
    lines = Path("/etc/os-release").read_text().splitlines()
    facts = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
    python = run(["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
    return Release(facts.get("VERSION_CODENAME", facts.get("ID", "unknown")), python)


def apt_mirror() -> str | None:
    """The address from which this machine's apt takes Python; None where apt does not know (mmdebstrap then does)."""
    match = _POLICY_SOURCE.search(run(["apt-cache", "policy", "python3-minimal"]))
    return match[1] if match else None


def _build_with_dockerfile(client: Any, release: Release, first: EmulationError) -> None:
    from docker.errors import DockerException

    try:
        lines = list(
            client.build(
                path=str(RECIPES), tag=ACTOR_IMAGE, rm=True, decode=True, network_mode="none",
                labels={CONTENT_LABEL: release.content},
            )
        )  # fmt: skip
    except DockerException as error:
        words = str(error)
    else:
        words = "; ".join(str(line["error"]) for line in lines if "error" in line)
    if words:
        raise CapabilityError(
            f"the actor image cannot be made. From this machine's packages: {first}. From images/Dockerfile: {words}. "
            "Connect the machine to its package mirror or to a registry once, or name an image that the Docker daemon "
            "has (hosts: {image: NAME} in the topology file)"
        ) from None


def main() -> None:
    """Make the actor image unless it is there and up to date."""
    with docker_daemon("image", print) as socket, connect(socket) as client:
        print(f"image: {ACTOR_IMAGE} is {ensure_image(client, ACTOR_IMAGE, print)}")


if __name__ == "__main__":
    main()
