"""What the words of a mail tell of its kind: bounce, delay, absence, wish to leave. Pure data.

Words are looked for in lower-case text with single spaces (verdict.flat). Gaps are bounded, so that
every pattern stays linear on hostile mail.
"""

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


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
    r"system[ -]?administrator|ndr administrator",
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

#: in an automatic answer: she will not be back
LEFT = _any(
    r"nicht (?:mehr|länger) (?:[^ ]{1,30} ){0,8}(?:tätig|beschäftigt|zuständig|im dienst|angestellt)",
    r"(?:arbeite|bin|ist) (?:[^ ]{1,30} ){0,8}nicht mehr (?:[^ ]{1,30} ){0,6}(?:bei|für|in|im|da)\b",
    r"(?:aus dem dienst|aus der verwaltung|ausgeschieden|verlassen|ruhestand|pensioniert|in rente|verrentet)",
    r"(?:stelle|arbeitgeber|dienststelle|behörde|zuständigkeit) (?:[^ ]{1,30} ){0,4}gewechselt",
    r"(?:has|have) (?:[^ ]{1,30} ){0,2}(?:left|retired)|no longer (?:works?|working|employed|with|at)\b",
    r"postfach wird (?:[^ ]{1,30} ){0,3}nicht mehr (?:gelesen|betreut|abgerufen)|neue ansprechpartner",
    r"meine nachfolge|nachfolger(?:in)? ist",
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
    r"^dies ist eine kopie|^original message details",
)
#: what a program tells another one (Amazon's SNS) of a mail that arrived
ARRIVED = _any(r"\"notificationtype\": ?\"(?:delivery|send|open|click)\"")
#: whom a notice names besides its recipients, without an address behind it
ASIDE = _any(
    r"(?:contact|questions to|accepting mail from|wenden sie sich (?:bitte )?an|kontaktieren sie) ?[<\"]?$"
)
#: the line below which the recipients stand that a notice is about
RECIPIENTS_BELOW = _any(
    r"(?:not reach|not delivered to|not be delivered to|failed for|unable to deliver (?:your message )?to) "
    r"the following (?:recipient|address|user)",
    r"(?:den|die) folgenden? empfänger nicht erreicht|folgende empfänger (?:oder gruppen|nicht)",
)
#: Exim, before the addresses themselves
FAILED_BELOW = _any(r"address(?:\(es\)|es)? failed:")
#: or the first line that such a mail itself begins with
RETURNED_FIELD = re.compile(
    r"(?:received|return-path|message-id|dkim-signature|mime-version):", re.IGNORECASE
)
