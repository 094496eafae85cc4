"""Static files under names that tell their content, also where our modules import each other."""

from __future__ import annotations

from django.contrib.staticfiles.storage import ManifestFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage

_IMPORTS = ManifestFilesMixin._js_module_import_aggregation_patterns[1]  # type: ignore[attr-defined]


class ModulesStorage(CompressedManifestStaticFilesStorage):
    """Gives imports in static/js/ the names of the files as they are served.

    Otherwise a module that a page names and another one imports is loaded twice, as two modules,
    and after an upgrade a page may mix new modules with old ones. Of our own files alone: some
    packages name files that they do not bring.
    """

    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", _IMPORTS))
