"""One installation of Infomail: what its settings and its plan come to, as values.

The edge (cli, daemon, web) opens it once; everything below is handed the parts it needs.
"""

import base64
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import idna
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from mailer import __version__
from mailer.database import Database
from mailer.feeds.fetch import Policy
from mailer.links import Links
from mailer.outbox.domains import DomainLimit, parse_limits
from mailer.privacy.activities import NextServer, Operation
from mailer.privacy.holding import Circumstances
from mailer.privacy.retaining import Retention
from mailer.receipts.arrivals import Arrivals
from mailer.receipts.imap import Account
from mailer.receipts.oauth import Client
from mailer.receipts.returnpath import ReturnPath
from mailer.render.brand import BadLogo, Brand, read_logo
from mailer.render.colours import BadColour, palette
from mailer.render.dkim import BadKey, Signer, read_key
from mailer.render.letterhead import Imprint, Letterhead
from mailer.schedule import Plan, PlanProblems, read_plan
from mailer.schema import is_current, is_newer, upgrade
from mailer.settings import Settings
from mailer.shipped import shipped
from mailer.smtp import Pool, Relay
from subscribers.tokens import Keys


class NotConfigured(Exception):
    """Settings or plan are wrong; says what, a line each."""


@dataclass(frozen=True, slots=True)
class Installation:
    settings: Settings
    database: Database
    plan: Plan
    letterhead: Letterhead
    signing: Keys
    suppression_key: bytes = field(repr=False)
    fetching: Policy
    #: None where the relay signs, or nobody does
    signer: Signer | None


