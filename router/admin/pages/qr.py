"""A text as a QR code: an SVG within the page, for what a telephone's camera reads.

Its colours are attributes, for the pages' policy allows no style; dark on light in every scheme, as cameras
expect it, with the quiet zone of four modules around it.
"""

import segno
from markupsafe import Markup

QUIET_MODULES = 4


def qr_code(text: str) -> Markup:
    """Raises ValueError for a text that no QR code holds: more than some 2,900 bytes."""
    drawn = segno.make(text, micro=False).svg_inline(
        border=QUIET_MODULES, omitsize=True, dark="#000", light="#fff", svgclass="qr", lineclass=None
    )
    return Markup(drawn)  # noqa: S704 - of paths alone: the text itself is not in it
