"""What mail servers say, as tables: codes and words -> what they mean. Pure data.

Words are looked for in lower-case text whose blanks are single spaces. Every pattern is linear:
only literal alternatives and bounded gaps.
"""

import re

#: RFC 3463 and the IANA registry of enhanced status codes: the mailbox or its domain does not exist
HARD_CODES = frozenset(
    {
        "5.1.1",  # bad destination mailbox address
        "5.1.2",  # bad destination system address
        "5.1.3",  # bad destination mailbox address syntax
        "5.1.4",  # ambiguous address
        "5.1.6",  # mailbox has moved
        "5.1.10",  # null MX (RFC 7505)
        "5.2.1",  # mailbox disabled
        "5.3.2",  # system not accepting network messages
        "5.4.4",  # unable to route
    }
)

#: said to us, not to the mailbox, whatever the code: content, size, policy, sender, time
SOFT_WORDS = re.compile(
    r"mailbox(?: is)? full|mailfolder is full|quota|over ?quota|out of storage|(?:exceed|not enough|insufficient)[^.]{0,40}(?:space|storage)"
    r"|enough space|too much mail|storage (?:limit|allocation)|inbox is full|mailbox size|postfach (?:ist )?voll|speicherplatz"
    r"|too (?:large|big|long|many)|size (?:limit|exceed)|message (?:size|length)|exceeds (?:the )?(?:maximum|fixed|limit|size)|zu groß"
    r"|spam|\bube\b|\bvirus\b|black ?list|block ?list|blocked|\brbl\b|dnsbl|reputation|banned|\bdmarc\b|\bspf\b|\bdkim\b"
    r"|unauthenticated|not authenticated|authentication|policy|policies|content[ -](?:rejected|filter)|(?:message|mail) (?:content )?(?:was )?rejected"
    r"|header error|rejected by[^.]{0,30}filter|filtered"
    r"|rfc ?(?:2?822|5322)|client host rejected|relaying|relay access|(?:to|not|open) relay|sender (?:address )?rejected|sender address|sender domain|domain of sender|not verified"
    r"|reverse dns|\bptr\b|too many|rate limit|frequency limited|try (?:again )?later|access denied|permission|autorisé|temporar|greylist|grey-list|timed? ?out|expired"
    r"|connection (?:refused|reset)|no route to host|loops? back|routing loop|hop count|too many hops|locked|frozen|suspended|not accepting mail from"
    r"|disk full|service (?:currently )?unavailable|vorübergehend|richtlinie"
)

#: said about the mailbox: nobody is there
HARD_WORDS = re.compile(
    r"(?:user|recipient|mailbox|address|account|addressee|local part|adressat|empfänger)(?: (?:is|was|ist|name|e-?mail))?(?: <?[^ <>]{1,80}>?)?:? (?:is )?"
    r"(?:unknown|not found|unbekannt|not known|doesn'?t exist|does not exist|nicht gefunden|not listed|invalid|disabled|inactive|deactivated|no longer)"
    r"|unknown (?:user|recipient|address(?! error)|account|mailbox|local|e-?mail|domain|host)|(?:no such|non-?existent|not a valid|invalid|bad destination|undefined|nonexist\w{0,3}|inactive|illegal) "
    r"(?:user|recipient|address|mailbox|account|domain|host|person|alias|e-?mail|mail ?box|local)"
    r"|no mailbox here|mailbox unavailable|mailbox not available|does not have an? (?:\S{1,40} )?account|doesn'?t have an? (?:\S{1,40} )?account"
    r"|not (?:a|an) (?:\S{1,20} )?(?:e-?mail )?users?\b|no account by that name|no user (?:here )?by that name|no (?:\S{1,20} )?mailbox|recipnotfound|not listed in|isn't listed"
    r"|not in (?:the |our )?(?:address|directory|public)|couldn'?t be found|could not be found|(?:was|were|wurde|wurden) nicht gefunden|nicht gefunden"
    r"|(?:unbekannter?|ungültiger?) (?:benutzer|empfänger|adresse|nutzer)|existiert nicht|gibt es nicht|nicht bekannt|not our customer|not exist\b|no longer (?:valid|available|exists?|in use|on|active|employed|with)"
    r"|has been (?:disabled|discontinued|deleted|removed)|account is (?:disabled|closed|inactive)|(?<!recipient )address rejected|no valid recipient|invalid (?:final delivery )?userid|no matches to nameserver|final email delivery point|check if (?:the )?address is correct|n'existe pas|(?:host|domain)(?: or domain)?(?: name)? (?:not found|unknown|does not exist)"
    r"|unroute?able|invalid domain|no mx record|null mx|no smtp service|no such domain|nxdomain|does not like recipient|host unknown|user unknown|recipient unknown|name service error"
)

#: the address could not be told from the words, but the reply names the mailbox (Exchange Online)
HARD_REPLY = re.compile(r"5\.4\.1 \[?[^ ]{1,200}: recipient address rejected: access denied")

#: the recipient was accepted and the message refused: what is said is about the message
AFTER_DATA = re.compile(r"after end of data|in reply to (?:the )?(?:end of )?data|\(in reply to [^)]{0,20}data")

