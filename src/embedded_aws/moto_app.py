"""Run moto in this process: verified requests go in, AWS answers come out."""

from __future__ import annotations

import io
import os
import sys
import zlib
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from embedded_aws import refusals
from embedded_aws.agentcore.model import parse_models_once
from embedded_aws.http_messages import Request, Response, parse_json
from embedded_aws.refusals import Protocol
from embedded_aws.sigv4 import ALGORITHM
from embedded_aws.strict.patching import patch, replace
from embedded_aws.strict.s3 import CALLER_ARN
from embedded_aws.verifier import Caller

_SETTINGS = {
    # moto would answer a CORS preflight from any origin: a web page could then call the local AWS.
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    # AWS refuses AMIs, instance types and key pairs that do not exist; moto does so only with these settings.
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
    # AmazonSSMManagedInstanceCore and the others exist on AWS.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # The endpoint is an address, so a bucket's name is always in the path.
    "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
    "MOTO_S3_DEFAULT_MAX_KEYS": "1000",
    "MOTO_ACM_VALIDATION_WAIT": "0",
    "MOTO_ACCOUNT_ID": "123456789012",
}


def configure_moto() -> None:
    """Set the environment variables that moto reads at import, and remove those of the real AWS from this process."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    os.environ.update(_SETTINGS)
    parse_models_once()


# What belongs to one hop, and what moto's web server adds and AWS does not.
_NOT_PASSED_ON = frozenset({"connection", "transfer-encoding", "server", "date"})


class MotoApp:
    """Answers for every service that has no app of its own here.

    It runs in the event loop, one request at a time: moto's state knows no locks, two calls with one client token must not race, and
    to hand a call to a thread and back took a tenth of its time.
    """

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication

        self._app: Any = DomainDispatcherApplication(_service_app)
        _cache_lookups(self._app)
        _keep_no_history()

    async def __call__(self, request: Request, caller: Caller) -> Response:
        """Run one request, in the context of its task: variables that moto changes affect no other request."""
        CALLER_ARN.set(caller.key.arn)
        return self._call(_with_authorization_header(request, caller), caller.signature.service)

    def _call(self, request: Request, service: str) -> Response:
        from werkzeug.test import run_wsgi_app

        protocol = refusals.protocol_of(request, service)
        # moto reads a body that is no JSON as one without parameters.
        if protocol is Protocol.JSON and (code := _malformation(request, protocol)):
            return _refuse_body(protocol, code)
        body, status, headers = run_wsgi_app(self._app, _environ(request), buffered=True)
        if status.startswith("500") and headers.get("content-type", "").startswith("text/html"):
            if code := _malformation(request, protocol):
                return _refuse_body(protocol, code)
            return refusals.answer(protocol, 500, "InternalFailure", "The local AWS can't do that; its log says why.")
        if status.startswith("501"):
            return refusals.answer(protocol, 501, "NotImplemented", f"The local AWS can't do that: {b''.join(body).decode()}.")
        kept = tuple((name, value) for name, value in headers if name.lower() not in _NOT_PASSED_ON)
        return Response(int(status.split(" ", 1)[0]), b"".join(body), kept)


def _refuse_body(protocol: Protocol, code: str) -> Response:
    return refusals.answer(protocol, 400, code, "The body of the request can't be parsed.")


def _malformation(request: Request, protocol: Protocol) -> str:
    """Return AWS's error code for a body that is no JSON or no XML where the protocol wants it; empty where it is well-formed."""
    if not request.body:
        return ""
    if protocol in (Protocol.JSON, Protocol.REST_JSON):
        try:
            return "" if isinstance(parse_json(request.decompress_body()), dict) else "SerializationException"
        except (ValueError, zlib.error):
            return "SerializationException"
    if protocol is Protocol.S3 or request.header("content-type").endswith("xml"):
        try:
            ElementTree.fromstring(request.body)  # noqa: S314  # its sender has a valid signature of this start
        except ElementTree.ParseError:
            return "MalformedXML"
    return ""


