"""What mail servers and their programs say, as tables: codes and words -> what they mean. Pure data.

Words are looked for in lower-case text with single spaces (verdict.flat). Gaps are bounded, so that
every pattern stays linear on hostile mail.
"""

import re

#: RFC 3463 3 and the IANA registry of enhanced status codes: the mailbox or its domain is not there
HARD_CODES = frozenset(
    {
        "5.1.1",  # bad destination mailbox address
        "5.1.2",  # bad destination system address
        "5.1.3",  # bad destination mailbox address syntax
        "5.1.4",  # destination mailbox address ambiguous
        "5.1.6",  # mailbox has moved
        "5.1.10",  # recipient address has null MX (RFC 7505)
        "5.2.1",  # mailbox disabled
        "5.3.2",  # system does not accept network messages
        "5.4.4",  # unable to route
    }
)


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


#: said about today, the mail, or us, whatever the code
SOFT_WORDS = _any(
    # full
    r"mailbox (?:is )?full|mailfolder is full|inbox is full|quota|out of storage|disk full|too much mail",
    r"(?:exceed|not enough|insufficient)[^.]{0,40}(?:space|storage)|enough space|mailbox size",
    r"storage (?:limit|allocation)|postfach (?:ist )?(?:voll|überfüllt)|speicherplatz|kontingent",
    # too big, too many
    r"too (?:large|big|long|many)|size (?:limit|exceed)|message (?:size|length)|zu groß",
    r"exceeds (?:the )?(?:maximum|fixed|limit|size)|rate limit|frequency limited",
    # spam, policy, content
    r"spam|\bube\b|\bvirus\b|black ?list|block ?list|blocked|\brbl\b|dnsbl|reputation|banned|filtered",
    r"policy|policies|richtlinie|content[ -](?:rejected|filter)|header error",
    r"(?:message|mail) (?:content )?(?:was )?rejected|rejected by[^.]{0,30}filter|rfc ?(?:2?822|5322)",
    # who sends
    r"\bdmarc\b|\bspf\b|\bdkim\b|unauthenticated|not authenticated|authentication|reverse dns|\bptr\b",
    r"client host rejected|relaying|relay access|(?:to|not|open) relay|not verified",
    r"sender (?:address )?rejected|sender address|sender domain|domain of sender",
    r"access denied|permission|autorisé|not accepting mail from|absender",
    # for now
    r"(?:try|versuchen sie es) (?:again )?(?:later|später)|found, try again|temporar|vorübergehend",
    r"gr[ea]y-?list|timed? ?out|expired|connection (?:refused|reset)|no route to host",
    r"loops? back|routing loop|hop count|too many hops|service (?:currently )?unavailable",
    r"locked|frozen|suspended|gesperrt",
)

_ONE = (
    r"(?:user|recipient|mailbox|addressee|address|account|local part"
    r"|empfängeradresse|adressat|empfänger|postfach|benutzer|adresse|konto)"
)

#: said about the mailbox: nobody is there
HARD_WORDS = _any(
    _ONE + r"(?: (?:is|was|ist|wurde|name|e-?mail))?(?: [^ ]{1,80})?:? (?:is |was )?"
    r"(?:unknown|not found|not known|doesn'?t exist|does not exist|not listed|invalid|disabled|inactive"
    r"|deactivated|no longer|unbekannt|nicht gefunden|nicht vorhanden|ungültig|deaktiviert|gelöscht)",
    r"unknown (?:user|recipient|address(?! error)|account|mailbox|local|e-?mail|domain|host)",
    r"(?:no such|non-?existent|not a valid|invalid|bad destination|undefined|inactive|illegal) "
    r"(?:user|recipient|address|mailbox|account|domain|host|person|alias|e-?mail|mail ?box|local)",
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
    r"invalid (?:final delivery )?userid|no matches to nameserver|final email delivery point",
    r"(?:host|domain)(?: or domain)?(?: name)? (?:not found|unknown|does not exist)|name service error",
    r"unroute?able|invalid domain|no mx record|null mx|no smtp service|no such domain|nxdomain",
    r"(?:wurde|wurden|konnte|konnten) nicht gefunden|existiert nicht|gibt es nicht|nicht bekannt",
    r"(?:unbekannter?|ungültiger?) (?:benutzer|empfänger|adresse|nutzer|e-?mail)|n'existe pas",
)

#: Exchange Online refuses unknown recipients with a policy's words
HARD_REPLY = _any(r"5\.4\.1 [^ ]{1,200} recipient address rejected: access denied")

#: the recipient was accepted and the message refused
AFTER_DATA = _any(r"after end of data", r"in reply to (?:the )?(?:end of )?data")

#: not failed: the server says that it goes on
STILL_TRYING = _any(
    r"\bdelay\)|will be retried|be retried for|(?<!no further )delivery attempts will|will retry",
    r"will (?:keep|continue) (?:on )?trying|will try again|still (?:being )?(?:trying|retried)",
    r"warning message only|warning only|not need to resend|will continue to (?:try|be made)",
    r"delivery is delayed|(?:delivery|message|mail) (?:has been |is )?delayed|delayed mail",
    r"noch nicht (?:zugestellt|ausgeliefert|übermittelt)|zustellung verzögert|wird weiter versucht",
    r"weiteren? (?:zustell)?versuche|weiterhin versuch|erneut (?:zu )?versuch",
)
#: the same, where other words may say the contrary
DELAY_WORDS = _any(
    r"delayed|not yet been deliver|not yet deliver|(?:has not|have not|hasn't) been deliver",
    r"could not be delivered for|could not send message for|still undelivered|verzögert|verzögerung",
)
GAVE_UP = _any(
    r"permanent|no further|giving up|given up|gave up|undeliverable|returned to sender|failed after",
    r"endgültig|dauerhaft|unzustellbar|abgebrochen",
)

