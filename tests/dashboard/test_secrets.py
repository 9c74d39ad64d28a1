"""The token reaches no log, whichever way it is sent; real server, scheduler and commands."""

import subprocess
import sys
from pathlib import Path

from .conftest import AGENT, ROOT, serving


def test_a_token_in_an_address_a_header_an_id_or_a_reason_is_in_no_log(own: Path) -> None:
    with serving(own) as server:
        token = server.token
        for path in (f"/api/live/agents?token={token}", f"/api/live/{token}", f"/?token={token}"):
            server.call("GET", path, X_Token=token)
            server.call("GET", path, token=None)
        assert server.live("POST", "/scheduler/start").status == 200
        assert server.live("POST", f"/agents/{AGENT}/stop", {"request_id": token}).status == 200
        assert server.live("POST", "/emergency-stop", {"reason": f"asked with {token}"}).status == 200
    rearm = [sys.executable, "-m", "livetrading", "--home", str(own), "rearm"]
    subprocess.run(rearm, cwd=ROOT, check=True, capture_output=True, timeout=60)
    log = (own / "logs" / "livetrading.log").read_text()
    assert f"request *** pause {AGENT}" in log and "asked with ***" in log
    logs = [server.log, *own.glob("logs/*"), *own.glob("commands/*.log")]
    assert [str(path) for path in logs if token in path.read_text(errors="replace")] == []
