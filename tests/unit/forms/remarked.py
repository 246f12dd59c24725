"""XForms that say something on which no check acts: the remark, where it belongs, and the parts of the form."""

from __future__ import annotations

REMARKED: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
    ("bind-without-question", ("nowhere",), {"binds": '<bind nodeset="/data/nowhere" type="int"/>'}),
    ("unknown-type", ("name",), {"binds": '<bind nodeset="/data/name" type="tel"/>'}),
    ("bound-twice", ("name",), {"binds": '<bind nodeset="/data/name"/><bind nodeset="/data/name" required="1"/>'}),
    ("unknown-element", (), {"body": '<input ref="/data/name"/><matrix/>'}),
    (
        "asked-twice",
        ("name",),
        {
            "body": '<select1 ref="/data/name"><item><value>a</value></item></select1>'
            '<select1 ref="/data/name"><item><value>b</value></item></select1>'
        },
    ),
    (
        "choices-not-checked",
        ("name",),
        {"body": """<select1 ref="/data/name"><itemset nodeset="instance('a')/root/x[y=1]/item"/></select1>"""},
    ),
    ("sealed", (), {"binds": '<submission base64RsaPublicKey="MIIB"/>'}),
    ("sent-elsewhere", (), {"binds": '<submission action="https://example.org/s" method="post"/>'}),
]
