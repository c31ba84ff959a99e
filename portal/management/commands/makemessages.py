"""`makemessages -l de`: every text of the product, those of its tables too, into the language's catalogue."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import makemessages

from portal import table_words

#: Nothing there speaks to people; a catalogue is no source of itself.
NO_SOURCES = ["tests", "docker", "families", "migrations", "locale"]


class BuildFile(makemessages.BuildFile):
    """A template on its way to xgettext; what is made of it stands outside the tree."""

    command: "Command"

    @property
    def work_path(self) -> str:
        if not self.is_templatized:
            return str(self.path)
        return str(self.command.scratch / f"{self.path.replace(os.sep, ' ')}.py")

    def postprocess_messages(self, msgs: str) -> str:
        return msgs.replace(self.work_path, self.path) if self.is_templatized else msgs


class Command(makemessages.Command):
    """Django's own, from the top of the tree, with the words of the tables added."""

    help = __doc__
    build_file_class = BuildFile
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=Said"]
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]
    scratch: Path

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(ignore_patterns=[*NO_SOURCES], no_wrap=True, add_location="file")

    def handle(self, *args: Any, **options: Any) -> None:
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(settings.BASE_DIR):
            self.scratch = Path(scratch)
            super().handle(*args, **options)

    def process_files(self, file_list: list[makemessages.TranslatableFile]) -> None:
        super().process_files(file_list)
        assert self.default_locale_path is not None
        catalogue = Path(self.default_locale_path) / f"{self.domain}.pot"
        with catalogue.open("a", encoding="utf-8") as texts:
            texts.writelines(_entry(where, text) for where, text in table_words.words())


def _entry(where: str, text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    flag = "#, python-brace-format\n" if "{" in text else ""
    return f'\n#: {where}\n{flag}msgid "{quoted}"\nmsgstr ""\n'
