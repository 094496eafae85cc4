"""QR codes as pictures that stand in the page itself."""

from __future__ import annotations

import segno


def qr_picture(text: str) -> str:
    """The text as a QR code in the address of a picture, for `src`: dark on white, with a margin.

    Colours are fixed: a phone reads no light code on a dark page.
    """
    code = segno.make(text, error="m", micro=False)
    return code.svg_data_uri(dark="#000", light="#fff", border=4, scale=4)
