"""k8s/: every overlay is built, is valid, and speaks of a service that there is."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import app
from app.cli.openapi import document_of_the_code
from app.settings import Settings
from monitoring.surroundings import SERVER, WORKER
from tests.deployment.ops_tools import COMPONENTS, K8S, OVERLAYS, ROOT, built, manifests, ops_tool

BUILT = ["base", *(f"overlays/{name}" for name in OVERLAYS)]
KUBERNETES = "1.37"
CUSTOM = {"PodMonitor", "PrometheusRule"}
"""Kinds of the Prometheus Operator, which Kubernetes' own schemas do not know."""
NOT_OURS = {"HTTPRoute"}
"""Kinds that no package has a schema of."""
OURS = ("partwise-server", "partwise-worker", "partwise-migrate")
DRAIN_SECONDS = 20


def only(folder: str, *kinds: str) -> list[dict[str, Any]]:
    return [one for one in manifests(folder) if one["kind"] in kinds]


def one(folder: str, kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in only(folder, kind) if each["metadata"]["name"] == name]
    return found


def pods(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod's specification, with the name of what makes it."""
    for each in only(folder, "Deployment", "StatefulSet", "Job"):
        yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


@pytest.fixture(scope="module")
def with_every_component(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A site's overlay with all components, those too that no overlay of ours has."""
    folder = K8S / "overlays" / "production"
    there = {
        path.rpartition("/")[2] for path in yaml.safe_load((folder / "kustomization.yaml").read_text())["components"]
    }
    site = tmp_path_factory.mktemp("site")
    links = {"production": folder, "components": K8S / "components"}
    # Kustomize takes relative paths alone.
    up = "../" * (len(site.parts) - 1)
    kustomization = {
        "resources": [up + str(links["production"]).lstrip("/")],
        "components": [
            f"{up}{str(links['components']).lstrip('/')}/{name}" for name in COMPONENTS if name not in there
        ],
    }
    (site / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    done = ops_tool("kubectl", "kustomize", str(site))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_the_overlays_that_the_guide_names():
    assert OVERLAYS == ["citus", "development", "production"]


@pytest.mark.parametrize("folder", BUILT)
def test_kustomize_builds_what_kubernetes_takes(folder: str, tmp_path: Path):
    faults = faults_of(built(folder), tmp_path)
    assert faults == ""


def test_every_component_can_be_added(with_every_component: str, tmp_path: Path):
    assert faults_of(with_every_component, tmp_path) == ""
    kinds = [each["kind"] for each in yaml.safe_load_all(with_every_component)]
    assert {"HTTPRoute", "Ingress", "HorizontalPodAutoscaler", "PodMonitor"} <= set(kinds)


def faults_of(text: str, folder: Path) -> str:
    """What the schemas have against some manifests."""
    found = [each for each in yaml.safe_load_all(text) if each["kind"] not in NOT_OURS]
    known = folder / "known.yaml"
    known.write_text(yaml.safe_dump_all(each for each in found if each["kind"] not in CUSTOM))
    validated = ops_tool("kubernetes-validate", "--strict", "--quiet", "-k", KUBERNETES, str(known))
    custom = [each for each in found if each["kind"] in CUSTOM]
    runs = [validated]
    if custom:
        script = str(Path(__file__).with_name("custom_resources.py"))
        runs.append(ops_tool("python", script, stdin=yaml.safe_dump_all(custom)))
    return "".join(done.stdout + done.stderr for done in runs if done.returncode)


def test_a_fault_is_found(tmp_path: Path):
    text = built("overlays/production")
    for right, wrong in (
        ("replicas:", "replicaz:"),
        ("podMetricsEndpoints:", "podMetricEndpoints:"),
        ("    for: ", "    four: "),
    ):
        text = text.replace(right, wrong)
    told = faults_of(text, tmp_path)
    for wrong in ("replicaz", "podMetricEndpoints", "four"):
        assert wrong in told


def test_the_linters_have_nothing_against_it_that_has_no_reason(tmp_path: Path):
    for folder in OVERLAYS:
        (tmp_path / f"{folder}.yaml").write_text(built(f"overlays/{folder}"))
    (tmp_path / "Dockerfile").write_text((ROOT / "Dockerfile").read_text())
    done = ops_tool(
        *("checkov", "--directory", str(tmp_path), "--framework", "kubernetes", "dockerfile"),
        *("--compact", "--quiet", "--skip-download", "--output", "cli"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in [*K8S.rglob("*.yaml")]:
        for skipped in re.findall(r"checkov\.io/skip\d+: (.*)", path.read_text()):
            check, _, reason = skipped.partition("=")
            assert re.fullmatch(r"CKV2?_K8S_\d+", check), skipped
            assert len(reason.split()) > 3, skipped


@pytest.mark.parametrize("folder", BUILT)
def test_every_setting_is_one_of_the_service(folder: str):
    given = {
        name: value
        for each in only(folder, "ConfigMap", "Secret")
        if re.fullmatch(r"partwise(-owner)?(-[a-z0-9]{10})?", each["metadata"]["name"])
        for name, value in {**each.get("data", {}), **each.get("stringData", {})}.items()
    }
    aliases = {str(field.validation_alias) for field in Settings.model_fields.values() if field.validation_alias}
    known = aliases | {f"PARTWISE_{name.upper()}" for name in Settings.model_fields}
    for name in given:
        assert name in known or name.startswith("OTEL_"), name
    assert {"PARTWISE_HOST", "PARTWISE_METRICS_PORT", "PARTWISE_DRAIN_DELAY"} <= set(given)
    for _, pod in pods(folder):
        for container in containers(pod):
            for variable in container.get("env", ()):
                assert variable["name"] in known, variable
                # Secrets are named, never written down.
                assert set(variable["valueFrom"]) == {"secretKeyRef"}


def settings_of(folder: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (config,) = [
        each for each in only(folder, "ConfigMap") if re.fullmatch(r"partwise-[a-z0-9]{10}", each["metadata"]["name"])
    ]
    for name, value in config["data"].items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("folder", BUILT)
def test_ports_and_probes_are_those_of_the_server(folder: str, monkeypatch: pytest.MonkeyPatch):
    settings = settings_of(folder, monkeypatch)
    paths = document_of_the_code()["paths"]
    asked = []
    for name in ("partwise-server", "partwise-worker"):
        (container,) = one(folder, "Deployment", name)["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports["metrics"] == settings.metrics_port
        assert ports.get("http", settings.port) == settings.port
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            got = container[probe]["httpGet"]
            assert got["port"] == "metrics"
            assert got["path"] in paths
            asked.append(got["path"])
    assert asked == ["/livez", "/livez", "/readyz"] * 2
    (service,) = [each for each in only(folder, "Service") if each["metadata"]["name"] == "partwise"]
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    assert settings.host == "0.0.0.0"


@pytest.mark.parametrize("folder", BUILT)
def test_a_pod_that_ends_has_the_time_that_it_needs(folder: str, monkeypatch: pytest.MonkeyPatch):
    delay = settings_of(folder, monkeypatch).drain_delay
    spec = one(folder, "Deployment", "partwise-server")["spec"]
    pod = spec["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= delay + DRAIN_SECONDS + 10
    probe = pod["containers"][0]["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] <= delay
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("folder", BUILT)
def test_every_command_is_one_of_ours(folder: str):
    from app.cli.main import COMMANDS

    names = {command.__name__ for command in COMMANDS}
    found = set()
    for name, pod in pods(folder):
        for container in containers(pod):
            if name in OURS:
                assert container["image"] == f"partwise:{app.__version__}"
                assert container["args"][:3] == ["python", "-m", "app"]
                assert container["args"][3] in names
                found.add(container["args"][3])
    assert found == {"serve", "worker", "migrate"}


@pytest.mark.parametrize("folder", BUILT)
def test_every_pod_is_restricted(folder: str):
    """As Pod Security's level `restricted` has it, and a little more."""
    for name, pod in pods(folder):
        context = pod["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert all(set(volume) & {"emptyDir", "configMap"} for volume in pod.get("volumes", ())), name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name
    for namespace in only(folder, "Namespace"):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("folder", BUILT)
def test_the_owners_password_is_the_migrations_alone(folder: str):
    for name, pod in pods(folder):
        for container in containers(pod):
            text = yaml.safe_dump(container)
            assert ("partwise-owner" in text) == (name in ("partwise-migrate", "partwise-distribute")), name


@pytest.mark.parametrize("folder", BUILT)
def test_every_selector_finds_pods(folder: str):
    """Of Services, budgets, policies and monitors: one that finds nothing does nothing, and says nothing."""
    labels = [
        each["spec"]["template"]["metadata"]["labels"] for each in only(folder, "Deployment", "StatefulSet", "Job")
    ]
    for each in only(folder, "Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"):
        spec = each["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        wanted = selector.get("matchLabels", selector if each["kind"] == "Service" else {})
        expressions = selector.get("matchExpressions", ())
        found = [
            one
            for one in labels
            if wanted.items() <= one.items() and all(one.get(ex["key"]) in ex["values"] for ex in expressions)
        ]
        assert found, each["metadata"]["name"]
        if each["kind"] == "PodDisruptionBudget":
            assert spec["maxUnavailable"] == 1
            assert "minAvailable" not in spec


def test_nobody_is_let_in_or_out_unless_named():
    for folder in BUILT:
        (all_of_them,) = [each for each in only(folder, "NetworkPolicy") if each["metadata"]["name"] == "deny-all"]
        assert all_of_them["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_production_has_what_the_guide_says():
    folder = "overlays/production"
    scaler = one(folder, "HorizontalPodAutoscaler", "partwise-server")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "partwise-server"
    assert scaler["minReplicas"] >= 2
    assert "replicas" not in one(folder, "Deployment", "partwise-server")["spec"]
    assert one(folder, "Ingress", "partwise")["spec"]["rules"][0]["host"] == "partwise.example.com"
    assert not only(folder, "Secret")


def test_behind_a_proxy_the_service_knows_it(monkeypatch: pytest.MonkeyPatch):
    settings = settings_of("overlays/production", monkeypatch)
    assert settings.trusted_proxies == 1
    assert settings.hsts_seconds == 365 * 86_400


def test_the_version_is_that_of_the_code():
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"]
    (image,) = yaml.safe_load((K8S / "base" / "kustomization.yaml").read_text())["images"]
    assert image == {"name": "partwise", "newTag": app.__version__}


def test_the_rules_are_those_of_monitoring():
    generated = (ROOT / "monitoring" / "generated" / "prometheusrule.yaml").read_text()
    assert (K8S / "components" / "monitoring" / "prometheus-rule.yaml").read_text() == generated, (
        "run `make monitoring`"
    )


def test_the_jobs_are_those_that_the_rules_know():
    (monitor,) = only("overlays/production", "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (job,) = [each for each in endpoint["relabelings"] if each["targetLabel"] == "job"]
    assert job["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    named = {
        job["replacement"].replace("$1", each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"])
        for each in only("overlays/production", "Deployment")
    }
    assert named == {SERVER, WORKER}
