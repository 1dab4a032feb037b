"""The administrator whom the settings name."""

from __future__ import annotations

from api.access.administration import Administration
from api.errors import NAME_TAKEN, ProblemError
from shared.core.access.audit import BY_OPERATOR
from shared.core.access.people import NAME_RULE, PASSWORD_RULE, is_password, is_user_name
from shared.settings import Settings


async def make_first_administrator(administration: Administration, settings: Settings) -> None:
    """Makes the user an administrator, and the account if there is none. Several processes may do it at the same
    time. Raises ValueError if the account has to be made and name or password do not fit: there is no default
    password."""
    name, password = settings.administrator, settings.administrator_password
    if not name:
        return
    users = administration.stores.users
    known = await users.by_login(name)
    if known is None:
        if not is_user_name(name):
            raise ValueError(f"HYPERTASK_ADMINISTRATOR must be a name: {NAME_RULE}")
        if not is_password(password):
            raise ValueError(
                f"HYPERTASK_ADMINISTRATOR_PASSWORD must have {PASSWORD_RULE}: {name!r} has no account yet"
            )
        try:
            await administration.add_user(BY_OPERATOR, name, password=password, administrator=True)
        except ProblemError as error:
            if error.kind is not NAME_TAKEN:
                raise
        return
    if not known[0].administrator:
        await administration.set_administrator(BY_OPERATOR, known[0].id, administrator=True)
