"""Swagger 2.0 in the shape of OpenAPI 3.0, so that nothing after this knows the difference.

Schemas stay where they are: `#/definitions/…` is as good a pointer as any. Only what changed its
shape is rewritten: parameters, bodies, responses, servers and security definitions.
"""

from collections.abc import Mapping
from typing import Any

from msil_mcp.openapi.errors import OperationProblem
from msil_mcp.openapi.references import follow

_ABOUT_PARAMETER = frozenset(
    ("name", "in", "description", "required", "schema", "collectionFormat", "allowEmptyValue")
)
_STYLES = {
    "multi": {"style": "form", "explode": True},
    "ssv": {"style": "spaceDelimited", "explode": False},
    "pipes": {"style": "pipeDelimited", "explode": False},
}
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_JSON = "application/json"


def upgrade(tree: Mapping[str, Any]) -> dict[str, Any]:
    """An OpenAPI 3.0 tree with the same operations at the same pointers."""
    root = {key: value for key, value in tree.items() if key not in ("swagger", "paths")}
    root["servers"] = _servers(tree)
    root["responses"] = {
        name: _response(response, _types(tree.get("produces")))
        for name, response in _object(tree.get("responses")).items()
    }
    root["parameters"] = {
        name: _parameter(parameter) for name, parameter in _object(tree.get("parameters")).items()
    }
    root["components"] = {
        "securitySchemes": {
            name: _security_scheme(scheme)
            for name, scheme in _object(tree.get("securityDefinitions")).items()
        }
    }
    root["paths"] = {
        path: _path_item(tree, item) if isinstance(item, dict) else item
        for path, item in tree["paths"].items()
    }
    return root


def _path_item(tree: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    shared = item.get("parameters")
    plain, body = _split(tree, shared if isinstance(shared, list) else [])
    result: dict[str, Any] = dict(item)
    if isinstance(shared, list):
        result["parameters"] = plain
    for method, operation in item.items():
        if method not in ("parameters", "$ref") and isinstance(operation, dict):
            result[method] = _operation(tree, operation, shared_body=body)
    return result


def _operation(
    tree: Mapping[str, Any], operation: Mapping[str, Any], *, shared_body: list[Mapping[str, Any]]
) -> dict[str, Any]:
    result = dict(operation)
    own = operation.get("parameters")
    if own is None or isinstance(own, list):
        result["parameters"], body = _split(tree, own or [])
        names = {(part.get("in"), str(part.get("name"))) for part in body}
        body += [
            part for part in shared_body if (part.get("in"), str(part.get("name"))) not in names
        ]
        if body:
            consumes = operation.get("consumes", tree.get("consumes"))
            result["requestBody"] = _request_body(body, _types(consumes))
    produces = _types(operation.get("produces", tree.get("produces")))
    result["responses"] = {
        status: _response(response, produces)
        for status, response in _object(operation.get("responses")).items()
    }
    return result


def _split(
    tree: Mapping[str, Any], parameters: list[Any]
) -> tuple[list[Any], list[Mapping[str, Any]]]:
    """Parameters that stay parameters, and those that make the body."""
    plain: list[Any] = []
    body: list[Mapping[str, Any]] = []
    for parameter in parameters:
        try:
            resolved, _ = follow(tree, parameter, pointer="")
        except OperationProblem:  # told with its own pointer when the operation is read
            resolved = None
        if isinstance(resolved, dict) and resolved.get("in") in ("body", "formData"):
            body.append(resolved)
        elif isinstance(resolved, dict) and resolved is not parameter:
            plain.append(parameter)  # the reference leads to the rewritten one
        else:
            plain.append(_parameter(parameter))
    return plain, body


def _parameter(parameter: Any) -> Any:
    if not isinstance(parameter, dict) or "$ref" in parameter:
        return parameter
    about = {key: parameter[key] for key in parameter if _is_about_parameter(key)}
    about.pop("collectionFormat", None)
    style = _style(parameter)
    return about | style | {"schema": _schema(parameter)}


def _is_about_parameter(key: str) -> bool:
    return key in _ABOUT_PARAMETER or key.startswith("x-")


def _schema(parameter: Mapping[str, Any]) -> dict[str, Any]:
    schema = {key: parameter[key] for key in parameter if key not in _ABOUT_PARAMETER}
    if schema.get("type") == "file":
        schema |= {"type": "string", "format": "binary"}
    return schema


def _style(parameter: Mapping[str, Any]) -> dict[str, Any]:
    if parameter.get("type") != "array" or parameter.get("in") not in ("query", "formData"):
        return {}
    wanted = parameter.get("collectionFormat", "csv")
    return _STYLES.get(str(wanted), {"style": "form", "explode": False})


def _request_body(body: list[Mapping[str, Any]], consumes: list[str]) -> dict[str, Any]:
    whole = next((part for part in body if part.get("in") == "body"), None)
    if whole is not None:
        content = {name: {"schema": whole.get("schema", {})} for name in consumes or [_JSON]}
        about = {key: whole[key] for key in whole if key == "description" or key.startswith("x-")}
        return about | {"required": whole.get("required") is True, "content": content}
    schema: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    encoding: dict[str, Any] = {}
    for part in body:
        name = str(part.get("name"))
        about = {"description": part["description"]} if "description" in part else {}
        schema["properties"][name] = about | _schema(part)
        if part.get("required") is True:
            schema["required"].append(name)
        if style := _style(part):
            encoding[name] = style
    has_file = any(part.get("type") == "file" for part in body)
    only_multipart = bool(consumes) and _FORM not in consumes and _MULTIPART in consumes
    media = {"schema": schema, "encoding": encoding}
    return {
        "required": bool(schema["required"]),
        "content": {_MULTIPART if has_file or only_multipart else _FORM: media},
    }


def _response(response: Any, produces: list[str]) -> Any:
    if not isinstance(response, dict) or "schema" not in response:
        return response
    content = {name: {"schema": response["schema"]} for name in produces or [_JSON]}
    return {"description": response.get("description", ""), "content": content}


def _security_scheme(scheme: Any) -> Any:
    if isinstance(scheme, dict) and scheme.get("type") == "basic":
        return {"type": "http", "scheme": "basic"}
    return scheme


def _servers(tree: Mapping[str, Any]) -> list[dict[str, str]]:
    base = tree.get("basePath")
    path = base if isinstance(base, str) else ""
    host = tree.get("host")
    if not isinstance(host, str):
        return [{"url": path}] if path else []
    return [
        {"url": f"{scheme}://{host}{path}"} for scheme in _types(tree.get("schemes")) or ["https"]
    ]


def _types(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
