"""What is refused about other servers."""

from __future__ import annotations

from forms.errors import Kind, Problem


class NoSuchPeer(Problem):
    """There is no other server of this name. See which there are with: lapangan peer list"""

    kind = Kind.NOT_FOUND
    slug = "peer/not-found"


class OwnServer(Problem):
    """This is the address or the key of this very server. Give the one that the other server shows."""

    kind = Kind.CONFLICT
    slug = "peer/own-server"


class NotAServerCode(Problem):
    """The other server is older, or this is not a code for servers. Ask its manager for one on the page Servers."""

    slug = "peer/not-a-server-code"


class TokenUnreadable(Problem):
    """The access to this server was kept under another secret key. Ask it for a new code, and connect again with it."""

    kind = Kind.CONFLICT
    slug = "peer/token-unreadable"


class NoLine(Problem):
    """This server is known by its bundles only: there is no address to exchange with. Make a bundle for it."""

    kind = Kind.CONFLICT
    slug = "peer/no-line"


class NotKnownThere(Problem):
    """The other server no longer knows this one, or has shut it out. Ask its manager for a new code and connect with
    it; what was exchanged stays, and what it has not got waits here."""

    kind = Kind.UNAUTHENTICATED
    slug = "peer/not-known-there"


class NameTaken(Problem):
    """Another server of this project has this name already. Choose another one."""

    kind = Kind.CONFLICT
    slug = "peer/name-taken"


class Overtaken(Problem):
    """The other server was restored from a backup meanwhile, and another exchange with it has begun anew. Nothing is
    lost: what is missing goes with that one."""

    kind = Kind.CONFLICT
    slug = "peer/overtaken"
