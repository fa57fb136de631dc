"""What an operator sets: INFOMAIL_* in the environment or in .env of the current folder.

Read once at the edge (cli, daemon, web); everything else receives values.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field's description is its documentation (docs/settings.md is checked against it)."""

    model_config = SettingsConfigDict(
        env_prefix="INFOMAIL_", env_file=".env", env_file_encoding="utf-8", extra="ignore"
    )

    database_url: SecretStr = Field(
        SecretStr("sqlite:///infomail.sqlite"),
        description="SQLAlchemy URL: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    )
    schedule: Path = Field(Path("schedule.toml"), description="The plan: newsletters, sections, feeds")
    templates: Path = Field(
        Path("templates"), description="Folder whose templates come before the shipped ones, if it exists"
    )
    register_path: Path | None = Field(
        None, description="Folder or CSV file of the register of municipalities that `init` imports"
    )
    spool: Path = Field(
        Path("spool"), description="Folder of the delivery journals, and of mail until it is in the database"
    )

    public_url: str = Field(
        "http://127.0.0.1:8025", description="Where subscribers reach the pages; every mailed link begins so"
    )
    http_listen: str = Field("127.0.0.1:8025", description="HOST:PORT the pages listen on")
    trusted_proxies: str = Field(
        "127.0.0.1", description="Addresses of reverse proxies whose X-Forwarded-For counts, with commas"
    )

    secret_keys: SecretStr = Field(
        SecretStr(""),
        description="ID:BASE64 of 32 bytes or more, newest first, with commas; they sign every mailed link",
    )
    suppression_key: SecretStr = Field(
        SecretStr(""),
        description="BASE64 of 32 bytes; hashes the addresses on the suppression list. It never changes",
    )

    smtp_urls: SecretStr = Field(
        SecretStr("smtp://127.0.0.1:25?starttls=off"),
        description="Relays in order, with commas: smtp://USER:PASSWORD@HOST:PORT?starttls=required"
        "&connections=4, or smtps://; operations.md has all options",
    )
    domain_limits: str = Field(
        "",
        description="What domains may get at most, with commas: DOMAIN connections=N rate=N, the rate in "
        "mails a second",
    )
    error_rate: int = Field(
        20,
        ge=0,
        le=100,
        description="Percent of failing mails that pause an issue, after 10 of them; 0: none",
    )
    hello_name: str = Field("localhost", description="The name given in EHLO")
    dkim_keys: str = Field(
        "", description="Private keys that sign each mail: SELECTOR:FILE (PEM, RSA or Ed25519), with commas"
    )
    dkim_domain: str = Field("", description="Domain they sign for; empty: that of SENDER_ADDRESS")
    return_path: str = Field(
        "bounce+{token}@localhost",
        description="Where bounces go: bounce+{token}@HOST, {token}@HOST, or one fixed address",
    )
    message_id_domain: str = Field("localhost", description="Right-hand side of Message-IDs")
    lmtp_listen: str = Field("127.0.0.1:8024", description="HOST:PORT the intake takes LMTP on; empty: none")
    smtp_listen: str = Field("", description="HOST:PORT the intake takes SMTP on; empty: none")
    imap_url: SecretStr = Field(
        SecretStr(""),
        description="A mailbox that reports are delivered into: "
        "imaps://USER:PASSWORD@HOST:PORT/INBOX?read=Gelesen; empty: none",
    )
    imap_token_url: str = Field(
        "",
        description="Where an access token for it is had (OAuth2, client credentials) if it has no password",
    )
    imap_client_id: str = Field("", description="Who we are to that token server")
    imap_client_secret: SecretStr = Field(SecretStr(""), description="And our secret there")
    imap_scope: str = Field(
        "https://outlook.office365.com/.default", description="What the token is asked for"
    )
    maildir: Path | None = Field(
        None, description="A Maildir of its own that a mail server delivers reports into"
    )
    inbox_listen: str = Field(
        "", description="HOST:PORT of a local inbox for trying out: takes all mail by SMTP into ./inbox"
    )

    http_proxy: str = Field("", description="Forward proxy for feeds and the token server: http://HOST:PORT")
    ca_bundle: Path | None = Field(
        None, description="PEM file of the authorities trusted beside the system's"
    )

    rspamd_url: str = Field(
        "", description="An rspamd that preflight asks how a mail looks: http://HOST:11333; empty: none"
    )
    network: str = Field("Kommunen-Netzwerk", description="Name of the network, as the mails' head shows it")
    colour: str = Field(
        "#0b3d61", description="Colour of the mails, #rrggbb, dark enough for white words on it"
    )
    logo: Path | None = Field(
        None, description="PNG or JPEG of up to 60 KB; travels with each mail and stands at its head"
    )
    operator_address: str = Field("", description="Who looks after this service: named in List-Owner")
    sender_address: str = Field("infomail@localhost", description="From: of every mail")
    sender_name: str = Field("", description="Display name of From, and name in the imprint (§ 5 DDG)")
    sender_street: str = Field("", description="Imprint: street and number, no P.O. box")
    sender_city: str = Field("", description="Imprint: postal code and city")
    sender_represented_by: str = Field("", description="Imprint: who represents the sender")
    sender_email: str = Field("", description="Imprint: address to write to")
    sender_phone: str = Field("", description="Imprint: telephone")
    sender_responsible: str = Field("", description="Imprint: responsible for the content (§ 18 MStV)")
    sender_privacy_url: str = Field("", description="Link to the privacy notice")
    sender_privacy_version: str = Field(
        "", description="Version of the privacy notice, such as its date; part of each proof of consent"
    )

    sign_ups_per_origin: int = Field(
        60, ge=1, description="Requests an hour that strangers of one IPv4 address or IPv6 /64 may make"
    )
    sign_ups_overall: int = Field(1000, ge=1, description="Requests an hour that all strangers may make")
    record_sign_up_ip: bool = Field(
        False, description="Whether the IP address a sign-up was confirmed from becomes part of the proof"
    )

    retention_sign_up_ip: int = Field(7, ge=0, description="Days until recorded IP addresses are erased")
    retention_requests: int = Field(30, ge=1, description="Days until answered requests lose their address")
    retention_receipts: int = Field(90, ge=1, description="Days until returned mails are erased")
    retention_deliveries: int = Field(365, ge=1, description="Days until deliveries lose their address")
    retention_consent_proof: int = Field(
        1095, ge=1, description="Days that proof of a withdrawn consent is kept, blocked, before it is erased"
    )

    @field_validator("public_url", "http_proxy", "rspamd_url", "imap_token_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("expected http://HOST or https://HOST")
        return value

    @field_validator("sender_address", "operator_address", "sender_email")
    @classmethod
    def _is_mail_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^@\s<>,\"]+@[^@\s<>,\"]+", value):
            raise ValueError("expected an e-mail address")
        return value

    @field_validator("hello_name", "message_id_domain")
    @classmethod
    def _is_host_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", value):
            raise ValueError("expected the name of a host")
        return value
