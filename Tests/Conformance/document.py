"""Holds answers against docs/openapi.yaml, and the document against the routes of the gateway."""

import functools
import pathlib
import re

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "docs/openapi.yaml"
ROUTES = ROOT / "Sources/Gateway/API/Requests/Route.swift"
ENGINE_PATHS = ROOT / "Sources/Gateway/API/Online/InferencePath.swift"
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
# Answers that any request may get, whatever it asks for: what info.description says of all paths.
ANYWHERE = {400, 405, 417, 431, 501, 505}


@functools.cache
def document():
    return yaml.safe_load(PATH.read_text())


def resolved(value):
    """A value, followed through its reference."""
    while isinstance(value, dict) and isinstance(value.get("$ref"), str):
        found = document()
        for key in value["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        value = found
    return value


def operations():
    """(method, path) of each operation."""
    paths = document()["paths"].items()
    return {(method.upper(), path) for path, item in paths for method in item if method in METHODS}


@functools.cache
def patterns():
    """A pattern for each path, those with the fewest parameters first; the last parameter of a model has slashes."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\\{model\\\}", ".+", re.escape(path)) if "{model}" in path
                        else re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path) for path in paths]


def template(path):
    return next((name for pattern, name in patterns() if pattern.fullmatch(path)), None)


def validator(schema):
    return jsonschema.Draft202012Validator({**schema, "components": document()["components"]})


def violations(exchanges):
    """What of the answers the document does not say, each once."""
    found = {}
    for exchange in exchanges:
        for problem in problems(exchange):
            name = template(exchange.path) or exchange.path
            found.setdefault(f"{exchange.method} {name} -> {exchange.status}: {problem}", exchange)
    return [f"openapi.yaml: {text}" for text in found]


def problems(exchange):
    """What one answer does against the document."""
    name = template(exchange.path)
    operation = document()["paths"][name].get(exchange.method.lower()) if name else None
    responses = operation["responses"] if operation else {}
    response = resolved(responses.get(str(exchange.status), responses.get(f"{exchange.status // 100}XX")))
    if response is not None:
        yield from header_problems(response, exchange)
        yield from body_problems(response, exchange)
    elif exchange.status == 404 and operation is None or exchange.status in ANYWHERE:
        yield from body_problems(document()["components"]["responses"]["BadRequest"], exchange)
        if exchange.status == 405 and "allow" not in exchange.headers:
            yield "no Allow"
    elif operation is None:
        yield "no such operation"
    else:
        yield "no such status"


def header_problems(response, exchange):
    # Limits are told with any answer.
    limits = document()["components"]["responses"]["TooManyRequests"]["headers"]
    anywhere = {name: header for name, header in limits.items() if name.startswith("x-ratelimit-")}
    for name, header in {**anywhere, **response.get("headers", {})}.items():
        header = resolved(header)
        value = exchange.headers.get(name.lower())
        if value is None:
            if header.get("required"):
                yield f"no {name}"
            continue
        schema = header["schema"]
        typed = int(value) if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", value) else value
        yield from (f"{name}: {error.message}" for error in validator(schema).iter_errors(typed))


def body_problems(response, exchange):
    content = response.get("content", {})
    if not content:
        return
    if exchange.content_type not in content:
        yield f"content type {exchange.content_type or 'none'}"
    elif exchange.body is not None:
        schema = content[exchange.content_type].get("schema", {})
        for error in validator(schema).iter_errors(exchange.json()):
            path = re.sub(r"\[\d+\]", "[]", error.json_path)
            yield f"{path}: {error.message[:120]}"


def undocumented_routes():
    """How the document and the routes in the gateway's source differ."""
    # Each case of Route tells its method and path in its comment; paths of engines have a type of their own.
    routes = {("POST", path) for path in re.findall(r'case \w+ = "(/\S+)"', ENGINE_PATHS.read_text() if ENGINE_PATHS.exists() else '')}
    routes |= {(method, re.sub(r"\{\w+\}", "{}", path))
              for method, path in re.findall(r"/// `([A-Z]+) (/\S*)`", ROUTES.read_text())}
    documented = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in operations()}
    for method, path in sorted(routes - documented):
        yield f"openapi.yaml: {method} {path} of Route.swift is not in it"
    for method, path in sorted(documented - routes):
        yield f"openapi.yaml: {method} {path} is not in Route.swift"


def wrong_methods(http):
    """Paths that do not answer a method that they do not have with a 405 that allows those of the document."""
    for path, item in document()["paths"].items():
        wanted = {method.upper() for method in item if method in METHODS}
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - wanted:
            answer = http.request(method, re.sub(r"\{\w+\}", "file-0", path))
            allowed = set(answer.headers.get("allow", "").replace(" ", "").split(","))
            if answer.status_code != 405 or allowed - {"HEAD", "OPTIONS"} != wanted:
                yield f"openapi.yaml: {method} {path} -> {answer.status_code}, Allow {sorted(allowed)}"
                break
