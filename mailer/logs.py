"""Actions as data, one line each: on a terminal for people, elsewhere as JSON."""

import sys

import structlog


def write_logs() -> None:
    """Send log lines to stderr. Values are quoted or encoded, so none can forge a line."""
    renderer: structlog.typing.Processor
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        trace: list[structlog.typing.Processor] = []
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
        # without the locals of its frames, which hold keys and addresses
        exceptions = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        trace = [structlog.processors.ExceptionRenderer(exceptions)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *trace,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
