"""The manifest for the Flink Kubernetes Operator against the operator's own schema."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.paths import BUILD, ROOT
from pipeline.catalog import find
from pipeline.settings import SERVICE_GROUPS, settings

MANIFEST = ROOT / "infra" / "kubernetes" / "flinkdeployment.yaml"
_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema of a FlinkDeployment, from the operator's jar."""
    (jar,) = (BUILD / "kubernetes").glob("flink-kubernetes-operator-api-*.jar")
    with zipfile.ZipFile(jar) as archive:
        definition = yaml.safe_load(archive.read("META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"))
    (version,) = [v for v in definition["spec"]["versions"] if v["name"] == "v1beta1"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def violations(value: Any, schema: dict[str, Any], where: str = "") -> Iterator[str]:
    """What Kubernetes would refuse, and what it would silently drop: fields that are not in the schema."""
    if schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{where} must be {kind}, got {value!r}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} must be one of {schema['enum']}, got {value!r}"
    if kind == "array":
        for i, item in enumerate(value):
            yield from violations(item, schema["items"], f"{where}[{i}]")
    if kind == "object":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        yield from (f"{where}.{key} is required" for key in schema.get("required", []) if key not in value)
        for key, item in value.items():
            if key in known or isinstance(others, dict):
                yield from violations(item, known.get(key, others), f"{where}.{key}")
            elif known and not others:
                yield f"{where}.{key} is unknown"


def documents() -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(MANIFEST.read_text())}


def deployment() -> dict[str, Any]:
    found = documents()["FlinkDeployment"]
    # Every Kubernetes object has these; they are not in the operator's schema.
    return {key: value for key, value in found.items() if key not in ("apiVersion", "kind", "metadata")}


def test_the_manifest_fits_the_operators_schema(schema: dict[str, Any]) -> None:
    assert documents()["FlinkDeployment"]["apiVersion"] == "flink.apache.org/v1beta1"
    assert list(violations(deployment(), schema)) == []


@pytest.mark.parametrize(
    ("path", "value", "violation"),
    [
        (("spec", "flinkVersion"), "v1_99", ".spec.flinkVersion must be one of"),
        (("spec", "job", "parallelism"), "1", ".spec.job.parallelism must be integer, got '1'"),
        (("spec", "job", "pyFiles"), "x", ".spec.job.pyFiles is unknown"),
        (("spec", "flinkConfiguration", "x"), True, ".spec.flinkConfiguration.x must be string, got True"),
    ],
)
def test_mistakes_in_it_would_be_found(
    schema: dict[str, Any], path: tuple[str, ...], value: Any, violation: str
) -> None:
    broken = deployment()
    part = broken
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    (found,) = violations(broken, schema)
    assert found.startswith(violation)


def test_the_manifest_has_properties_of_a_job_and_paths_of_the_package() -> None:
    text = documents()["ConfigMap"]["data"]["application_properties.json"]
    groups = {group["PropertyGroupId"]: group["PropertyMap"] for group in json.loads(text)}
    assert settings(find(groups["job"]["name"]), groups)
    assert set(SERVICE_GROUPS) & set(groups) == {"job"}
    spec = deployment()["spec"]
    assert spec["job"]["args"] == ["-py", "/opt/kda/main.py", "-pyfs", "/opt/kda/packages/"]
    assert spec["flinkConfiguration"]["pipeline.jars"] == "file:///opt/kda/lib/connectors.jar"
    assert "-d /opt/kda" in Path(MANIFEST.parent / "Dockerfile").read_text()
