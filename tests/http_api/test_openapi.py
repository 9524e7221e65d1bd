"""The generated contract."""

from collections.abc import Iterator
from typing import Any

from http_api.asking import bearer, book
from http_api.helpers import Site, served
from penstock.engine import Registry
from penstock.http.openapi import build
from penstock.http.routes import ROUTES


def references(node: Any) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def contract(site: Site) -> Any:
    """The document as served."""
    response = await site.http.get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    return response.json()


async def test_every_route_is_in_the_contract(site: Site) -> None:
    """And nothing else is."""
    document = await contract(site)
    assert document["openapi"].startswith("3.1")
    operations = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert operations == {(route.method, route.path) for route in ROUTES}


async def test_every_reference_leads_somewhere(site: Site) -> None:
    """Schemas that were moved have taken their references along."""
    document = await contract(site)
    found = set(references(document))
    assert found
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


async def test_the_contract_knows_the_arguments_of_each_job(site: Site) -> None:
    """Types, defaults and what is required come from the job's signature, types inside them included."""
    schemas = (await contract(site))["components"]["schemas"]
    thumbnail = schemas["images.thumbnail.args"]
    assert thumbnail["properties"]["width"] == {"type": "integer", "default": 200}
    assert thumbnail["required"] == ["path"]
    assert schemas["images.crop.args"]["properties"]["box"] == {
        "$ref": "#/components/schemas/images.crop.Box"
    }
    assert len(schemas["Submission"]["oneOf"]) == 3


async def test_the_contract_says_what_a_token_must_allow(site: Site) -> None:
    """Its scope with each operation, and that health needs none; nothing where nobody asks for tokens."""
    document = build(ROUTES, Registry([]), tokens=True)
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    needed = {route.name: document["paths"][route.path][route.method.lower()]["security"] for route in ROUTES}
    assert needed["submit"] == [{"token": ["submit"]}]
    assert needed["cancel"] == [{"token": ["operate"]}]
    assert needed["contract"] == [{"token": []}]
    assert needed["alive"] == needed["ready"] == []
    assert "security" not in str(await contract(site))
    async with served(Site(tokens=book().find)) as guarded:
        response = await guarded.http.get("/openapi.json", headers=bearer("powerless"))
    assert "securitySchemes" in response.json()["components"]


async def test_an_application_without_jobs_has_a_contract_too() -> None:
    """Nothing is left empty that may not be."""
    assert "oneOf" not in build(ROUTES, Registry([]))["components"]["schemas"]["Submission"]
