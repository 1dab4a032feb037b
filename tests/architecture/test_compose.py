"""docker-compose.yml and what belongs to it: ops/compose.tls.yml, .env.example, ops/Dockerfile, .dockerignore,
ops/nginx.conf.

There need not be a Docker here: what can be known without one is checked. ops/compose-without-registry shows the rest
on an engine; nginx itself is run in tests/integration/test_nginx.py.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from without_registry import images

from api.pages import assets
from api.serve import KEEP_ALIVE_SECONDS
from shared.settings import Settings

CHECKOUT = Path(__file__).parents[2]
COMPOSE_TEXT = (CHECKOUT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
TLS_TEXT = (CHECKOUT / "ops" / "compose.tls.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"mongo-init"}
DOCKERFILE = (CHECKOUT / "ops" / "Dockerfile").read_text()
NGINX_CONF = (CHECKOUT / "ops" / "nginx.conf").read_text()
NGINX_TLS_CONF = (CHECKOUT / "ops" / "nginx-tls.conf").read_text()
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?:(:?[-?])([^}]*))?\}")
SUBSTITUTES = VARIABLE.findall(COMPOSE_TEXT + TLS_TEXT)
ENV_EXAMPLE = dict(
    line.split("=", 1) for line in (CHECKOUT / ".env.example").read_text().splitlines() if re.match(r"[A-Z]", line)
)


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(instruction, arguments), continued lines joined."""
    text = re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


STAGES: list[list[tuple[str, str]]] = []
for instruction in instructions(DOCKERFILE):
    if instruction[0] == "FROM":
        STAGES.append([])
    STAGES[-1].append(instruction)
FINAL = STAGES[-1]


def of_image(name: str) -> str | None:
    """The argument of an instruction in the image's last stage."""
    return next((arguments for found, arguments in reversed(FINAL) if found == name), None)


# .env.example


def test_every_variable_is_in_the_example() -> None:
    assert {name for name, _, _ in SUBSTITUTES} == set(ENV_EXAMPLE)


def test_the_example_has_the_defaults() -> None:
    for name, operator, text in SUBSTITUTES:
        assert (operator, text) == (":-", ENV_EXAMPLE[name]), name


def test_passwords_are_in_no_environment_but_in_files() -> None:
    """`docker inspect` shows environments and commands."""
    mentioned = set()
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|URL", variable) and variable != "HYPERTASK_PUBLIC_URL":
                assert variable.endswith("_FILE"), f"{name}: {variable}"
            assert "@" not in str(value)
        files = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
        assert files == set(service.get("secrets", ())), name
        mentioned |= files
    assert mentioned == set(COMPOSE["secrets"])


def test_what_holds_passwords_is_ignored_by_git() -> None:
    assert {".env", "secrets/"} <= set((CHECKOUT / ".gitignore").read_text().splitlines())
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())


def made_secrets(folder: Path) -> dict[str, str]:
    (folder / "ops").mkdir(exist_ok=True)
    shutil.copy(CHECKOUT / "ops" / "make-secrets", folder / "ops")
    subprocess.run([str(folder / "ops" / "make-secrets")], check=True, capture_output=True)
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    files = list((folder / "secrets").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o444}, "the users of containers read them"
    return {file.name: file.read_text() for file in files}


def test_secrets_are_made_once_and_belong_together(tmp_path: Path) -> None:
    made = made_secrets(tmp_path)
    assert made.keys() == COMPOSE["secrets"].keys()
    assert made["administrator_password"] == "", "without one no account is made"
    passwords = {made[f"{name}_password"] for name in ("mongo_root", "mongo", "redis")}
    assert len(passwords) == 3 and all(re.fullmatch("[0-9a-f]{48}", password) for password in passwords)
    url = f"mongodb://hypertask:{made['mongo_password']}@mongo:27017/?replicaSet=rs0&authSource=admin"
    assert made["mongo_url"] == url
    assert made["redis_url"] == f"redis://:{made['redis_password']}@redis:6379/0"
    assert made_secrets(tmp_path) == made
    (tmp_path / "secrets" / "redis_password").unlink()
    changed = made_secrets(tmp_path)
    assert {name for name in made if made[name] != changed[name]} == {"redis_password", "redis_url"}


