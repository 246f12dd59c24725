"""The form of the simulation, and instances of it: a repeat that is one answer, one with a key, and a question for each
policy by which a form can merge. A record may register somebody, or change somebody; and each entry registers one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.integration.sync import field

FORM = field.FORM
KEYED, ATOMIC = "anggota", "usaha"
KEY = "nik"
KEYS = ("3501", "3502", "3503")

PEOPLE, MEMBERS = "warga", "orang"
"""Entity lists: who is registered by a record, and by an entry of it."""
REGISTER, CHANGE = "daftar", "ubah"
"""What a record is for."""

POLICIES: Mapping[str, str] = {
    "terakhir": "latest",
    "tinggi": "max",
    "rendah": "min",
    "pilih": "union",
    "catatan": "append",
}
"""By question."""
TYPES: Mapping[str, str] = {"tinggi": "int", "rendah": "int", "pilih": "string"}
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "terakhir": ("pagi", "siang", "sore"),
    "tinggi": ("150", "99", "160"),
    "rendah": ("50", "7", "60"),
    "pilih": ("a b", "b c", "c"),
    "catatan": ("baris satu", "baris dua", "baris satu\nbaris tiga"),
}
"""What people write there."""

_BINDS = "".join(
    f'<bind nodeset="/data/{name}" type="{TYPES.get(name, "string")}" lapangan:merge="{policy}"/>'
    for name, policy in POLICIES.items()
)
_CONTROLS = "".join(
    f'<select ref="/data/{name}"><label>{name}</label>'
    + "".join(f"<item><label>{choice}</label><value>{choice}</value></item>" for choice in "abc")
    + "</select>"
    if policy == "union"
    else f'<input ref="/data/{name}"><label>{name}</label></input>'
    for name, policy in POLICIES.items()
)
_ITEM = f"instance('{PEOPLE}')/root/item[name=/data/siapa]"
_ENTITY: Mapping[str, str] = {
    "@create": f"/data/tujuan = '{REGISTER}'",
    "@update": f"/data/tujuan = '{CHANGE}'",
    "@id": "/data/siapa",
    "@baseVersion": f"{_ITEM}/__version",
    "@trunkVersion": f"{_ITEM}/__trunkVersion",
    "@branchId": f"{_ITEM}/__branchId",
    "label": "/data/nama",
}
_OF_ENTITY = "".join(
    f'<bind nodeset="/data/meta/entity/{name}" type="string" calculate="{source}"/>' for name, source in _ENTITY.items()
)
_REPLACED = {
    "<h:html ": '<h:html xmlns:lapangan="urn:lapangan:forms" ',
    "<nama/>": "<tujuan/><siapa/><nama/>",
    "<meta>": f'{"".join(f"<{name}/>" for name in POLICIES)}<anggota jr:template=""><nik/><usia/>'
    f'<meta><entity dataset="{MEMBERS}" id="" create="1"><label/></entity></meta></anggota><meta>',
    "<bind ": f'<instance id="{PEOPLE}" src="jr://file-csv/{PEOPLE}.csv"/><bind nodeset="/data/tujuan" type="string"/>'
    f'<bind nodeset="/data/siapa" type="string"/>{_OF_ENTITY}<bind ',
    "</model>": f"{_BINDS}"
    '<bind nodeset="/data/anggota/nik" type="string" lapangan:merge="key" entities:saveto="nik"/>'
    '<bind nodeset="/data/anggota/usia" type="int" entities:saveto="usia"/>'
    '<bind nodeset="/data/anggota/meta/entity/label" type="string" calculate="../../../nik"/>'
    "</model>",
    "</h:body>": f"{_CONTROLS}"
    '<input ref="/data/tujuan"><label>Tujuan</label></input>'
    f'<select1 ref="/data/siapa"><label>Siapa</label><itemset nodeset="instance(\'{PEOPLE}\')/root/item">'
    '<value ref="name"/><label ref="label"/></itemset></select1>'
    '<group ref="/data/anggota"><label>Anggota</label><repeat nodeset="/data/anggota">'
    '<input ref="/data/anggota/nik"><label>NIK</label></input>'
    '<input ref="/data/anggota/usia"><label>Usia</label></input></repeat></group></h:body>',
}


def xform(version: str = "1") -> bytes:
    """A version of the form."""
    text = field.xform(version, entities=True).decode()
    for old, new in _REPLACED.items():
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


def entry(key: str, age: str) -> dict[str, str]:
    """Of the keyed repeat."""
    return {KEY: key, "usia": age}


def instance(instance_id: str, *, repeats: Mapping[str, Sequence[Mapping[str, str]]] = {}, **said: Any) -> str:
    """An instance with these entries in its repeats, by their names."""
    xml = field.instance(instance_id, **said)
    turns = "".join(
        f"<{name}>{''.join(f'<{one}>{value}</{one}>' for one, value in turn.items())}</{name}>"
        for name, entries in repeats.items()
        for turn in entries
    )
    return xml.replace("<meta>", f"{turns}<meta>", 1)


def flat(answers: Mapping[str, Any]) -> dict[str, str | None]:
    """What a server or a tablet shows, path by path, in the words of the protocol. It asks no code of the product."""
    found: dict[str, str | None] = {}
    for name, value in answers.items():
        if name == KEYED:
            for turn in value or ():
                found[f"{KEYED}/{turn[KEY]}/"] = "1"
                found |= {f"{KEYED}/{turn[KEY]}/{one}": said or None for one, said in turn.items()}
        elif name == ATOMIC:
            turns = [{one: said for one, said in turn.items() if said} for turn in value or ()]
            found[name] = json.dumps(turns, sort_keys=True, separators=(",", ":")) if turns else None
        else:
            found[name] = value or None
    return found
