"""Common files: rendered once, kept in memory, served with the store away."""

import functools
import logging

from devices.paths import PathMatch
from provisioning.compiling import CompileError, compile_common
from provisioning.edge import answers
from provisioning.edge.answers import Answer
from provisioning.edge.reading import Call
from provisioning.edge.sealed import content_tag

log = logging.getLogger(__name__)


class CommonFiles:
    """The files that know no device, of every family."""

    def __init__(self, root_url: str) -> None:
        self._root_url = root_url
        self._get = functools.lru_cache(maxsize=1024)(self._compile)

    def answer(self, match: PathMatch | None, call: Call, *, private: bool) -> Answer:
        """Answer with the file that the path names."""
        use = match.common if match else None
        file = self._get(use.family, match.name) if use and match else None
        if file is None:
            return answers.held(private)
        body, content_type, etag = file
        if answers.has_it(call.headers.get(b"if-none-match"), etag):
            return answers.not_modified(etag, private)
        return answers.common(body, content_type, etag, private)

    def _compile(self, family: str, name: str) -> tuple[bytes, str, bytes] | None:
        try:
            file = compile_common(family, name, self._root_url)
        except CompileError:
            log.exception("a common file cannot be compiled")
            return None
        etag = answers.make_etag(content_tag(file.body))
        return file.body, file.content_type, etag