def test_passwords_of_an_older_env_are_taken_over(tmp_path: Path) -> None:
    lines = ["MONGO_ROOT_PASSWORD=r", "MONGO_PASSWORD=m", "REDIS_PASSWORD=", "HYPERTASK_ADMINISTRATOR_PASSWORD=a b=c"]
    (tmp_path / ".env").write_text("\n".join(lines) + "\n")
    made = made_secrets(tmp_path)
    assert (made["mongo_root_password"], made["mongo_password"], made["administrator_password"]) == (
        "r",
        "m",
        "a b=c",
    )
    assert len(made["redis_password"]) == 48


# Services


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    user = service.get("user", of_image("USER") if "build" in service else None)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(user)), "neither root, nor a name that may be anybody"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in [mount.split(":")[0] for mount in service["tmpfs"]]
    assert not service.keys() & {"privileged", "network_mode", "pid", "ipc", "devices"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_takes_no_more_than_its_share(name: str) -> None:
    service = SERVICES[name]
    assert VARIABLE.sub(lambda found: found.group(3), str(service["mem_limit"]))[-1] in "mg"
    assert float(VARIABLE.sub(lambda found: found.group(3), str(service["cpus"]))) > 0
    assert int(service["pids_limit"]) > 0
    assert "ulimits" not in service, "where the hard limit is lower the container would not start"


def test_a_health_check_asks_a_running_process_and_starts_no_interpreter() -> None:
    checks = [json.loads((of_image("HEALTHCHECK") or "").split("CMD", 1)[1])]
    checks += [
        service["healthcheck"]["test"][1:]
        for service in SERVICES.values()
        if "test" in service.get("healthcheck", {})
    ]
    for check in checks:
        assert not re.search(r"python|mongosh|node", " ".join(check)), check
    port = SERVICES["worker"]["environment"]["HYPERTASK_WORKER_PROBE_PORT"]
    assert SERVICES["worker"]["healthcheck"]["test"][1:] == ["/opt/hypertask/ops/probes/http", str(port), "/readyz"]


def test_nginx_takes_bodies_as_large_as_the_api_does() -> None:
    sizes = re.findall(r"client_max_body_size (\d+)([mg]); # HYPERTASK_(\w+)", NGINX_CONF)
    assert len(sizes) == NGINX_CONF.count("client_max_body_size") == 2
    for number, unit, setting in sizes:
        assert int(number) * {"m": 1024**2, "g": 1024**3}[unit] == getattr(Settings(), setting.lower())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
        return
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or ("build" in service and of_image("HEALTHCHECK"))
    assert service.get("healthcheck", {}).get("disable") is not True


def test_dependencies_exist_and_are_waited_for() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            if name in ONE_SHOT:
                expected = "service_started"  # it makes the others healthy
            assert how == {"condition": expected}, f"{name} -> {other}"
    reached: set[str] = set()
    while more := {n for n, s in SERVICES.items() if n not in reached and s.get("depends_on", {}).keys() <= reached}:
        reached |= more
    assert reached == set(SERVICES), "a circle"


def test_the_databases_cannot_be_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    [published] = SERVICES["nginx"]["ports"]
    assert published == "${HYPERTASK_LISTEN:-127.0.0.1:8480}:8080"
    assert COMPOSE["networks"]["store"] == {"internal": True}
    for name in ("mongo", "redis", "worker", "mongo-init"):
        assert SERVICES[name]["networks"] == ["store"], name
    assert SERVICES["nginx"]["networks"] == ["edge"]
    assert "expose" not in COMPOSE_TEXT


def test_a_service_that_scales_has_nothing_of_its_own() -> None:
    for name in ("api", "worker"):
        assert not SERVICES[name].keys() & {"container_name", "ports", "volumes", "hostname"}


def test_how_many_containers_there_are_can_be_kept() -> None:
    """`docker compose up` without --scale would go back to one of each."""
    for name in ("api", "worker"):
        assert SERVICES[name]["scale"] == f"${{{name.upper()}_CONTAINERS:-1}}"


def test_tls_needs_a_certificate_that_is_mounted_and_nothing_else() -> None:
    [(name, nginx)] = yaml.safe_load(TLS_TEXT)["services"].items()
    assert name == "nginx" and nginx.keys() == {"ports", "volumes"}
    mounted = dict(volume.removesuffix(":ro").split(":") for volume in nginx["volumes"])
    assert all(volume.endswith(":ro") for volume in nginx["volumes"])
    assert "include /etc/nginx/tls/*.conf;" in NGINX_CONF
    assert mounted["./ops/nginx-tls.conf"] == "/etc/nginx/tls/tls.conf"
    named = re.findall(r"^ssl_certificate(?:_key)? (\S+)/\w+\.pem;$", NGINX_TLS_CONF, re.MULTILINE)
    assert set(named) == {mounted["./secrets/tls"]} and len(named) == 2, "a folder: what replaces a file is seen"
    [published] = nginx["ports"]
    assert re.search(rf"^listen {published.rpartition(':')[2]} ssl\b", NGINX_TLS_CONF, re.MULTILINE)


# ops/compose-without-registry


def test_something_stands_for_each_image_where_there_is_no_registry() -> None:
    asked = [service["image"] for service in SERVICES.values() if "build" not in service]
    asked += [arguments.split()[0] for stage in STAGES for found, arguments in stage if found == "FROM"]
    assert images.wanted() == sorted(set(asked))
    for image in asked:
        assert (Path(images.__file__).with_name("images") / images.stand_for(image).file).is_file()


def test_what_stands_for_an_image_has_its_users() -> None:
    for name in ("nginx", "mongo", "redis"):
        stand = images.stand_for(SERVICES[name]["image"])
        text = (Path(images.__file__).with_name("images") / stand.file).read_text()
        user, _, group = SERVICES[name]["user"].partition(":")
        assert f"--uid {user} --gid {group}" in text


def test_no_registry_is_named_where_there_is_none() -> None:
    folder = Path(images.__file__).parent
    for path in (CHECKOUT / "ops/compose-without-registry", *folder.glob("*.py"), *folder.glob("images/*")):
        assert not re.search(r"https?://[a-z]", path.read_text()), path


def test_data_that_must_last_is_in_a_volume() -> None:
    assert SERVICES["mongo"]["volumes"] == ["mongo:/data/db", "./ops/probes:/probes:ro"]
    assert set(COMPOSE["volumes"]) == {"mongo"}


def test_images_are_pinned() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    images += [arguments.split()[0] for stage in STAGES for found, arguments in stage if found == "FROM"]
    for image in images:
        assert re.fullmatch(r"[a-z/-]+:\d+(\.\d+)*(-[a-z]+)?", image), image
    version = re.search(r'^version = "(.+)"$', (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    for name in ("api", "worker", "mongo-init"):
        assert SERVICES[name]["image"] == f"hypertask:{version.group(1)}"


def test_urls_name_the_services() -> None:
    environment = SERVICES["worker"]["environment"]
    assert environment == SERVICES["api"]["environment"]
    assert SERVICES["mongo-init"]["environment"]["MONGO_ADDRESS"] == "mongo:27017"
    assert "--replSet rs0" in SERVICES["mongo"]["entrypoint"][-1]


def test_mongod_logs_no_slow_statements_for_they_hold_documents() -> None:
    assert re.search(r"--slowms \d{9}", SERVICES["mongo"]["entrypoint"][-1])


# What runs in our image


def commands() -> Iterator[tuple[str, list[str]]]:
    yield "image", json.loads(of_image("CMD") or "")
    yield "image's health check", json.loads((of_image("HEALTHCHECK") or "").split("CMD", 1)[1])
    for name, service in SERVICES.items():
        if "build" in service:
            if "command" in service:
                yield name, service["command"]
            if "test" in service.get("healthcheck", {}):
                yield f"{name}'s health check", service["healthcheck"]["test"][1:]


@pytest.mark.parametrize(("what", "command"), list(commands()))
def test_a_command_names_what_exists(what: str, command: list[str]) -> None:
    if command[0].startswith("/opt/hypertask/ops/probes/"):
        assert os.access(CHECKOUT / command[0].removeprefix("/opt/hypertask/"), os.X_OK)
        assert ("COPY", "ops/probes /opt/hypertask/ops/probes") in FINAL
        return
    assert command[0] == "python"
    if command[1] == "-c":
        compile(command[2], what, "exec")
    elif command[1] == "-m":
        assert importlib.util.find_spec(command[2]), command[2]
        for target in re.findall(r"^(?:api|worker)[.:\w]*$", "\n".join(command[3:]), re.MULTILINE):
            module, _, attribute = target.replace(":", ".").rpartition(".")
            subprocess.run([sys.executable, "-c", f"from {module} import {attribute}"], check=True, cwd=CHECKOUT)
    else:
        assert ("COPY", f"ops/replica_set.py {command[1]}") in FINAL


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    patterns = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    copied = set()
    for found, arguments in (instruction for stage in STAGES for instruction in stage):
        if found == "COPY" and not arguments.startswith("--from"):
            *sources, _ = arguments.split()
            copied |= set(sources)
    assert copied >= {"constraints.txt", "pyproject.toml"}
    for source in copied:
        assert (CHECKOUT / source).exists(), source
        assert not ignored(source, patterns), source
    for other in (".env", ".git", ".hypertask", ".venv", "tests", "ops/serve"):
        assert ignored(other, patterns), other


def ignored(path: str, patterns: list[str]) -> bool:
    """As Docker sees it: the last pattern that matches the path or a folder that it is in."""
    result = False
    folders = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    for pattern in patterns:
        if any(fnmatch(folder, pattern.removeprefix("!")) for folder in folders):
            result = not pattern.startswith("!")
    return result


def test_the_package_is_whole() -> None:
    packages = re.search(r"^packages = (\[.+\])$", (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    assert packages is not None
    for package in json.loads(packages.group(1)):
        assert ("COPY", f"{package} {package}") in STAGES[0], package


def test_the_image_is_small_and_exact() -> None:
    assert len(STAGES) == 3
    assert ("COPY", "--from=web /source/web/app/dist /opt/hypertask/web-app") in FINAL
    assert "HYPERTASK_WEB_APP=/opt/hypertask/web-app" in (of_image("ENV") or "")
    build = " ".join(arguments for found, arguments in STAGES[0] if found == "RUN")
    assert "PIP_CONSTRAINT=/source/constraints.txt" in build
    assert "PIP_BUILD_CONSTRAINT=/source/constraints.txt" in build
    assert "strip --strip-unneeded" in build, "of what wheels bring, a fourth is symbols"
    kept = re.findall(r"! -name (\S+)", build)
    assert kept and set(kept) == set(assets._SWAGGER_UI), "what is served of a package that is large"
    final = " ".join(arguments for found, arguments in FINAL if found == "RUN")
    assert "install" not in final.replace("uninstall", "")
    assert "uninstall --yes --root-user-action=ignore pip" in final
    assert [found for found, _ in FINAL].index("USER") < [found for found, _ in FINAL].index("CMD")


def test_the_port_is_the_same_everywhere() -> None:
    command = json.loads(of_image("CMD") or "")
    port = command[command.index("--port") + 1]
    assert of_image("EXPOSE") == port
    assert f'"{port}", "/readyz"' in (of_image("HEALTHCHECK") or "")
    assert f"server api:{port} resolve" in NGINX_CONF
    assert re.search(r"listen 8080\b", NGINX_CONF)
    assert "http://127.0.0.1:8080/healthz" in SERVICES["nginx"]["healthcheck"]["test"]


def test_nginx_closes_idle_connections_before_the_api_does() -> None:
    upstream = re.search(r"upstream api \{.*?keepalive_timeout (\d+)s;", NGINX_CONF, re.DOTALL)
    assert upstream is not None
    assert int(upstream.group(1)) < KEEP_ALIVE_SECONDS


def test_docker_compose_takes_it(tmp_path: Path) -> None:
    compose = ["docker", "compose"]
    if (
        not shutil.which("docker")
        or subprocess.run([*compose, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("the compose plugin of Docker is not installed")
    config = [*compose, "--project-directory", str(CHECKOUT), "config", "--quiet"]
    clean = {name: value for name, value in os.environ.items() if name not in ENV_EXAMPLE}
    subprocess.run(config, env=clean | ENV_EXAMPLE, check=True)
    subprocess.run(config, env=clean, check=True)
