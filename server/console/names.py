"""What people and devices are called: for pages that show many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext
from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from sync.models import Account, Device, Membership, Project, RemoteName


@dataclass(frozen=True, slots=True)
class Names:
    """By id; an id that is not known reads as "somebody" or "a device"."""

    accounts: Mapping[str, str]
    devices: Mapping[str, str]

    @classmethod
    def of(cls, session: Session, project: Project) -> Names:
        """Everybody who works or has worked in the project, and its devices."""
        owners = select(Device.account_id).where(Device.project_id == project.project_id)
        members = select(Membership.account_id).where(Membership.project_id == project.project_id)
        people = session.execute(
            select(Account.account_id, Account.name)
            .where(
                or_(Account.account_id.in_(owners), Account.account_id.in_(members), Account.is_administrator.is_(True))
            )
            .order_by(Account.name)
        )
        devices = session.execute(
            select(Device.device_id, Device.name).where(Device.project_id == project.project_id).order_by(Device.name)
        )
        strangers = _pairs(
            session.execute(
                select(RemoteName.id, RemoteName.name).where(RemoteName.project_id == project.project_id)
            ).all()
        )
        return cls(strangers | _pairs(people.all()), strangers | _pairs(devices.all()))

    def account(self, account_id: str | None) -> str:
        return self.accounts.get(account_id or "", gettext("somebody")) if account_id else ""

    def device(self, device_id: str | None) -> str:
        return self.devices.get(device_id or "", gettext("a device")) if device_id else ""

    def who(self, account_id: str | None, device_id: str | None = None) -> str:
        """The person, else the device, else the server itself."""
        return self.account(account_id) or self.device(device_id) or gettext("Lapangan")


def _pairs(rows: Sequence[Row[str, str]]) -> dict[str, str]:
    return {row[0]: row[1] for row in rows}