#: what only reports about delivery say, in a subject or at their start
BOUNCE_SUBJECT = _any(
    r"undeliver|non[- ]?deliver|not delivered|returned (?:mail|to sender)|failure notice|rejected mail",
    r"deliver(?:y|ed) (?:status|fail|problem|error|report|notification|has failed|unsuccessful|delay)",
    r"failed delivery|mail (?:delivery|could not)|mail system error|could ?n(?:o|')t be delivered",
    r"could not be delivered|message delayed|could not send|unable to deliver|error delivering",
    r"unzustellbar|nicht (?:zustellbar|zugestellt)|zustell(?:ungs)?(?:fehler|bericht)",
    r"übermittlungs(?:fehler|bericht)|zustellung (?:verzögert|fehlgeschlagen|nicht)",
    r"fehler bei der zustellung",
)
#: how machines that deliver mail call themselves
DAEMONS = _any(
    r"mail(?:er)?-?daemon|post_?master|mail(?:er)?[- ]?delivery|mdaemon|mail ?system|microsoft ?exchange",
    r"system[ -]?administrator",
)

#: how subjects of answered and forwarded mails begin
ANSWER = _any(r"^(?:(?:re|aw|antw|antwort|sv|fwd?|wg)(?:\[\d{1,2}\])?: ?){1,5}")

AUTOREPLY_SUBJECT = _any(
    r"^(?:(?:re|aw|antw): )?\W{0,3}(?:"
    r"out of (?:the )?office|auto(?:matic|mated|matische)?[ -]?(?:reply|response|antwort|responder)"
    r"|abwesen|automatische[rs]? (?:antwort|abwesenheit|e-?mail)|vacation|away from"
    r"|on (?:vacation|holiday|leave)|i am (?:out|away|on)|réponse automatique"
    r"|nicht im (?:büro|haus)|außer haus|ich bin (?:nicht|im urlaub|bis|derzeit|zur ?zeit)"
    r"|(?:im )?urlaub|eingangsbestätigung|büro abwesen)",
    r"\bout of office\b|abwesenheitsnotiz|abwesenheitsassistent",
)
AUTOREPLY_WORDS = _any(
    r"(?:i am|i'm|i will be) (?:currently |now )?(?:out of (?:the )?office|on (?:vacation|leave)|away)",
    r"out of the office|this is an automat(?:ic|ed) (?:reply|response)|on annual leave",
    r"(?:ich bin|bin ich|befinde ich mich|ich befinde mich) (?:[^ ]{1,20} ){0,8}"
    r"(?:nicht (?:im (?:büro|haus)|erreichbar|anwesend|am platz)"
    r"|im urlaub|abwesend|außer haus|in elternzeit)",
    r"dies ist eine automatische (?:antwort|e-?mail|nachricht)|wird nicht weitergeleitet",
    r"e-?mails werden nicht weitergeleitet",
)

#: at the start of a subject or of the first line
UNSUBSCRIBE = _any(
    r"^(?:bitte |please |newsletter |infomail ){0,3}(?:unsubscribe|abmelden|abmeldung|abbestellen"
    r"|abbestellung|austragen|remove me|opt[- ]?out|stop)\b",
    r"^(?:[^ ]{1,20} ){0,4}(?:newsletter|infomail|verteiler)s? (?:[^ ]{1,20} ){0,2}"
    r"(?:unsubscribe|abmelden|abbestellen|abbestellung|kündigen)\b",
    r"^(?:bitte )?(?:melden|nehmen|tragen) sie mich (?:[^ ]{1,20} ){0,5}(?:ab|aus|heraus)\b",
)

COMPLAINT_SUBJECT = _any(
    r"^(?:complaint about message|abuse report|spam report|\[spam report\]|(?:email )?feedback report)"
)

#: the line below which a notice quotes the mail it returns
RETURNED_BELOW = _any(
    r"^[-_=*. ]{2,80}[^-]{0,60}(?:below this line|copy of|original (?:message|mail|e-mail)|header of"
    r"|returned message|unsent message|undelivered message|rejected message|message headers?"
    r"|originalnachricht|ursprüngliche (?:nachricht|e-?mail|mail)|kopie)",
    r"^(?:the |your )?(?:original|unsent|returned|old) (?:message|mail)(?: headers?| text| body)?"
    r"(?: follows?| below| is attached)?\W{0,3}$",
    r"^(?:message (?:headers?|text) follow|(?:below this line|this|here|what follows|included) is a copy of)",
    r"^(?:original(?:e )?|ursprüngliche )(?:nachricht|e-?mail|mail|nachrichtenkopfzeilen)\W{0,3}$",
    r"^dies ist eine kopie",
)
#: or the first line that such a mail itself begins with
RETURNED_FIELD = re.compile(
    r"(?:received|return-path|message-id|dkim-signature|mime-version):", re.IGNORECASE
)
