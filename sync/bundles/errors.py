"""What is refused about bundles."""

from __future__ import annotations

from forms.errors import Kind, Problem


class NotABundle(Problem):
    """This file is no bundle, or it was cut short on the way. Nothing was changed; copy it again from its origin."""

    slug = "bundle/not-a-bundle"


class BundleDamaged(Problem):
    """This bundle is not as it was made: something was lost or changed. Nothing was changed here; copy it again."""

    kind = Kind.CONFLICT
    slug = "bundle/damaged"


class NewerBundle(Problem):
    """This bundle was made by a newer version of the program. Install that version, then import it again."""

    kind = Kind.CONFLICT
    slug = "bundle/newer"


class UnknownSigner(Problem):
    """This is signed by a server that is not trusted here. If that server shows the same fingerprint, trust its key."""

    kind = Kind.FORBIDDEN
    slug = "bundle/unknown-signer"


class UnknownProject(Problem):
    """The project of this bundle is not here. If its server shows the same fingerprint, take the project over."""

    kind = Kind.NOT_FOUND
    slug = "bundle/unknown-project"


class OtherProject(Problem):
    """This bundle is of another project. Upload it on the page Servers of that one."""

    kind = Kind.CONFLICT
    slug = "bundle/other-project"


class ShutOut(Problem):
    """The server that signed this was shut out here. Nothing was changed; trust its key again to take it after all."""

    kind = Kind.FORBIDDEN
    slug = "bundle/shut-out"


class OtherFingerprint(Problem):
    """Another server has signed this than the one you named. Nothing was changed; ask where the bundle comes from."""

    kind = Kind.FORBIDDEN
    slug = "bundle/other-fingerprint"


class BundleExists(Problem):
    """There is a file of this name already. Choose another name for the bundle."""

    kind = Kind.CONFLICT
    slug = "bundle/file-exists"


class NoRoomForBundle(Problem):
    """There is no room for the bundle, or this disk takes no file of its size (FAT32: 4 GB). Use another disk."""

    kind = Kind.FULL
    slug = "bundle/no-room"
