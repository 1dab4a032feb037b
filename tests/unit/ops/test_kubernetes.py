"""ops/kubernetes: what the manifests say of each other, of the settings and of the image."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from api import VERSION
from shared import metrics
from shared.settings import Settings
from tests.instance import ROOT

FOLDER = ROOT / "ops" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    one for name in KUSTOMIZATION["resources"] for one in yaml.safe_load_all((FOLDER / name).read_text())
]
COMPONENTS = ("api", "worker")
SETTINGS = {f"HYPERTASK_{field.name.upper()}" for field in dataclasses.fields(Settings)}


def named(kind: str, name: str) -> dict[str, Any]:
    [found] = [one for one in OBJECTS if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def pod(component: str) -> dict[str, Any]:
    found: dict[str, Any] = named("Deployment", component)["spec"]["template"]
    return found


def container(component: str) -> dict[str, Any]:
    [found] = pod(component)["spec"]["containers"]
    return dict(found)


def test_every_file_is_a_resource_and_the_image_is_of_this_release() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])
    assert KUSTOMIZATION["images"] == [{"name": "hypertask", "newTag": VERSION}]
    assert {container(component)["image"] for component in COMPONENTS} == {"hypertask"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_process_is_probed_kept_apart_and_may_write_nowhere_but_to_tmp(component: str) -> None:
    spec, process = pod(component)["spec"], container(component)
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= process.keys()
    assert process["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (spec["securityContext"]["runAsNonRoot"], spec["automountServiceAccountToken"]) == (True, False)
    assert {mount["mountPath"] for mount in process["volumeMounts"]} == {"/tmp", "/run/secrets/hypertask"}
    assert "memory" in process["resources"]["limits"]
    assert spec["topologySpreadConstraints"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_selectors_are_of_its_pods_and_one_is_always_there(component: str) -> None:
    labels = pod(component)["metadata"]["labels"]
    budget, scaler = named("PodDisruptionBudget", component), named("HorizontalPodAutoscaler", component)
    assert budget["spec"]["selector"]["matchLabels"] == labels
    assert named("Deployment", component)["spec"]["selector"]["matchLabels"] == labels
    assert budget["spec"]["minAvailable"] < scaler["spec"]["minReplicas"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == component
    assert "replicas" not in named("Deployment", component)["spec"], "the autoscaler's number would be set back"
    assert named("Service", "api")["spec"]["selector"] == pod("api")["metadata"]["labels"]


def test_settings_are_such_and_their_secrets_are_files() -> None:
    said = set(named("ConfigMap", "hypertask")["data"])
    said |= {row["name"] for component in COMPONENTS for row in container(component).get("env", ())}
    assert {name.removesuffix("_FILE") for name in said} <= SETTINGS
    for name in ("HYPERTASK_MONGO_URL", "HYPERTASK_REDIS_URL"):
        assert name not in said
        file = named("ConfigMap", "hypertask")["data"][f"{name}_FILE"]
        assert file == f"/run/secrets/hypertask/{name.removeprefix('HYPERTASK_').lower()}"


def test_workers_are_scaled_by_a_metric_that_exists() -> None:
    [metric] = named("HorizontalPodAutoscaler", "worker")["spec"]["metrics"]
    names = {family.name for family in metrics.REGISTRY.collect()}
    assert metric["external"]["metric"]["name"] in names


def test_ports_are_those_of_the_processes_and_nothing_else_is_let_in() -> None:
    settings = named("ConfigMap", "hypertask")["data"]
    ports = {component: {port["containerPort"] for port in container(component)["ports"]} for component in COMPONENTS}
    assert ports == {"api": {8480, int(settings["HYPERTASK_METRICS_PORT"])}, "worker": {9464}}
    assert str(8480) in container("api")["args"]
    probe = {row["name"]: row["value"] for row in container("worker")["env"]}["HYPERTASK_WORKER_PROBE_PORT"]
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        program, port, path = container("worker")[kind]["exec"]["command"]
        assert (program, port) == ("/opt/hypertask/ops/probes/http", probe)
        assert path in ("/healthz", "/readyz")
    nothing = named("NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    let_in = {
        port["port"]
        for one in OBJECTS
        if one["kind"] == "NetworkPolicy"
        for rule in one["spec"].get("ingress", ())
        for port in rule["ports"]
    }
    assert let_in == {8480, 9464}


def test_kustomize_puts_them_together() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True)
    made = list(yaml.safe_load_all(done.stdout))
    assert len(made) == len(OBJECTS)
    assert {one["metadata"]["namespace"] for one in made if one["kind"] != "Namespace"} == {"hypertask"}
