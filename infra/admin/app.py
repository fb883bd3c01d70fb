"""The command as a whole: one group per noun."""

import typer

from infra.admin.commands import catalogue, keys, models, providers, workspaces
from infra.admin.failures import FriendlyGroup

app = typer.Typer(
    cls=FriendlyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may be keys
    help="Keys, workspaces, providers and models of a stage. GATEWAY_STAGE saves typing --stage.",
)
app.add_typer(keys.app, name="keys")
app.add_typer(workspaces.app, name="workspaces")
app.add_typer(providers.app, name="providers")
app.add_typer(models.app, name="models")
app.add_typer(catalogue.app, name="catalogue")
