"""Nobody reads in a log what was embedded, or with which key. Runs after all other tests of clients."""

from tests.e2e.clients.stage import OWN_MODEL, Stage
from tests.fakes.openai_vendor import KEY


def test_no_log_holds_a_text_or_a_key(stage: Stage) -> None:
    stage.embed(input=f"{stage.marker} is embedded")
    stage.embed(input=f"{stage.marker} is refused", dimensions=0)
    gemini = {"content": {"parts": [{"text": f"{stage.marker} with its key in the address"}]}}
    stage.post(f"/v1beta/models/{OWN_MODEL}:embedContent?key={stage.workspace.key}", gemini, {})

    logs = stage.logs()

    assert '"request_id"' in logs, "these are not the function's logs"
    assert stage.marker not in logs
    assert KEY not in logs
    for key in stage.operator.keys:
        assert key not in logs
        assert key.rpartition("_")[2] not in logs
