"""Send spans by OTLP over HTTP, with OpenTelemetry's own SDK. `tracing` imports this where traces are configured, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SECONDS = 2.0
"""What an attempt may take: 512 spans at most. 2048 wait at most; a newer one takes the place of the oldest."""
DELAY_MS = 1000
END_SECONDS = 1.0
"""A service ends five seconds after SIGTERM at the latest: what an address does not accept by then is lost."""
_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}


class Step:
    """One span that is open."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, name: str, value: str | int | float) -> None:
        """Add an attribute."""
        self._span.set_attribute(name, value)


class Exported:
    """The spans of one process on their way to one address."""

    def __init__(self, provider: TracerProvider, exporter: _Exporter) -> None:
        self._provider, self._exporter = provider, exporter
        # Not the provider of the whole process: libraries would add spans of their own, with unreviewed texts.
        self._tracer = provider.get_tracer("sre-agent")
        self._context = TraceContextTextMapPropagator()

    @property
    def state(self) -> str:
        return self._exporter.state

    @contextmanager
    def span(self, name: str, kind: str, parent: str | None, facts: Mapping[str, str | int | float]) -> Iterator[Step]:
        """Open a span while the block runs. Of an error that ends it only the type is kept."""
        # The header's name is W3C's; `tracing` is not imported, because it imports this file.
        within = None if parent is None else self._context.extract({"traceparent": parent}, Context())
        with self._tracer.start_as_current_span(
            name, within, _KINDS[kind], dict(facts), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield Step(span)
            except BaseException as error:
                # A request that is cancelled failed as well.
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def is_inside(self) -> bool:
        """Return True if a span is open."""
        return get_current_span().get_span_context().is_valid

    def headers(self) -> dict[str, str]:
        """Return the W3C headers of the span that is open."""
        carrier: dict[str, str] = {}
        self._context.inject(carrier)
        return carrier

    def end(self) -> None:
        """Send what is left, as far as that is possible within END_SECONDS. The SDK would wait for half a minute."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(END_SECONDS)


class _Exporter(OTLPSpanExporter):
    """Sends spans, and remembers if the last ones were accepted."""

    state = ""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self.state = "ok" if result is SpanExportResult.SUCCESS else "failed"
        return result


def export(service: str, address: str, ca_file: str) -> Exported:
    """Send the spans of this process to an address, a second after they end."""
    exporter = _Exporter(endpoint=address, certificate_file=ca_file or None, timeout=SECONDS)
    provider = TracerProvider(resource=Resource({"service.name": f"sre-agent-{service}"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_MS))
    return Exported(provider, exporter)
