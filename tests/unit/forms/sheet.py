"""Forms for tests: an XLSForm written as a table, or an XForm put together from its parts."""

from __future__ import annotations

from pyxform.xls2xform import convert

from forms.definition import FormDefinition, Question
from forms.xform import read


def converted(table: str) -> bytes:
    """The XForm of an XLSForm in Markdown, converted in this process: the tests trust their own tables."""
    return convert(table.encode(), file_type=".md").xform.encode()


def form(table: str) -> FormDefinition:
    return read(converted(table))


def question(definition: FormDefinition, *path: str) -> Question:
    found = definition.at(path)
    assert isinstance(found, Question), f"{path} is {found}"
    return found


def xform(
    instance: str = "<name/>",
    *,
    binds: str = "",
    body: str = '<input ref="/data/name"><label>Name</label></input>',
    model: str = "",
    root: str = '<data id="small" version="1">',
    title: str = "Small",
) -> bytes:
    """A whole XForm; `model` goes before the primary instance (itext), `binds` after it (binds, instances, actions)."""
    return f"""<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
 xmlns:jr="http://openrosa.org/javarosa" xmlns:odk="http://www.opendatakit.org/xforms"
 xmlns:orx="http://openrosa.org/xforms" xmlns:entities="http://www.opendatakit.org/xforms/entities">
<h:head><h:title>{title}</h:title><model>{model}
<instance>{root}{instance}<meta><instanceID/></meta></data></instance>{binds}</model></h:head>
<h:body>{body}</h:body></h:html>""".encode()
