"""Why a delivery failed, as mail servers and their programs say it: codes and words -> reason. Pure data.

Words are looked for in lower-case text with single spaces (verdict.flat). Gaps are bounded, so that
every pattern stays linear on hostile mail.
"""

import enum
import re


class Reason(enum.StrEnum):
    """Why a delivery failed, as far as anybody says so."""

    UNKNOWN_USER = "unknown-user"
    UNKNOWN_HOST = "unknown-host"
    FULL = "full"
    SIZE = "size"
    SPAM = "spam"
    POLICY = "policy"
    #: a name server that does not answer now; a domain that is not there is UNKNOWN_HOST
    DNS = "dns"
    #: tried until it was too old, or the other side was out of reach
    EXPIRED = "expired"
    ROUTING = "routing"
    LOCKED = "locked"
    #: "not now", and what says nothing more than that
    LATER = "later"
    UNSTATED = "unstated"


#: nobody is there, whatever else is said
GONE = frozenset({Reason.UNKNOWN_USER, Reason.UNKNOWN_HOST})

#: RFC 3463 3 and the IANA registry of enhanced status codes, without the class; the rest says nothing
CODES = {
    "1.1": Reason.UNKNOWN_USER,  # bad destination mailbox address
    "1.2": Reason.UNKNOWN_HOST,  # bad destination system address
    "1.3": Reason.UNKNOWN_USER,  # bad destination mailbox address syntax
    "1.4": Reason.UNKNOWN_USER,  # destination mailbox address ambiguous
    "1.6": Reason.UNKNOWN_USER,  # mailbox has moved
    "1.7": Reason.POLICY,  # bad sender's mailbox address syntax
    "1.8": Reason.POLICY,  # bad sender's system address
    "1.10": Reason.UNKNOWN_HOST,  # recipient address has null MX (RFC 7505)
    "2.1": Reason.UNKNOWN_USER,  # mailbox disabled
    "2.2": Reason.FULL,
    "2.3": Reason.SIZE,
    "3.1": Reason.FULL,  # the whole system is
    "3.2": Reason.UNKNOWN_HOST,  # system does not accept network messages
    "3.4": Reason.SIZE,
    "4.1": Reason.EXPIRED,  # no answer from host
    "4.2": Reason.EXPIRED,  # bad connection
    "4.3": Reason.DNS,
    "4.4": Reason.UNKNOWN_HOST,  # unable to route
    "4.5": Reason.LATER,  # congestion
    "4.6": Reason.ROUTING,  # loop
    "4.7": Reason.EXPIRED,
    "7.1": Reason.POLICY,
}
#: the subjects of RFC 3463 2 whose details all mean one thing
SUBJECTS = {"6": Reason.POLICY, "7": Reason.POLICY}


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


FULL_WORDS = _any(
    r"mail ?box (?:is |has become )?full|mail ?folder is full|inbox is full|quota|out of storage|disk full",
    r"too much mail|overquota|over its limit|mailbox for user is full|mail ?drop is full",
    r"(?:exceed|not enough|insufficient)[^.]{0,40}(?:space|storage)|enough (?:disk )?space|mailbox size",
    r"storage (?:limit|allocation)|speicher (?:ist )?(?:voll|erschöpft)",
    r"(?:post|e-?mail-?)(?:fach|box) (?:ist )?(?:voll|überfüllt)",
    r"(?:post|e-?mail-?)(?:fach|box) (?:[^ ]{1,30} ){1,3}ist (?:voll|überfüllt)",
    r"(?:voll|überfüllt)es postfach|speicherplatz|kontingent",
)
SIZE_WORDS = _any(
    r"too (?:large|big)|(?<!queue )(?<!queued )too long|size (?:limit|exceed)|message (?:size|length)",
    r"zu groß|maximale größe|nachrichtengröße|größenbeschränkung",
    r"exceeds (?:the )?(?:maximum|fixed|limit|size)",
)
SPAM_WORDS = _any(
    r"spam|\bube\b|\bvirus\b|black ?list|block ?list|blocked|\brbl\b|dnsbl|reputation|banned|filtered",
    r"schadsoftware|malware|\bviren|unerwünschte",
)
POLICY_WORDS = _any(
    r"policy|policies|richtlinie|content[ -](?:rejected|filter)|header error|compliance|prohibit",
    r"(?:message|mail) (?:content )?(?:was )?rejected|rejected by[^.]{0,30}filter|rfc ?(?:2?822|5322)",
    r"rate limit|frequency limited|too many",
    # who sends
    r"\bdmarc\b|\bspf\b|\bdkim\b|unauthenticated|not authenticated|authentication|reverse dns|\bptr\b",
    r"client host rejected|relaying|relay access|(?:to|not|open) relay|not verified",
    r"sender (?:address )?rejected|sender address|sender domain|domain of sender|restricted",
    r"access denied|permission|autorisé|not accepting mail from|absender|berechtig|nicht erlaubt",
)
ROUTING_WORDS = _any(r"loops? back|routing loop|hop count|too many hops|mail loop|\bschleife")
LOCKED_WORDS = _any(r"locked|frozen|suspended|gesperrt")
DNS_WORDS = _any(
    r"found, try again|(?:dns|name ?server|domain)[^.]{0,30}(?:temporar|timed? ?out|try again)|servfail"
)
EXPIRED_WORDS = _any(
    r"timed? ?out|expired|connection (?:refused|reset)|no route to host|queued? too long"
    r"|retry time(?:out)?|failing for a long time|zeitüberschreitung|not reachable|nicht erreichbar"
    r"|aborted after \d|nach \d[\d.,]* \w{1,20} abgebrochen"
)
LATER_WORDS = _any(
    r"(?:try|versuchen sie es) (?:again )?(?:later|später)|temporar|vorübergehend|gr[ea]y-?list",
    r"service (?:currently )?unavailable",
    # the mailbox is there, and the program that writes to it fails
    r"(?:could ?n[o']t|can(?:no|')t) (?:create|open|write)|command died",
    r"unable to (?:create|open) (?:file|mailbox)",
)

