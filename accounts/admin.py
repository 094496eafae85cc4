"""People in the admin: operators only."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from accounts.models import User
from accounts.seller_admin import RuledModelAdmin


@admin.register(User)
class UserAdmin(RuledModelAdmin):
    list_display = ["__str__", "email", "role", "is_active", "is_personalised", "joined_at"]
    list_filter = [("role", ChoicesDropdownFilter), "is_active", "is_personalised"]
    search_fields = ["email", "display_name"]
    ordering = ["-joined_at", "-pk"]
    fields = [
        "email",
        "display_name",
        "role",
        "language",
        "is_active",
        "is_personalised",
        "joined_at",
    ]
    readonly_fields = ["is_personalised", "joined_at"]
