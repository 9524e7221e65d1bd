"""The contract as OpenAPI 3.1, generated: paths from the table of routes, schemas from the types."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from penstock.engine.registry import Registry
from penstock.http.problems import CONTENT_TYPE, Problem
from penstock.http.routes import Parameter, Route

Schema: TypeAlias = dict[str, Any]

_PREFIX = "#/components/schemas/"
_SCHEME: Schema = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token with the scope that an operation names; one for a tenant sees its jobs alone.",
}


def build(routes: Iterable[Route], registry: Registry, *, tokens: bool = False) -> Schema:
    """The document for these routes and jobs, as JSON-compatible data, and whether `tokens` are needed."""
    routes = list(routes)
    types = [kind for route in routes for kind in _types(route)]
    schemas, components = msgspec.json.schema_components([Problem, *types], ref_template=_PREFIX + "{name}")
    schema_of = dict(zip(map(repr, [Problem, *types]), schemas, strict=True))

    def reference(kind: Any) -> Schema:
        return schema_of[repr(kind)]

    paths: dict[str, Schema] = {}
    for route in routes:
        operation = _operation(route, reference)
        if tokens:
            operation |= _security(route)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    schemes = {"securitySchemes": {"token": _SCHEME}} if tokens else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": "1", "summary": "Submit jobs, watch them, end them."},
        "paths": paths,
        "components": {"schemas": _with_jobs(components, registry), **schemes},
    }


def _types(route: Route) -> list[Any]:
    answers = [kind for kind in route.answers.values() if kind is not None]
    return [*answers, *route.accepts.values(), *(parameter.type for parameter in route.parameters)]


# --- paths --------------------------------------------------------------------------------


def _security(route: Route) -> Schema:
    if route.open:
        return {"security": []}
    return {"security": [{"token": [] if route.scope is None else [route.scope]}]}


def _operation(route: Route, reference: Callable[[Any], Schema]) -> Schema:
    operation: Schema = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            **{str(status): _answer(route, status, reference) for status in route.answers},
            "default": {
                "description": "A problem (RFC 9457)",
                "content": _content(CONTENT_TYPE, reference(Problem)),
            },
        },
    }
    if route.parameters:
        operation["parameters"] = [_parameter(each, reference) for each in route.parameters]
    if route.accepts:
        content = {media: {"schema": reference(kind)} for media, kind in route.accepts.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answer(route: Route, status: int, reference: Callable[[Any], Schema]) -> Schema:
    kind = route.answers[status]
    schema = {"type": "string"} if kind is None else reference(kind)
    return {"description": route.summary, "content": _content(route.answers_with, schema)}


def _content(media_type: str, schema: Schema) -> Schema:
    return {media_type: {"schema": schema}}


def _parameter(parameter: Parameter, reference: Callable[[Any], Schema]) -> Schema:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": reference(parameter.type),
    }


# --- jobs ---------------------------------------------------------------------------------


def _with_jobs(components: Schema, registry: Registry) -> Schema:
    """The components and, for each job, `<job>.args`; a submission names one and takes its arguments."""
    names = sorted(definition.name for definition in registry)
    schemas = dict(components)
    for definition in registry:
        schemas |= _arguments(definition.name, definition.signature.schema())
    submission = dict(schemas["Submission"])
    submission["properties"] = submission["properties"] | {"args": {"type": "object", "default": {}}}
    if names:
        submission["oneOf"] = [
            {"properties": {"job": {"const": name}, "args": {"$ref": f"{_PREFIX}{name}.args"}}}
            for name in names
        ]
    return schemas | {"Submission": submission}


def _arguments(job: str, schema: Schema) -> dict[str, Schema]:
    """One job's arguments, and the types inside them under names of their own."""
    nested: dict[str, Schema] = schema.get("$defs", {})
    root = schema["$ref"].rpartition("/")[2]
    names = {short: f"{job}.args" if short == root else f"{job}.{short}" for short in nested}
    return {names[short]: _moved(part, names) for short, part in nested.items()}


def _moved(node: Any, names: dict[str, str]) -> Any:
    """`node` with its references pointed at where the definitions have been moved."""
    if isinstance(node, list):
        return [_moved(part, names) for part in node]
    if not isinstance(node, dict):
        return node
    moved = {key: _moved(value, names) for key, value in node.items()}
    if isinstance(reference := node.get("$ref"), str):
        moved["$ref"] = _PREFIX + names[reference.rpartition("/")[2]]
    return moved
