"""Actions as data, one line each: on a terminal for people, elsewhere as JSON."""

import sys

import structlog


def write_logs() -> None:
    """Send log lines to stderr. Values are quoted or encoded, so none can forge a line."""
    renderer: structlog.typing.Processor
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
        trace: list[structlog.typing.Processor] = []
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
        trace = [structlog.processors.dict_tracebacks]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *trace,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
