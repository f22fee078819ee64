"""What is committed is what the code writes."""

import re
from pathlib import Path

import yaml

from monitoring.__main__ import GENERATED, files, main
from monitoring.rules import rule_groups, written
from monitoring.surroundings import SERVER, WORKER, Surroundings, duration
from tests.monitoring.promtool import promtool


def test_has_not_drifted():
    there = {one.name: one.read_text() for one in GENERATED.iterdir()}
    assert there == dict(files(Surroundings())), "run `make monitoring`"


def test_kubernetes_has_the_same_rules():
    resource = yaml.safe_load((GENERATED / "prometheusrule.yaml").read_text())
    assert (resource["apiVersion"], resource["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert resource["spec"] == yaml.safe_load((GENERATED / "rules.yaml").read_text())


def test_runbooks_and_series_as_the_command_is_told(tmp_path: Path):
    main(["--into", str(tmp_path), "--runbooks", "https://runbooks.example/partwise", "--match", "namespace=blue"])
    rules = yaml.safe_load((tmp_path / "rules.yaml").read_text())["groups"][1]["rules"]
    assert rules[0]["annotations"]["runbook_url"] == "https://runbooks.example/partwise#partwisenoserver"
    assert 'up{job="partwise-server", namespace="blue"}' in rules[0]["expr"]
    assert 'partwise_build_info{namespace=\\"blue\\"' in (tmp_path / "operations.json").read_text()


def test_prometheus_reads_the_configuration_of_the_page(tmp_path: Path):
    page = (GENERATED.parents[1] / "docs" / "operations.md").read_text()
    (text,) = re.findall(r"^## Alerts$.*?^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    config = yaml.safe_load(text)
    assert [one["job_name"] for one in config["scrape_configs"]] == [SERVER, WORKER]
    (tmp_path / "prometheus.yml").write_text(text.replace("/opt/partwise/current/monitoring/generated", str(GENERATED)))
    assert "rules found" in promtool("check", "config", str(tmp_path / "prometheus.yml"))


def test_of_one_partwise_among_several(tmp_path: Path):
    """Every selector and every recorded series names it."""
    path = tmp_path / "rules.yaml"
    path.write_text(written(rule_groups(Surroundings(matchers={"namespace": "blue"}))))
    promtool("check", "rules", str(path))
    for group in yaml.safe_load(path.read_text())["groups"]:
        for rule in group["rules"]:
            selectors = rule["expr"].count("{")
            assert selectors
            assert rule["expr"].count('namespace="blue"') == selectors
            assert "record" not in rule or rule["labels"]["namespace"] == "blue"


def test_faster_for_a_trial(tmp_path: Path):
    path = tmp_path / "rules.yaml"
    path.write_text(written(rule_groups(Surroundings(windows=0.01, least=5, ages=0.1))))
    promtool("check", "rules", str(path))
    text = path.read_text()
    # Five minutes are three seconds, but no window has less than five; to wait three seconds is nothing strange.
    assert "[5s]" in text
    assert "[3s]" not in text
    assert "for: 3s" in text
    assert "> 90" in text


def test_windows_as_prometheus_writes_them():
    assert [duration(one) for one in (0, 0.3, 5, 90, 300, 3600, 86_400, 90_000)] == [
        *("0s", "300ms", "5s", "90s", "5m", "1h", "1d", "25h")
    ]