#: not failed: the server says so
STILL_TRYING = re.compile(
    r"\bdelay\)|will be retried|be retried for|delivery attempts will|will (?:keep|continue) (?:on )?trying"
    r"|will try again|still (?:being )?(?:trying|retried)|warning message only|warning only"
    r"|do not need to resend|not need to resend|will retry|will continue to (?:try|be made)|delivery is delayed"
    r"|(?:delivery|message|mail) (?:has been |is )?delayed|delayed mail|noch nicht (?:zugestellt|ausgeliefert|übermittelt)"
    r"|weiteren? (?:zustell)?versuche|weiterhin versuch|erneut (?:zu )?versuch|wird weiter versucht|zustellung verzögert"
)
#: the same, where other words may say the contrary
DELAY_WORDS = re.compile(
    r"delayed|not yet been deliver|not yet deliver|(?:has not|have not|hasn't) been deliver"
    r"|could not be delivered for|could not send message for|still undelivered|verzögert|verzögerung"
)
#: ... unless it says that it gave up
GAVE_UP = re.compile(
    r"permanent|giving up|given up|gave up|endgültig|dauerhaft|undeliverable|unzustellbar|returned to sender|failed after"
)

#: a subject that only a report about a mail has
BOUNCE_SUBJECT = re.compile(
    r"undeliver|unzustellbar|nicht zustellbar|non[- ]?deliver|delivery (?:status|fail|problem|error|report|notification|has failed|unsuccessful)|deliver(?:y|ed) [^.]{0,20}(?:fail|delay)|failure (?:notice|delivery)|failed delivery"
    r"|returned mail|mail (?:delivery|system|could not|not delivered)|mail system error|returned to sender|not delivered|could ?n[o']t be delivered|message delayed|delivery failure|zustell(?:ung|fehler)|warning: could not send|nicht zugestellt|unable to deliver|undelivered|error delivering|rejected mail|fehlgeschlagen"
)
#: local parts that only machines write from
DAEMONS = re.compile(r"mailer-daemon|post_?master|mail-?daemon|mail(?:er)?-?delivery|bounce|mdaemon|system administrator")

#: how subjects of answered and forwarded mails begin
ANSWER = re.compile(r"(?:(?:re|aw|antw|antwort|sv|fwd?|wg)(?:\[\d{1,2}\])?: ?){1,5}")

AUTOREPLY_SUBJECT = re.compile(
    r"^(?:re: |aw: |antw: )?\W{0,3}(?:out of (?:the )?office|auto(?:matic|mated|matische)?[ -]?(?:reply|response|antwort|responder)|abwesen\w{0,10}|automatische[rs]? (?:antwort|abwesenheit|e-?mail)"
    r"|autoantwort|vacation|away from|on (?:vacation|holiday|leave)|nicht im (?:büro|haus)|außer haus|ich bin (?:nicht|im urlaub|bis|derzeit|zur ?zeit)|i am (?:out|away|on)|urlaub|im urlaub|eingangsbestätigung|réponse automatique|büro abwesen)|\bout of office\b|abwesenheitsnotiz"
)
AUTOREPLY_WORDS = re.compile(
    r"(?:i am|i'm|i will be) (?:currently |now )?(?:out of (?:the )?office|on (?:vacation|holiday|leave|annual)|away)|out of the office"
    r"|(?:ich bin|bin ich) (?:\S{1,20} ){0,8}(?:nicht (?:im (?:büro|haus)|erreichbar|anwesend|am platz)|im urlaub|abwesend|außer haus|in elternzeit)|this is an automat(?:ic|ed) (?:reply|response)|dies ist eine automatische (?:antwort|e-?mail|nachricht)"
    r"|wird nicht weitergeleitet|werden nicht weitergeleitet"
)

UNSUBSCRIBE = re.compile(
    r"^(?:bitte |please |newsletter |infomail )*(?:unsubscribe|abmelden|abmeldung|abbestellen|abbestellung|austragen|remove me|opt[- ]?out|stop)\b"
    r"|^(?:\S{1,20} ){0,4}(?:newsletter|infomail|verteiler)s? (?:\S{1,20} ){0,2}(?:unsubscribe|abmelden|abbestellen|abbestellung|kündigen)\b"
    r"|^(?:bitte )?(?:melden|nehmen|tragen) sie mich (?:\S{1,20} ){0,5}(?:ab|aus|heraus)\b"
)
COMPLAINT_SUBJECT = re.compile(r"^(?:complaint about message|abuse report|spam report|email feedback report|feedback report)")

#: where the human part of a report ends and the mail it returns begins
RETURNED_BELOW = re.compile(
    r"(?:^|[-_=*. ]{2,80})\W{0,5}(?:(?:below this line|this|here|what follows|included) is (?:a copy|the (?:header|message|original))|(?:the )?(?:original|returned|unsent|undelivered|rejected|old) (?:message|mail)(?: (?:header|follow|text|below|attach)\w{0,3}){0,2}|message (?:headers?|text) follow|"
    r"the (?:header|body|text)s? of (?:the|your) original|(?:ursprüngliche|original)(?:e)? (?:nachricht|e-?mail|mail)|originalnachricht|dies ist eine kopie|a copy of the original|begin(?:ning)? of (?:original|message)|message follows|headers follow|kopie der nachricht|header of the (?:original )?message|end of message)\b[^a-z]{0,80}(?:\w{1,20}\W{0,5}){0,8}$"
)
