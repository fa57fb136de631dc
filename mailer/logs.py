"""Actions as data, one line each: on a terminal for people, elsewhere as JSON."""

import logging
import re
import sys

import structlog


def write_logs() -> None:
    """Send log lines to stderr, those of libraries from warnings up, too.

    Values are quoted or encoded, so none can forge a line.
    """
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
    others = [each for each in logging.root.handlers if not isinstance(each, _FromLibraries)]
    logging.root.handlers = [*others, _FromLibraries(logging.WARNING)]


class _FromLibraries(logging.Handler):
    """Says what libraries say through the standard library's logging as an event like ours.

    Nobody knows what they fill into their messages: of one with arguments only the form is told
    ('Execution of job "%s" skipped'), from one without what looks like an address or a token is cut.
    """

    def emit(self, record: logging.LogRecord) -> None:
        form = str(record.msg)
        message = form if record.args else _PERSONAL.sub("***", form)
        structlog.get_logger().log(
            record.levelno, "library.warned", logger=record.name, message=message, exc_info=record.exc_info
        )


#: an address of mail; 45 characters of base32, the length of a mailed token
_PERSONAL = re.compile(r"[^\s@<>(),;:\"'`]+@[^\s@<>(),;:\"'`]+|\b[A-Za-z2-7]{45}\b")
