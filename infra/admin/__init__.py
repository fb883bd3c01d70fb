"""The operator's command: keys, workspaces, providers and models of a stage (`.venv/bin/gateway --help`)."""


def main() -> None:
    """Run the command with the arguments of this process."""
    from infra.admin.app import app  # noqa: PLC0415  # boto3 and Rich are for those who run it

    app(prog_name="gateway")
