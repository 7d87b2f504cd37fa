"""The OpenAPI 3.1 document, made from the route table: what is checked is what is documented."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import structs

from web.handler import Handler
from web.params import by_commas, fields_of
from web.problem import MEDIA, Details, title
from web.route import JSON, Operation, Route

REFS = "#/components/schemas/{name}"

ALWAYS: Mapping[int, str] = {
    400: "The query string or the body cannot be read; `errors` names the fields.",
    403: "The request comes from another site's page (Origin, Sec-Fetch-Site).",
    421: "The Host is not one this server answers to.",
}
"""What any address can answer, whatever it does."""

TAGS: Mapping[str, str] = {
    "realtime": "What happens now, and what has been recorded.",
    "streams": "Frames as they come: SSE, WebSocket, long poll.",
    "operations": "The server itself: health, exposition, documentation.",
    "pages": "For people.",
}


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The whole document, as JSON values."""
    shown = [route for route in routes if not route.hidden]
    operations = [operation for route in shown for operation in route.operations.values()]
    kinds = [Details, *_kinds(operations)]
    refs, components = msgspec.json.schema_components(kinds, ref_template=REFS)
    schema_of = {_key(kind): ref for kind, ref in zip(kinds, refs, strict=True)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Playhead",
            "version": version,
            "description": "A flight recorder for servers: every frame is on tape.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": {
            route.path: {
                method.lower(): _operation(route, method, operation, schema_of)
                for method, operation in route.operations.items()
            }
            for route in shown
        },
        "components": {
            "schemas": components,
            "responses": {
                str(status): _problem(text, schema_of) for status, text in ALWAYS.items()
            },
        },
    }


def _kinds(operations: Iterable[Operation]) -> list[Any]:
    """Every type of a body or an answer that the table names, once."""
    found: dict[Any, Any] = {}
    for operation in operations:
        for kind in (*operation.bodies, operation.data, *operation.others.values()):
            if kind is not None:
                found.setdefault(_key(kind), kind)
    return list(found.values())


def _key(kind: Any) -> Any:
    """A type as a dictionary key; `list[X]` and unions are equal by what they say."""
    return kind if isinstance(kind, type) else repr(kind)


def _operation(
    route: Route, method: str, operation: Operation, schema_of: Mapping[Any, Any]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _name(method, route.path),
        "summary": operation.summary,
        "tags": [route.tag],
        "responses": _responses(operation, schema_of),
    }
    if operation.description:
        described["description"] = operation.description
    parameters = [*_parameters(operation.query), *_headers(operation.headers)]
    if parameters:
        described["parameters"] = parameters
    if operation.bodies:
        shapes = [schema_of[_key(kind)] for kind in operation.bodies]
        schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
        described["requestBody"] = {
            "required": True,
            "content": {media: {"schema": schema} for media in operation.body_media},
        }
    return described


def _name(method: str, path: str) -> str:
    words = [word for word in path.replace(".", "/").split("/") if word not in ("", "api")]
    return "_".join([method.lower(), *words]).replace("-", "_")


def _parameters(query: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """Each field of a query struct; its schema without the references, there are none in a query."""
    _, components = msgspec.json.schema_components([query])
    properties = components.get(query.__name__, {}).get("properties", {})
    defaults = {f.encode_name: f for f in structs.fields(query)}
    parameters: list[dict[str, Any]] = []
    for name, field in fields_of(query).items():
        schema = dict(properties[name])
        described: dict[str, Any] = {"name": name, "in": "query", "required": field.required}
        if text := schema.pop("description", ""):
            described["description"] = text
        if schema.get("type") == "array":
            described |= {"style": "form", "explode": not by_commas(field)}
            if not defaults[name].required:
                schema.pop("default", None)
        parameters.append(described | {"schema": schema})
    return parameters


def _headers(headers: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": text,
            "schema": {"type": "string", "maxLength": 200},
        }
        for name, text in headers.items()
    ]


def _responses(operation: Operation, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.data is not None:
        content[JSON] = {"schema": _envelope(schema_of[_key(operation.data)])}
    for media, kind in operation.others.items():
        content[media] = {"schema": schema_of[_key(kind)]} if kind is not None else {}
    good: dict[str, Any] = {"description": title(operation.good)}
    if content:
        good["content"] = content
    responses: dict[str, Any] = {str(operation.good): good}
    for status, text in operation.also.items():
        # A 304 has no content (RFC 9110 section 15.4.5).
        shown = {"description": text}
        responses[str(status)] = shown if status == 304 else {**good, **shown}
    for status in ALWAYS:
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    for status, text in operation.refusals.items():
        responses[str(status)] = _problem(text, schema_of)
        if status in (429, 503):
            responses[str(status)]["headers"] = {
                "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
            }
    return dict(sorted(responses.items()))


def _envelope(data: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status", "message", "data"],
        "properties": {
            "status": {"const": "success"},
            "message": {"type": "string"},
            "data": data,
        },
    }


def _problem(text: str, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    return {"description": text, "content": {MEDIA: {"schema": schema_of[Details]}}}


class OpenApi(Handler):
    """Made from the table the routes were made of, when it is first asked for, and once."""

    async def get(self) -> None:
        made: Callable[[], bytes] = self.application.settings["openapi"]
        await self.send(await asyncio.get_running_loop().run_in_executor(None, made))
