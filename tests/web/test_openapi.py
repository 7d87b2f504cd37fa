"""The document: complete, consistent, and the same as the routes."""

import jsonschema_rs
import pytest

from web.app import ROUTES
from web.openapi import document

DOCUMENT = document(ROUTES, "1.2.3")
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
NAMES = [f"{method} {path}" for path, method, _ in OPERATIONS]


def refs(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from refs(one)
    elif isinstance(value, list):
        for one in value:
            yield from refs(one)


def test_every_route_that_is_not_hidden_is_documented():
    """Nothing is served in secret, and nothing is promised that is not served."""
    served = {(r.path, m.lower()) for r in ROUTES if not r.hidden for m in r.operations}
    assert {(path, method) for path, method, _ in OPERATIONS} == served


def test_every_reference_leads_somewhere():
    """No dangling $ref, and no component that nothing uses."""
    used = set(refs(DOCUMENT))
    held = {
        f"#/components/{kind}/{name}"
        for kind, named in DOCUMENT["components"].items()
        for name in named
    }
    assert used == held


def test_every_schema_is_a_json_schema():
    """OpenAPI 3.1 schemas are JSON Schema 2020-12: its own validator takes each of them."""
    for name in DOCUMENT["components"]["schemas"]:
        jsonschema_rs.validator_for(
            {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
        )


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_an_operation_is_whole(path, method, operation):
    """A summary, a tag of the list, refusals with their shape, bounds on every text and list."""
    assert operation["summary"]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert {"400", "403", "421"} <= set(operation["responses"])
    assert any(code[0] in "123" for code in operation["responses"])
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if schema.get("type") == "string":
            assert "maxLength" in schema, parameter["name"]
        if schema.get("type") == "array":
            assert "maxItems" in schema, parameter["name"]


def test_operations_have_names_of_their_own():
    """Clients are generated from these."""
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


@pytest.mark.gen_test
async def test_the_document_is_served(site):
    """What is served is what is made here."""
    assert (await site.ask("/api/openapi.json")).json == DOCUMENT