_ONE = (
    r"(?:user|recipient|mailbox|addressee|address|account|local part"
    r"|empfängeradresse|adressat|empfänger|postfach|benutzer|adresse|konto)"
)
NOBODY_WORDS = _any(
    _ONE + r"(?: (?:is|was|ist|wurde|name|e-?mail))?(?: [^ ]{1,80})?:? (?:is |was )?"
    r"(?:unknown|not found|not known|doesn'?t exist|does not exist|may not exist|not listed|invalid|disabled"
    r"|inactive|not recogni[sz]ed|deactivated|no longer|unbekannt|nicht gefunden|nicht vorhanden|ungültig"
    r"|deaktiviert|gelöscht)",
    r"unknown (?:user|recipient|address(?! error)|account|mailbox|local|e-?mail)",
    r"(?:no such|non-?existent|not a valid|invalid|bad destination|undefined|inactive|illegal) "
    r"(?:user|recipient|address|mailbox|account|person|alias|e-?mail|mail ?box|local)",
    r"no mailbox here|mailbox (?:unavailable|not available)|no (?:\S{1,20} )?mailbox|no valid recipient",
    r"(?:does not|doesn'?t) have an? (?:\S{1,40} )?account|not an? (?:\S{1,20} )?(?:e-?mail )?users?\b",
    r"no account by that name|no user (?:here )?by that name|recipnotfound|recipientnotfound",
    r"not listed in|isn't listed|nicht im [^ ]{1,40}verzeichnis",
    r"not in (?:the |our )?(?:address|directory|public)",
    r"could(?:n't| not) be found|(?:wasn't|was not|weren't|were not) found",
    r"no longer (?:valid|available|exists?|in use|on|active|employed|with)|not exist\b|not our customer",
    r"has been (?:disabled|discontinued|deleted|removed)|account is (?:disabled|closed|inactive)",
    # Postfix says `Recipient address rejected:` before any reason
    r"(?<!recipient )address rejected|does not like recipient|check if (?:the )?address is correct",
    # Symantec Email Security.cloud: an address that its customer has not registered
    r"^(?:reason: |smtp; ?)?542 @ rejected",
    r"invalid (?:final delivery )?userid|no matches to nameserver|final email delivery point",
    r"(?:wurde|wurden|konnte|konnten) nicht gefunden|existiert nicht|gibt es nicht|nicht bekannt",
    r"(?:kein|nicht als) (?:gültige[rs]? )?(?:postfach|empfänger|benutzer|mailkonto)",
    r"postfach nicht verfügbar|konto ist nicht (?:[^ ]{1,30} ){1,4}vorhanden",
    r"(?:unbekannter?|ungültiger?|unbekanntes) (?:benutzer|empfänger|adresse|nutzer|e-?mail|postfach)",
    r"n'existe pas|nicht mehr (?:gültig|vorhanden|verfügbar|aktiv|erreichbar|in verwendung)",
)
NO_HOST_WORDS = _any(
    r"(?:host|domain)(?: or domain)?(?: name)? (?:not found|unknown|does not exist)|name service error",
    r"(?:unknown|no such|invalid|illegal|non-?existent|not a valid) (?:host|domain)",
    r"unroute?able|no mx record|null mx|no smtp service|nxdomain|unbekannte domain",
)

#: the first that is found answers: what speaks of today, the mail or us before what speaks of the mailbox
WORDS: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    # Exchange Online refuses unknown recipients with a policy's words
    (Reason.UNKNOWN_USER, _any(r"5\.4\.1 [^ ]{1,200} recipient address rejected: access denied")),
    # cPanel lists whatever may be the cause
    (Reason.UNKNOWN_HOST, _any(r"account or domain may not exist")),
    (Reason.FULL, FULL_WORDS),
    (Reason.ROUTING, ROUTING_WORDS),
    (Reason.SIZE, SIZE_WORDS),
    (Reason.SPAM, SPAM_WORDS),
    (Reason.POLICY, POLICY_WORDS),
    (Reason.LOCKED, LOCKED_WORDS),
    (Reason.DNS, DNS_WORDS),
    (Reason.EXPIRED, EXPIRED_WORDS),
    (Reason.LATER, LATER_WORDS),
    (Reason.UNKNOWN_HOST, NO_HOST_WORDS),
    (Reason.UNKNOWN_USER, NOBODY_WORDS),
)
#: domains that call a user unknown whose own filter refused the mail
FEIGNS_UNKNOWN = frozenset({"ezweb.ne.jp"})

#: the recipient was accepted and the message refused
AFTER_DATA = _any(r"after end of data", r"in reply to (?:the )?(?:end of )?data")
