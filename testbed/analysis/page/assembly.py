"""What a self-contained page is put together from: templates, data, styles, scripts, the drawing library."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import orjson
import vl_convert

from testbed.analysis.tables import plain_seconds
from testbed.records.files import to_json


def environment() -> jinja2.Environment:
    """The templates' environment."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("testbed.analysis", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["seconds"] = plain_seconds
    found.filters["document"] = to_json
    return found


def script_json(document: dict[str, Any]) -> str:
    """JSON that may stand in a script element, whatever names are in it."""
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def resource(name: str) -> str:
    """The text of a file beside the templates."""
    return (files("testbed.analysis") / "templates" / name).read_text(encoding="utf-8")


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, as a plain one that a page on disk may hold."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")
