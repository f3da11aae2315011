"""The words of a trace in French; a test keeps them complete. The terms are those of French telephony."""

from collections.abc import Mapping

from router.core.target_words import FRENCH as FRENCH_TARGETS

FRENCH: Mapping[str, str] = {
    **FRENCH_TARGETS,
    "parked": "L’appel {call} a été mis en attente sur {server} à {time}, numéro composé\u00a0: {received}.",
    "called_as": "Le numéro composé est compris comme {called}.",
    "entry": "Il est passé par l’entrée de SVI «\u00a0{entry}\u00a0».",
    "caller_number": "Le numéro de l’appelant est arrivé sous la forme «\u00a0{received}\u00a0», "
    "comprise comme {number}.",
    "caller_number_of": "Le numéro de l’appelant est arrivé sous la forme «\u00a0{received}\u00a0», "
    "comprise comme "
    "{number} ({country}).",
    "caller_as_came": "Le numéro de l’appelant est arrivé sous la forme «\u00a0{received}\u00a0».",
    "caller_withheld": "L’appelant masque son numéro.",
    "caller_short": "Le numéro de l’appelant «\u00a0{received}\u00a0» est un numéro court, pris tel quel.",
    "caller_alphanumeric": "L’appelant est «\u00a0{received}\u00a0», un nom et non un numéro, pris tel quel.",
    "caller_unusable": "Le numéro de l’appelant «\u00a0{received}\u00a0» est illisible.",
    "digits": "L’appelant a saisi {digits}.",
    "no_tenant": "Aucun tenant de ce nom n’est configuré\u00a0: {tenant}.",
    "rule": "Tenant {tenant}, règle «\u00a0{rule}\u00a0» (configuration {plan}).",
    "no_rule": "Le tenant {tenant} n’a pas de règle ici, sa destination par défaut sert donc "
    "(configuration {plan}).",
    "greeting": "L’appelant a été envoyé à l’accueil pour saisir des chiffres.",
    "greeting_first": "La règle envoie d’abord l’appelant à son accueil pour saisir des chiffres.",
    "no_lookup": "Rien n’a été demandé au CRM\u00a0: l’appel seul décide.",
    "cache_fresh": "Le cache avait la réponse de «\u00a0{integration}\u00a0» pour {subject}, vieille de "
    "{age}.",
    "cache_stale": "Le cache avait une ancienne réponse de «\u00a0{integration}\u00a0» pour {subject}, "
    "vieille de "
    "{age}\u00a0; elle a servi, et une nouvelle a été demandée en arrière-plan.",
    "cache_stale_alone": "Le cache avait une ancienne réponse de «\u00a0{integration}\u00a0» pour {subject}, "
    "vieille de {age}\u00a0; elle a servi, et aucune nouvelle n’a été demandée\u00a0: {why}.",
    "not_asked": "Le CRM «\u00a0{integration}\u00a0» devait être interrogé pour {subject} et ne l’a pas été.",
    "asked": "Le CRM «\u00a0{integration}\u00a0» a été interrogé pour {subject}.",
    "joined": "La même question pour {subject} était déjà en route vers «\u00a0{integration}\u00a0», "
    "cet appel l’a "
    "donc partagée.",
    "request": "Requête\u00a0: {request} ({attempts}, {crm} dans le CRM{worker}).",
    "request_before": "Elle venait de {request} ({attempts}, {crm} dans le CRM{worker}).",
    "outcome_found": "Le CRM connaît l’appelant\u00a0: {records}{name}.",
    "outcome_found_several": "{records} correspondent\u00a0: {chosen}{name}.",
    "outcome_not_found": "Le CRM ne connaît pas l’appelant.",
    "outcome_several": "{records} correspondent et aucune n’est prise\u00a0: {chosen}.",
    "outcome_crm_error": "Le CRM n’a pas pu répondre\u00a0: {problem}.",
    "outcome_timeout": "L’appelant ne pouvait pas attendre davantage{because}.",
    "outcome_overloaded": "La recherche n’a pas pu être servie\u00a0: {problem}.",
    "outcome_withheld": "Sans numéro, rien n’est demandé au CRM.",
    "outcome_no_digits": "L’appelant n’a pas saisi de chiffres utilisables.",
    "field": "Champ {name} = {value}.",
    "field_empty": "Le champ {name} est vide.",
    "line_held": "La ligne {number} est vérifiée\u00a0: {tests}.",
    "line_failed": "La ligne {number} n’est pas vérifiée\u00a0: {tests}.",
    "lines_hidden": "{count} autres lignes ont été parcourues sans être vérifiées.",
    "test": "{name} «\u00a0{left}\u00a0» {operator} «\u00a0{right}\u00a0» {verdict}",
    "test_unary": "{name} «\u00a0{left}\u00a0» {operator} {verdict}",
    "verdict_held": "est vrai",
    "verdict_failed": "est faux",
    "verdict_not_comparable": "n’est pas comparable ({why})",
    "test_no_record": "il n’y a pas de fiche où lire {name}",
    "why_line": "L’appel doit donc aller vers {target}, car la ligne {number} est vérifiée{place}.",
    "why_outcome": "Aucune ligne n’est vérifiée\u00a0; la règle envoie le résultat {outcome} vers "
    "{target}{place}.",
    "why_default": "Aucune ligne n’est vérifiée, la destination par défaut sert donc\u00a0: {target}{place}.",
    "why_default_no_lines": "La destination par défaut sert\u00a0: {target}{place}.",
    "undecided": "Rien n’était décidé quand l’appel est parti.",
    "problem": "À noter\u00a0: {problem}.",
    "claim_won": "Ce routeur ({router}) a obtenu l’appel.",
    "claim_lost": "Ce routeur ({router}) n’a pas obtenu l’appel\u00a0: un autre routeur ou le plan de "
    "numérotation "
    "l’avait avant lui.",
    "taken": "Asterisk a pris l’appel vers {place}.",
    "defaulted_hold": "Personne n’a dirigé l’appel à temps, le plan de numérotation l’a donc pris vers "
    "{place}.",
    "defaulted_grace": "Un routeur a réclamé l’appel sans le diriger, le plan de numérotation l’a donc "
    "pris vers "
    "{place}.",
    "defaulted_missing": "La destination n’existe pas dans Asterisk, le plan de numérotation a donc "
    "pris l’appel "
    "vers {place}.",
    "defaulted_ended": "La destination était terminée, et l’appel a continué vers {place}.",
    "defaulted_error": "Le plan de numérotation a rencontré une erreur et a pris l’appel vers {place}.",
    "abandoned": "L’appelant a raccroché avant.",
    "vanished": "Asterisk a redémarré, ou l’appel est parti pendant une coupure de la connexion.",
    "rehearsed": "C’était un essai\u00a0: aucun appel n’a été dirigé.",
    "unconfirmed": "Asterisk n’a jamais dit où l’appel est allé.",
    "word_nothing": "aucun",
    "word_digits": "les chiffres {subject}",
    "word_attempt": "{count} essai",
    "word_attempts": "{count} essais",
    "word_worker": ", par le worker {worker}",
    "word_record": "{count} fiche",
    "word_records": "{count} fiches",
    "word_namely": ", à savoir{name}",
    "word_no_reason": "aucune raison n’a été donnée",
    "word_time": "{count} fois",
    "word_times": "{count} fois",
    "word_because": "\u00a0: {problem}",
    "word_refused_open": "le CRM a échoué {times} et est laissé en paix\u00a0; prochain essai dans {wait}",
    "word_refused_probing": "le CRM a échoué {times}, et une autre recherche est en train de l’essayer",
    "word_refused_paused": "le CRM a demandé à ne pas être interrogé pendant encore {wait}",
    "word_refused_crowded": "plus de recherches attendaient que le CRM n’en accepte, "
    "et les appels plus récents ont eu la priorité",
    "word_and": " et ",
    "word_or": " ou ",
    "word_types_differ": "leurs types diffèrent",
    "word_its_default": "sa destination par défaut",
}