def _cache_lookups(dispatcher: Any) -> None:
    """Cache what moto searches in its folders, classes and models at every request although it never changes: a third of its time."""
    from moto.core import errors, responses, serialize, utils
    from moto.core.base_backend import BackendDict
    from werkzeug.routing import Rule

    dispatcher.get_backend_for_host = lru_cache(maxsize=1024)(dispatcher.get_backend_for_host)
    replace(responses, "method_names_from_class", lru_cache(maxsize=None)(utils.method_names_from_class))
    replace(responses, "camelcase_to_underscores", lru_cache(maxsize=4096)(utils.camelcase_to_underscores))
    # Each look at a service's state compares it with that of all services, in a lock.
    create = BackendDict.__getitem__
    replace(BackendDict, "__getitem__", lambda of, account: create(of, account) if (found := dict.get(of, account)) is None else found)
    # It lists all errors of a service for each error that it answers.
    lookup = errors.ErrorLookupFactory()
    replace(errors, "ErrorLookupFactory", lambda: lookup)
    # For each of a thousand routes it compiles functions that write its URLs, which no one asks for.
    replace(Rule, "_compile_builder", lambda _rule, append_unknown=True: _write_no_url)
    # It looks at each character of the name of each element of an answer, in a part of its own that a later version may not have.
    xml: Any = vars(serialize)["xmltodict"]
    if hasattr(xml, "_validate_name"):
        replace(xml, "_validate_name", lru_cache(maxsize=4096)(xml._validate_name))
    _remember_names_of_members()


def _remember_names_of_members() -> None:
    """Remember by which names moto seeks each member of an answer in its objects: by the member's shape and the object's class."""
    from moto.core import serialize
    from moto.core.constants import MISSING
    from moto.core.utils import get_value

    seek = serialize.ResponseSerializer.get_value

    @patch(serialize.XFormedAttributePicker, "get_possible_keys")
    def _remember(original: Any, self: Any, context: Any) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(original(self, context)))
        vars(context.shape).setdefault("names", {})[context.key, type(context.obj)] = names
        return names

    def _find(self: Any, value: Any, key: str, shape: Any) -> Any:
        picker = self._value_picker
        names = vars(shape).get("names", {}).get((key, type(value)))
        if names is None or type(picker) is not serialize.XFormedAttributePicker:
            return seek(self, value, key, shape)
        for name in names:
            if (found := get_value(value, name, MISSING)) is not MISSING:
                break
        else:
            found = None
        changes = picker.response_transformers
        if changes and (path := f"{'.'.join(self.path)}.{key}").endswith(tuple(changes)):
            return next(change(found) for end, change in changes.items() if path.endswith(end))
        return found

    replace(serialize.ResponseSerializer, "get_value", _find)


def _write_no_url(_rule: Any, **_values: Any) -> tuple[str, str]:
    raise NotImplementedError


def _keep_no_history() -> None:
    """Keep moto from storing every object that it ever created, for a dashboard that is not used here: memory would grow for days."""
    from moto.core.common_models import BaseModel

    replace(BaseModel, "__new__", staticmethod(lambda cls, *_, **__: object.__new__(cls)))


def _service_app(service: Any) -> Any:
    """Create the app of one service. A fault of moto ends as a 500 of AWS with a traceback in the log, not as a cut connection.

    An operation that moto lacks is a 501: clients send a 500 again and again, and here each trial ends in the same way.
    """
    from moto.moto_server.werkzeug_app import create_backend_app

    app = create_backend_app(service)
    app.debug = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.register_error_handler(NotImplementedError, lambda missing: (str(missing), 501))
    return app


def _with_authorization_header(request: Request, caller: Caller) -> Request:
    """Add an Authorization header to presigned requests: moto finds service, region and caller nowhere else."""
    if request.header("authorization"):
        return request
    signature = caller.signature
    credential = f"{signature.access_key_id}/{signature.scope}"
    signed = ";".join(signature.signed_headers)
    header = f"{ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature.signature}"
    return request.with_headers([("authorization", header)])


def _environ(request: Request) -> dict[str, Any]:
    target = request.raw_path + (f"?{request.query}" if request.query else "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        # WSGI wants the decoded path's bytes, each as one character.
        "PATH_INFO": request.path.encode().decode("latin-1"),
        "RAW_URI": target,
        "REQUEST_URI": target,
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": request.header("host").partition(":")[2],
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    environ.update(_headers(request))
    environ["CONTENT_LENGTH"] = str(len(request.body))
    # The body has arrived whole: its transfer encoding no longer applies.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def _headers(request: Request) -> dict[str, Any]:
    """Convert headers for WSGI, which spells `x_acl` and `x-acl` alike: of names with underscores only S3 metadata passes."""
    from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, environ_key_for_header, should_preserve_original_header_name

    kept: dict[str, str] = {}
    for name, _ in request.headers:
        if "_" not in name:
            kept[environ_key_for_header(name)] = name
    for name, _ in request.headers:
        if should_preserve_original_header_name(name):
            kept.setdefault(environ_key_for_header(name), name)
    spelled = {key: name for key, name in kept.items() if "_" in name}
    return {PRESERVED_HEADER_NAMES_ENVIRON_KEY: spelled, **{key: request.header(name) for key, name in kept.items()}}
