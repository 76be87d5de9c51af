"""What schemathesis must know of the shop: the media types that it has no words for.

JSON lines are sent as rows, good and bad ones, and each line of an answer is compared with its schema.
Lists answer in each media type that they describe, pictures are pictures.
"""

import itertools
import json

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.file_samples import MEDIA_TYPE_FILE_SAMPLES

JSON_LINES = "application/x-ndjson"

turns = itertools.count()


def row_schemas(schemas):
    """The schema of a row of each route that takes rows: the fields of its commands on one product."""
    product_id = {"type": "integer", "minimum": 1, "maximum": 60}
    create, change = schemas["NewProduct"], schemas["ProductChange"]
    created = create["properties"] | {"stock": {"type": "integer", "minimum": 0, "maximum": 1000}}
    changed = change["properties"] | {"product_id": product_id}
    adjusted = schemas["StockAdjustment"]["properties"]
    sku = {"sku": {"$ref": "#/components/schemas/Text64"}}
    adjustments = [
        {"properties": key | {what: adjusted[what], "reason": adjusted["reason"]}, "required": [*key, what]}
        for key in ({"product_id": product_id}, sku)
        for what in ("change", "count")
    ]
    return {
        "/shop/api/products/bulk": [
            {"properties": created, "required": create["required"]},
            {"properties": changed, "required": ["product_id"]},
        ],
        "/shop/api/stock/bulk": adjustments,
    }


@schemathesis.hook
def before_load_schema(context, description):
    rows = row_schemas(description["components"]["schemas"])
    for path, item in description["paths"].items():
        for operation in item.values():
            # The read tables never reach a position that is made up.
            parameters = operation.get("parameters", [])
            parameters[:] = [one for one in parameters if one.get("$ref") != "#/components/parameters/Min-Position"]
            if lines := operation.get("requestBody", {}).get("content", {}).get(JSON_LINES):
                row = [{"type": "object", "additionalProperties": False} | kind for kind in rows.pop(path)]
                lines["schema"] = {"type": "array", "items": {"anyOf": row}, "minItems": 1, "maxItems": 20}
                lines["example"] = [json.loads(line) for line in lines["example"].splitlines()]
            for response in operation["responses"].values():
                if lines := response.get("content", {}).get(JSON_LINES):
                    lines["schema"] = {"type": "array", "items": lines["schema"]}
    assert not rows, f"no route takes the rows of {list(rows)}"


@schemathesis.serializer(JSON_LINES)
def write_lines(context, value):
    rows = value if isinstance(value, list) else [value]
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


@schemathesis.deserializer(JSON_LINES)
def read_lines(context, response):
    return [json.loads(line) for line in response.content.decode().split("\n") if line]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Asks for each described media type in turn. A bad request stays as it is, so that its fault is the only one."""
    described = case.operation.definition.raw["responses"].get("200", {}).get("content", {})
    is_good = case.meta is None or case.meta.generation.mode.is_positive
    if len(described) > 1 and case.method == "GET" and is_good:
        accept = list(described)[next(turns) % len(described)]
        case.headers = {"Accept": accept, **(case.headers or {})}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """A bad row is refused in its own line of the answer, and the other rows are carried out."""
    if not isinstance(failure, AcceptedNegativeData) or case.media_type != JSON_LINES:
        return True
    return not any(line.get("problem") for line in read_lines(None, response))


def some_pictures(picture):
    """The picture, whole or damaged, and bytes that are no picture."""
    places, values = st.integers(0, len(picture)), st.integers(0, 255)
    damaged = st.builds(lambda at, byte: picture[:at] + bytes([byte]) + picture[at + 1 :], places, values)
    cut = st.builds(lambda end: picture[:end], places)
    return st.one_of(st.just(picture), damaged, cut, st.binary(max_size=200))


for kind in ("image/jpeg", "image/png", "image/webp"):
    schemathesis.openapi.media_type(kind, some_pictures(MEDIA_TYPE_FILE_SAMPLES[kind]))