FRENCH_BRIEFS: Mapping[str, str] = {
    **FRENCH_TARGETS,
    "and": " et ",
    "or": " ou ",
    "line": "{target}, car la ligne {number} est vérifiée\u00a0: {tests}",
    "outcome": "{target}, car {because}",
    "default": "{target}, par défaut",
    "default_because": "{target}, par défaut, car {because}",
    "greeting": "l’accueil, pour saisir des chiffres",
    "undecided": "rien n’était décidé",
    "because_found": "aucune ligne n’est vérifiée pour la fiche",
    "because_not_found": "le CRM ne connaît pas l’appelant",
    "because_several": "le CRM a plusieurs fiches de l’appelant",
    "because_withheld": "l’appelant masque son numéro",
    "because_no_digits": "l’appelant n’a pas saisi de chiffres utilisables",
    "because_crm_error": "le CRM n’a pas pu répondre",
    "because_timeout": "le CRM n’a pas répondu à temps",
    "because_overloaded": "la recherche n’a pas pu être servie",
    "because_no_lookup": "rien n’était à demander au CRM",
    "abandoned": "\u00a0; l’appelant a raccroché avant",
    "defaulted": "\u00a0; Asterisk a pris l’appel vers {place}{because}",
    "defaulted_hold": ", car personne ne l’a dirigé à temps",
    "defaulted_grace": ", car il a été réclamé et non dirigé",
    "defaulted_missing": ", car la destination n’y existe pas",
    "unconfirmed": "\u00a0; Asterisk n’a pas dit où l’appel est allé",
}
