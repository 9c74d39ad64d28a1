import subprocess
import sys
from pathlib import Path

import pytest

from livetrading.adapters.home import CHECKOUT, Home, check_agent_id, check_model_id
from livetrading.core.errors import BadInput


def test_the_option_wins_over_the_variable_and_the_variable_over_the_default(tmp_path: Path) -> None:
    environ = {"LIVETRADING_HOME": str(tmp_path / "variable")}
    assert Home.resolve(str(tmp_path / "option"), environ).root == tmp_path / "option"
    assert Home.resolve(None, environ).root == tmp_path / "variable"


def test_the_default_is_var_in_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (CHECKOUT / "livetrading" / "adapters" / "home.py").is_file()
    monkeypatch.setattr("livetrading.adapters.home.CHECKOUT", tmp_path)
    assert Home.resolve(None, {}).root == tmp_path / "var"


def test_a_home_is_made_with_its_directories_and_nothing_else(tmp_path: Path) -> None:
    home = Home.resolve(str(tmp_path / "new" / "home"))
    assert sorted(path.name for path in home.root.iterdir()) == ["agents", "cache", "logs", "models"]


@pytest.mark.parametrize("where", ["a file", "a file/below", "\0"])
def test_a_home_that_cannot_be_written_is_refused_in_one_sentence(tmp_path: Path, where: str) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(BadInput) as caught:
        Home.resolve(str(tmp_path / where))
    assert "--home" in str(caught.value) and str(caught.value).count("\n") == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc: no directory that refuses even root")
def test_a_read_only_place_is_refused_even_for_root() -> None:
    with pytest.raises(BadInput, match="/proc/self/home cannot be written"):
        Home.resolve("/proc/self/home")


@pytest.mark.parametrize("agent_id", ["PPO_INTC_001", "SAC_BRK.B_012", "PPO_^GSPC_1000", "PPO_BRK-B_001"])
def test_an_agent_id_becomes_a_directory(tmp_path: Path, agent_id: str) -> None:
    assert Home(tmp_path).agent(agent_id) == tmp_path / "agents" / agent_id


@pytest.mark.parametrize(
    "agent_id",
    ["", "..", "PPO_../x_001", "PPO_INTC_1", "DQN_INTC_001", "PPO_INTC_001\n", "PPO_intc_001", "PPO_/_001",
     "PPO_ABCDEFGHIJKLMNOPQ_001", None, 7],
)  # fmt: skip
def test_no_other_text_becomes_an_agents_directory(agent_id: str) -> None:
    with pytest.raises(BadInput, match="is not an agent id"):
        check_agent_id(agent_id)


def test_a_model_id_becomes_a_directory_and_no_other_text_does(tmp_path: Path) -> None:
    model_id = "PPO_INTC_v20251108_162433"
    assert Home(tmp_path).model(model_id) == tmp_path / "models" / model_id
    for bad in ("PPO_INTC_v2025", "../PPO_INTC_v20251108_162433", "PPO_INTC_v20251108_162433/..", ""):
        with pytest.raises(BadInput, match="is not a model id"):
            check_model_id(bad)


def test_the_emergency_stops_modules_import_the_standard_library_alone() -> None:
    code = (
        "import sys; import livetrading.adapters.halt, livetrading.adapters.home, livetrading.adapters.locks;"
        "names = {name.partition('.')[0] for name in sys.modules};"
        "print(sorted(names - set(sys.stdlib_module_names) - {'livetrading', '__main__'}))"
    )
    # -S: without what the environment itself imports at start-up
    found = subprocess.run([sys.executable, "-S", "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
