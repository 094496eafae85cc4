"""The seller's form of a lesson: what may be uploaded, and the way to what is there."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models.fields.files import FieldFile
from django.forms import ModelForm
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget

from catalog.models import Lesson
from catalog.private_files import CONTENT_TYPES, extension_of


class StoredFile(NamedTuple):
    """A file that is there, for the widget: where its seller gets it."""

    url: str


class LessonFileInput(UnfoldAdminFileFieldWidget):
    """A field for a file that has no public address."""

    def is_initial(self, value: Any) -> bool:
        return isinstance(value, FieldFile) and bool(value)

    def format_value(self, value: Any) -> StoredFile | None:
        if not self.is_initial(value):
            return None
        lesson = value.instance
        return StoredFile(
            reverse("catalog:lesson_file", args=[lesson.section.course.slug, lesson.pk])
        )


class LessonForm(ModelForm):
    """A lesson with a file of a kind and size that learners can use."""

    class Meta:
        model = Lesson
        fields = ["file"]  # The inline names the others.
        widgets = {"file": LessonFileInput}
        help_texts = {"file": gettext_lazy("Only people who have the course get it.")}

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if not isinstance(file, UploadedFile):
            return file
        if not extension_of(file.name or ""):
            raise ValidationError(
                _("A lesson takes files of these kinds: %(kinds)s.")
                % {"kinds": ", ".join(CONTENT_TYPES)},
                "unknown_kind",
            )
        if (file.size or 0) > settings.MAX_FILE_MB * 1024 * 1024:
            raise ValidationError(
                _("The file has %(size)d MB; a lesson takes at most %(most)d MB.")
                % {"size": -(-(file.size or 0) // 1024**2), "most": settings.MAX_FILE_MB},
                "too_large",
            )
        return file