@contextmanager
def open_installation(settings: Settings) -> Iterator[Installation]:
    """Everything of this installation, checked. Raises NotConfigured."""
    plan = load_plan(settings)
    signing = signing_keys(settings)
    suppression = suppression_key(settings)
    letterhead = _letterhead(settings)
    signer = dkim_signer(settings)
    with open_database(settings) as database:
        yield Installation(
            settings,
            database,
            plan,
            letterhead,
            signing,
            suppression,
            fetch_policy(settings),
            signer,
        )


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, with the newest schema. Raises NotConfigured."""
    database = connect(settings)
    try:
        if not is_current(database):
            _refuse_newer(database)
            raise NotConfigured("the database has not the newest schema: run `infomail db upgrade`")
        yield database
    finally:
        database.close()


def migrate(database: Database) -> None:
    """Bring the database to the newest schema; an empty one is created. Raises NotConfigured."""
    _refuse_newer(database)
    upgrade(database)


def _refuse_newer(database: Database) -> None:
    if is_newer(database):
        raise NotConfigured("this program is older than the database: run the version that last upgraded it")


def connect(settings: Settings) -> Database:
    """The database of the settings, whatever its schema. Raises NotConfigured."""
    try:
        return Database(settings.database_url.get_secret_value(), ca_bundle=str(settings.ca_bundle or ""))
    except (ArgumentError, ValueError):
        raise NotConfigured(
            "INFOMAIL_DATABASE_URL: expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        ) from None


def load_plan(settings: Settings) -> Plan:
    """The plan of the schedule file. Raises NotConfigured."""
    try:
        text = settings.schedule.read_text(encoding="utf-8")
        return read_plan(text, source=settings.schedule.name)
    except PlanProblems as problems:
        raise NotConfigured(str(problems)) from None
    except UnicodeDecodeError:
        raise NotConfigured(f"{settings.schedule}: not UTF-8") from None
    except OSError as error:
        raise NotConfigured(f"{settings.schedule}: {error.strerror}: run `infomail init`") from None


def signing_keys(settings: Settings) -> Keys:
    """The keys of mailed links. Raises NotConfigured."""
    try:
        return Keys.parse(settings.secret_keys.get_secret_value())
    except ValueError as error:
        raise NotConfigured(f"INFOMAIL_SECRET_KEYS: {error}") from None


def suppression_key(settings: Settings) -> bytes:
    """The key that addresses are hashed with. Raises NotConfigured."""
    try:
        key = base64.b64decode(settings.suppression_key.get_secret_value(), validate=True)
    except ValueError:
        key = b""
    if len(key) < 32:
        raise NotConfigured("INFOMAIL_SUPPRESSION_KEY: expected BASE64 of 32 bytes or more")
    return key


def dkim_signer(settings: Settings) -> Signer | None:
    """What signs the mails that leave, if keys are set. Raises NotConfigured."""
    keys = []
    for selector, file in dkim_key_files(settings):
        try:
            keys.append(read_key(selector, file))
        except BadKey as problem:
            raise NotConfigured(f"INFOMAIL_DKIM_KEYS: {file}: {problem}") from None
        except OSError as error:
            raise NotConfigured(f"INFOMAIL_DKIM_KEYS: {file}: {error.strerror}") from None
    return Signer(_dkim_domain(settings), keys) if keys else None


def dkim_key_files(settings: Settings) -> list[tuple[str, Path]]:
    """Selector and file of each DKIM key. Raises NotConfigured."""
    found: dict[str, Path] = {}
    for named in filter(None, map(str.strip, settings.dkim_keys.split(","))):
        selector, _, file = named.partition(":")
        if not file:
            raise NotConfigured(f"INFOMAIL_DKIM_KEYS: expected SELECTOR:FILE, got {named!r}")
        if selector in found:
            raise NotConfigured(f"INFOMAIL_DKIM_KEYS: {selector}: each key needs a selector of its own")
        found[selector] = Path(file)
    return list(found.items())


def _dkim_domain(settings: Settings) -> str:
    """As the DNS has it: in lower case, in A-labels."""
    said = settings.dkim_domain or settings.sender_address.rpartition("@")[2]
    try:
        domain = said if said.isascii() else idna.encode(said, uts46=True).decode("ascii")
    except idna.IDNAError:
        domain = ""
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", domain):
        raise NotConfigured(f"INFOMAIL_DKIM_DOMAIN: expected a domain, got {said!r}")
    return domain.lower()


def open_pool(settings: Settings) -> Pool:
    """Connections to the relays of the settings. Raises NotConfigured."""
    return Pool(relays(settings), tls=tls_context(settings), hello_name=settings.hello_name)


def relays(settings: Settings) -> list[Relay]:
    """The relays of the settings, in order. Raises NotConfigured."""
    urls = settings.smtp_urls.get_secret_value().split(",")
    try:
        found = [Relay.from_url(url.strip()) for url in urls if url.strip()]
    except ValueError as error:
        raise NotConfigured(f"INFOMAIL_SMTP_URLS: {error}") from None
    if not found:
        raise NotConfigured("INFOMAIL_SMTP_URLS: no relay")
    return found


def domain_limits(settings: Settings) -> dict[str, DomainLimit]:
    """What domains may get at most. Raises NotConfigured."""
    try:
        return parse_limits(settings.domain_limits)
    except ValueError as error:
        raise NotConfigured(f"INFOMAIL_DOMAIN_LIMITS: {error}") from None


def open_arrivals(settings: Settings) -> Arrivals:
    """Where mail that came in waits for the database. Raises NotConfigured."""
    folder = settings.spool / "incoming"
    try:
        return Arrivals(folder)
    except OSError as error:
        raise NotConfigured(f"INFOMAIL_SPOOL: {folder}: {error.strerror}") from None


def imap_account(settings: Settings) -> tuple[Account, Client | None] | None:
    """The mailbox of the settings, and who gives a token for it. Raises NotConfigured."""
    url = settings.imap_url.get_secret_value()
    if not url:
        return None
    try:
        account = Account.from_url(url)
    except ValueError as error:
        raise NotConfigured(f"INFOMAIL_IMAP_URL: {error}") from None
    if account.password is not None:
        return account, None
    secret = settings.imap_client_secret.get_secret_value()
    if not (settings.imap_token_url and settings.imap_client_id and secret):
        raise NotConfigured(
            "INFOMAIL_IMAP_URL: without a password it needs INFOMAIL_IMAP_TOKEN_URL, "
            "INFOMAIL_IMAP_CLIENT_ID and INFOMAIL_IMAP_CLIENT_SECRET"
        )
    return account, Client(
        settings.imap_token_url, settings.imap_client_id, secret, settings.imap_scope,
        settings.http_proxy or None,
    )  # fmt: skip


def retention(settings: Settings) -> Retention:
    """How long each class of data is kept."""
    return Retention(
        sign_up_ip=timedelta(days=settings.retention_sign_up_ip),
        requests=timedelta(days=settings.retention_requests),
        receipts=timedelta(days=settings.retention_receipts),
        deliveries=timedelta(days=settings.retention_deliveries),
        consent_proof=timedelta(days=settings.retention_consent_proof),
    )


def circumstances(settings: Settings) -> Circumstances:
    """What people must be told beside their data. Raises NotConfigured."""
    return Circumstances(
        templates=template_roots(settings),
        controller=", ".join(
            filter(None, (settings.sender_name, settings.sender_street, settings.sender_city))
        ),
        contact=settings.sender_email or settings.sender_address,
        privacy_url=settings.sender_privacy_url,
        relays=[relay.host for relay in relays(settings)],
        keep=retention(settings),
    )


def operation(settings: Settings) -> Operation:
    """How the service runs, for the record of processing activities. Raises NotConfigured."""
    url = make_url(settings.database_url.get_secret_value())
    return Operation(
        network=settings.network,
        version=__version__,
        represented_by=settings.sender_represented_by,
        phone=settings.sender_phone,
        responsible=settings.sender_responsible,
        public_url=settings.public_url,
        relays=[
            NextServer(relay.name, relay.tls.value, relay.username is not None) for relay in relays(settings)
        ],
        engine="SQLite" if url.drivername == "sqlite" else "PostgreSQL",
        database_host=url.host or "",
        records_ip=settings.record_sign_up_ip,
        signs_for=signer.domain if (signer := dkim_signer(settings)) else "",
    )


def template_roots(settings: Settings) -> tuple[Path, ...]:
    """The folders of templates, an own one before the shipped one."""
    own = (settings.templates,) if settings.templates.is_dir() else ()
    return (*own, shipped("templates"))


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Checks certificates against the system's authorities and those of CA_BUNDLE."""
    context = ssl.create_default_context()
    if settings.ca_bundle:
        try:
            context.load_verify_locations(settings.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise NotConfigured(f"INFOMAIL_CA_BUNDLE: {settings.ca_bundle}: {error}") from None
    return context


def listen_on(name: str, value: str) -> socket.socket:
    """A socket that listens on the HOST:PORT of a setting. Raises NotConfigured."""
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise NotConfigured(f"INFOMAIL_{name}: expected HOST:PORT, got {value!r}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        raise NotConfigured(f"INFOMAIL_{name}: {value}: {error.strerror}") from None


def _letterhead(settings: Settings) -> Letterhead:
    try:
        return_path = ReturnPath.parse(settings.return_path)
    except ValueError as error:
        raise NotConfigured(f"INFOMAIL_RETURN_PATH: {error}") from None
    try:
        brand = Brand(palette(settings.colour), read_logo(settings.logo) if settings.logo else None)
    except BadColour as error:
        raise NotConfigured(f"INFOMAIL_COLOUR: {error}") from None
    except BadLogo as error:
        raise NotConfigured(f"INFOMAIL_LOGO: {settings.logo}: {error}") from None
    except OSError as error:
        raise NotConfigured(f"INFOMAIL_LOGO: {settings.logo}: {error.strerror}") from None
    return Letterhead(
        network=settings.network,
        address=settings.sender_address,
        operator=settings.operator_address,
        imprint=Imprint(
            name=settings.sender_name,
            street=settings.sender_street,
            city=settings.sender_city,
            represented_by=settings.sender_represented_by,
            email=settings.sender_email,
            phone=settings.sender_phone,
            responsible=settings.sender_responsible,
            privacy_url=settings.sender_privacy_url,
        ),
        links=Links(settings.public_url.rstrip("/")),
        return_path=return_path,
        message_id_domain=settings.message_id_domain,
        templates=template_roots(settings),
        brand=brand,
    )


def fetch_policy(settings: Settings) -> Policy:
    """How documents of others are fetched."""
    return Policy(proxy=settings.http_proxy or None, ca_bundle=settings.ca_bundle)
