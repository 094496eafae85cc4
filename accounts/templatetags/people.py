"""How people are shown on pages."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from accounts.models import Role, User

register = template.Library()

N_AVATAR_COLOURS = 8


@register.filter
def public_name(user: User) -> str:
    """The name that a person chose to be seen by; never an e-mail address or a foreign id."""
    if user.display_name:
        return user.display_name
    return _("Seller") if user.role == Role.SELLER else _("Learner")


def masked_name(user: User) -> str:
    """The public name with all but its first character covered."""
    return f"{public_name(user)[:1]}**"


@register.inclusion_tag("components/avatar.html")
def avatar(user: User) -> dict[str, object]:
    """A disc with the first character of the name, in a colour of the person's own."""
    return {"initial": public_name(user)[:1].upper(), "colour": user.pk % N_AVATAR_COLOURS}
