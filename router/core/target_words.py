"""What a target is called in a sentence: `queue gold`, `voicemail of extension 200`. Pure."""

from collections.abc import Mapping

VOICEMAIL = "voicemail of "
"""As `router.core.destinations.Target` writes it."""

ENGLISH: Mapping[str, str] = {
    "target_queue": "queue",
    "target_ivr": "ivr",
    "target_voicemail": "voicemail",
    "target_playback": "playback",
    "target_extension": "extension",
    "target_ring_group": "ring_group",
    "target_conference": "conference",
    "target_external": "external",
    "target_hangup": "hangup",
    "target_voicemail_of": "voicemail of {target}",
}
FRENCH: Mapping[str, str] = {
    "target_queue": "file d’attente",
    "target_ivr": "SVI",
    "target_voicemail": "messagerie vocale",
    "target_playback": "enregistrement",
    "target_extension": "poste",
    "target_ring_group": "groupe d’appel",
    "target_conference": "conférence",
    "target_external": "numéro externe",
    "target_hangup": "raccrocher",
    "target_voicemail_of": "messagerie vocale de {target}",
}


def told_target(target: str, sentences: Mapping[str, str]) -> str:
    """A target as a decision has it, in a language's words; a place of the dialplan stays as it is."""
    if target.startswith(VOICEMAIL):
        inner = told_target(target.removeprefix(VOICEMAIL), sentences)
        return sentences["target_voicemail_of"].format(target=inner)
    kind, space, option = target.partition(" ")
    return f"{sentences.get(f'target_{kind}', kind)}{space}{option}"
