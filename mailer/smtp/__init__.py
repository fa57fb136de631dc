"""SMTP out: envelopes go in, exactly one result comes back for each.

replies      what the server says, and whom a refusal is about (pure)
relay        the smarthost an SMTP URL names
envelope     what goes in and what comes out
transaction  the bytes of one mail transaction (pure)
pipeline     transactions under way, many at once where the server takes them (pure)
client       the protocol without sockets
connection   one socket, its TLS and its time limits
gate         one relay: its connections, its pace, and whether it stands
pool         connections kept open, envelopes shared out among them
"""

from mailer.smtp.connection import Timeouts
from mailer.smtp.envelope import Envelope, Outcome, Result
from mailer.smtp.pool import Pool, Supply
from mailer.smtp.relay import Relay
from mailer.smtp.replies import About, Reply

__all__ = ["About", "Envelope", "Outcome", "Pool", "Relay", "Reply", "Result", "Supply", "Timeouts"]
