"""A small form of its own for these tests, and instances of it as a client writes them."""

from __future__ import annotations

import uuid

FORM_ID, VERSION = "kunjungan", "1"

XFORM = """<?xml version="1.0" encoding="UTF-8"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms"
  xmlns:entities="http://www.opendatakit.org/xforms/entities">
  <h:head>
    <h:title>Kunjungan</h:title>
    <model entities:entities-version="2024.1.0">
      <instance>
        <data id="kunjungan" version="{version}">
          <nama/><umur/><foto/><warga/>
          <meta><instanceID/><instanceName/>
            <entity dataset="rumah" id="" create="1"><label/></entity></meta>
        </data>
      </instance>
      <instance id="warga" src="jr://file-csv/warga.csv"/>
      <instance id="rumah" src="jr://file-csv/rumah.csv"/>
      <bind nodeset="/data/nama" type="string" required="true()" entities:saveto="nama"/>
      <bind nodeset="/data/umur" type="int" constraint=". &lt; 120" jr:constraintMsg="Umur terlalu besar"/>
      <bind nodeset="/data/foto" type="binary"/>
      <bind nodeset="/data/warga" type="string"/>
      <bind nodeset="/data/meta/instanceID" type="string" readonly="true()" jr:preload="uid"/>
      <bind nodeset="/data/meta/instanceName" type="string" calculate="/data/nama"/>
      <bind nodeset="/data/meta/entity/@id" type="string" readonly="true()"/>
      <setvalue ref="/data/meta/entity/@id" event="odk-instance-first-load" value="uuid()"/>
      <bind nodeset="/data/meta/entity/label" type="string" calculate="/data/nama"/>
    </model>
  </h:head>
  <h:body>
    <input ref="/data/nama"><label>Nama</label></input>
    <input ref="/data/umur"><label>Umur</label></input>
    <upload ref="/data/foto" mediatype="image/*"><label>Foto</label></upload>
    <select1 ref="/data/warga"><label>Warga</label>
      <itemset nodeset="instance('warga')/root/item"><value ref="name"/><label ref="label"/></itemset></select1>
  </h:body>
</h:html>
"""

INSTANCE = """<?xml version='1.0' ?><data id="{form_id}" version="{version}" xmlns:orx="http://openrosa.org/xforms">\
<nama>{name}</nama><umur>{age}</umur><foto>{photo}</foto><warga/>\
<orx:meta><orx:instanceID>{instance_id}</orx:instanceID>{deprecated}<orx:instanceName>{name}</orx:instanceName>\
<entity xmlns="http://www.opendatakit.org/xforms/entities" dataset="rumah" id="{entity_id}" create="1">\
<label>{name}</label></entity></orx:meta></data>"""


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + step, b"&%c;" % (97 + step) * 10) for step in range(9))
    + b"]><data>&j;</data>"
)
"""An XML bomb: a gigabyte of laughter once its entities are followed."""


def xform(version: str = VERSION) -> bytes:
    return XFORM.replace("{version}", version).encode()


def new_id() -> str:
    return f"uuid:{uuid.uuid4()}"


def instance(
    instance_id: str,
    *,
    name: str = "Bu Siti",
    age: str = "41",
    photo: str = "",
    corrects: str = "",
    form_id: str = FORM_ID,
    version: str = VERSION,
    entity_id: str = "",
) -> bytes:
    """An instance; `corrects` is the instance ID that it replaces."""
    return INSTANCE.format(
        form_id=form_id,
        version=version,
        name=name,
        age=age,
        photo=photo,
        instance_id=instance_id,
        deprecated=f"<orx:deprecatedID>{corrects}</orx:deprecatedID>" if corrects else "",
        entity_id=entity_id or _entity_id(corrects or instance_id),
    ).encode()


def _entity_id(instance_id: str) -> str:
    """The same for the same record; of version 4, for clients drop anything else."""
    return str(uuid.UUID(bytes=uuid.uuid5(uuid.NAMESPACE_URL, instance_id).bytes, version=4))
