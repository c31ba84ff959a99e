"""What the API takes for JSON."""

import json
from typing import IO, Any

from rest_framework.exceptions import ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.validators import ProhibitSurrogateCharactersValidator


class Parser(JSONParser):
    """JSON whose text can be written down: half a surrogate pair is refused, by the field that holds it."""

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        data = super().parse(stream, media_type, parser_context)
        for name, value in data.items() if isinstance(data, dict) else [("input", data)]:
            try:
                ProhibitSurrogateCharactersValidator()(json.dumps([name, value], ensure_ascii=False))
            except ValidationError as error:
                field = name.encode(errors="replace").decode()
                raise ValidationError({field: error.detail}) from error
        return data
