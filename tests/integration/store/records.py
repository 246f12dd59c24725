"""Records laid straight into the tables, for what only reads them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from sync.engine import in_transaction
from sync.models import Form, Submission

FORM = "wawancara"


def add_form(session: Session, project_id: str, now: datetime, form_id: str = FORM) -> None:
    session.add(
        Form(
            project_id=project_id,
            form_id=form_id,
            title=form_id.capitalize(),
            state="open",
            version="1",
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()


def row(project_id: str, number: int, now: datetime, **columns: Any) -> dict[str, Any]:
    """The `number`th record, received so many seconds after `now`."""
    at = now + timedelta(seconds=number)
    return {
        "project_id": project_id,
        "instance_id": f"uuid:{number:06}",
        "form_id": FORM,
        "version": "1",
        "instance_name": f"INF-{number:02}",
        "answers": {},
        "op_id": f"op-{number}",
        "vector": {},
        "revision": 1,
        "review_state": "received",
        "is_deleted": False,
        "account_id": None,
        "device_id": None,
        "received_at": at,
        "updated_at": at,
        "errors": 0,
        "warnings": 0,
        "conflicts": 0,
        "attachments_missing": 0,
        "seq": number,
    } | columns


def add_records(engine: Engine, project_id: str, now: datetime, rows: list[dict[str, Any]]) -> None:
    """A form and these records of it."""

    def add(session: Session) -> None:
        add_form(session, project_id, now)
        session.execute(insert(Submission), rows)

    in_transaction(engine, add)


def xform(form_id: str = FORM, version: str = "1", *, title: str = "Wawancara", question: str = "age") -> bytes:
    """A form of one number, which looks informants up in a CSV and registers one."""
    return f"""<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms"
  xmlns:entities="http://www.opendatakit.org/xforms/entities">
  <h:head><h:title>{title}</h:title>
    <model entities:entities-version="2024.1.0">
      <instance><data id="{form_id}" version="{version}"><who/><{question}/>
        <meta><instanceID/><entity dataset="informan" id="" create="1"><label/></entity></meta></data></instance>
      <instance id="rt" src="jr://file-csv/rt.csv"/>
      <instance id="informan" src="jr://file-csv/informan.csv"/>
      <bind nodeset="/data/who" type="string"/>
      <bind nodeset="/data/{question}" type="int" entities:saveto="{question}"/>
      <bind nodeset="/data/meta/instanceID" type="string" readonly="true()" jr:preload="uid"/>
      <bind nodeset="/data/meta/entity/@id" type="string" readonly="true()"/>
      <bind nodeset="/data/meta/entity/label" calculate="/data/who" type="string" readonly="true()"/>
    </model>
  </h:head>
  <h:body>
    <select1 ref="/data/who"><label>Who</label>
      <itemset nodeset="instance('rt')/root/item"><value ref="name"/><label ref="label"/></itemset></select1>
    <input ref="/data/{question}"><label>{question}</label></input>
  </h:body>
</h:html>""".encode()
