from typing import Any

import pytest

from tools.policy import (
    CommandRefused,
    arguments_refusal,
    command_refusal,
    environment_refusal,
    require_startable,
)


@pytest.mark.parametrize("command", ["uvx", "npx", "python", "python3", "node", "mcp-server-time"])
def test_the_usual_launchers_are_allowed(command: str) -> None:
    assert command_refusal(command) is None


@pytest.mark.parametrize(
    "command",
    [
        "",
        "bash",
        "sh",
        "/bin/sh",
        "./npx",
        "npx ",
        "npx;id",
        "NPX",
        "/usr/bin/npx",
        "../npx",
        "python3 -c id",
        "docker",
    ],
)
def test_other_commands_are_refused(command: str) -> None:
    assert command_refusal(command)


def test_a_path_is_allowed_if_it_is_listed_as_written(settings: Any) -> None:
    settings.MCP_ALLOWED_COMMANDS = ["/opt/mcp/server"]
    assert command_refusal("/opt/mcp/server") is None
    assert command_refusal("/opt/mcp/../mcp/server")
    assert command_refusal("server")


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "ld_preload", "DYLD_INSERT_LIBRARIES", "GCONV_PATH",
        "GLIBC_TUNABLES", "PATH", "IFS", "ENV", "BASH_ENV", "BASH_FUNC_ls", "PYTHONPATH",
        "PYTHONSTARTUP", "PYTHONHOME",
        "PYTHONINSPECT", "PYTHONBREAKPOINT", "PYTHONWARNINGS", "NODE_OPTIONS", "NODE_PATH", "PERL5OPT",
        "RUBYOPT",        "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "GIT_SSH_COMMAND", "npm_config_node_options",
        "NPM_CONFIG_USERCONFIG",
        "MCPC_ID", "", "A B", "A=B", "1A", "A\n", "Ä",
    ],
)  # fmt: skip
def test_variables_that_change_what_runs_are_refused(name: str) -> None:
    assert environment_refusal([name])


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN",
        "HOME",
        "TZ",
        "HTTPS_PROXY",
        "PYTHONUNBUFFERED",
        "PYTHONUTF8",
        "NODE_ENV",
        "path_to_data",
        "_",
    ],
)
def test_other_variables_are_allowed(name: str) -> None:
    assert environment_refusal([name]) is None


def test_a_refused_start_has_a_reason(settings: Any) -> None:
    require_startable("npx", ["TOKEN"])
    with pytest.raises(CommandRefused, match="MCP_ALLOWED_COMMANDS"):
        require_startable("bash", [])
    with pytest.raises(CommandRefused, match="LD_PRELOAD"):
        require_startable("npx", iter(["TOKEN", "LD_PRELOAD"]))


@pytest.mark.parametrize(
    "name",
    [
        "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
        "PIP_INDEX_URL", "UV_CONFIG_FILE", "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "pip_index_url",
        "PIP_FIND_LINKS",
        "PIP_TRUSTED_HOST", "npm_config_registry",
        "NPM_CONFIG_REGISTRY", "Npm_Config_Registry", "npm_config__scope_registry", "YARN_REGISTRY",
        "YARN_NPM_REGISTRY_SERVER", "COREPACK_NPM_REGISTRY", "pnpm_config_registry", "BUN_CONFIG_REGISTRY",
    ],
)  # fmt: skip
def test_a_server_may_redirect_package_runners_only_where_that_is_allowed(settings: Any, name: str) -> None:
    assert "where packages come from" in str(environment_refusal([name]))
    with pytest.raises(CommandRefused, match=name):
        require_startable("npx", [name])
    settings.MCP_ALLOW_PACKAGE_INDEXES = True
    assert environment_refusal([name]) is None
    require_startable("npx", [name])


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("uvx", ["--index-url", "https://a.example", "server"]),
        ("uvx", ["--index-url=https://a.example", "server"]),
        ("uvx", ["--extra-index-url", "https://a.example", "server"]),
        ("uvx", ["--default-index=https://a.example", "server"]),
        ("uvx", ["--index", "mine=https://a.example", "server"]),
        ("uvx", ["-i", "https://a.example", "server"]),
        ("uvx", ["-ihttps://a.example", "server"]),
        ("uvx", ["-qi", "https://a.example", "server"]),
        ("uvx", ["--find-links", "/tmp/wheels", "server"]),
        ("uvx", ["-f", "/tmp/wheels", "server"]),
        ("uvx", ["--config-file", "/tmp/uv.toml", "server"]),
        ("uvx", ["--allow-insecure-host", "a.example", "server"]),
        ("uvx", ["--python", "3.12", "--quiet", "--index-url", "https://a.example", "server"]),
        ("uvx", ["--from", "server", "--with", "more", "--index-url", "https://a.example", "start"]),
        ("/usr/bin/uvx", ["--index-url", "https://a.example", "server"]),
        ("uv", ["tool", "run", "--index-url", "https://a.example", "server"]),
        ("pipx", ["run", "--index-url", "https://a.example", "server"]),
        ("pipx", ["run", "--pip-args=--index-url=https://a.example", "server"]),
        ("python3", ["-m", "pipx", "run", "--index-url", "https://a.example", "server"]),
        ("python", ["-I", "-muv", "tool", "run", "-i", "https://a.example", "server"]),
        ("npx", ["--registry", "https://a.example", "server"]),
        ("npx", ["-y", "--registry=https://a.example", "server"]),
        ("npx", ["--REGISTRY=https://a.example", "server"]),
        ("npx", ["--regis", "https://a.example", "server"]),
        ("npx", ["-registry", "https://a.example", "server"]),
        ("npx", ["--@scope:registry=https://a.example", "@scope/server"]),
        ("npx", ["--userconfig=/tmp/npmrc", "server"]),
        ("npx", ["-p", "server", "--registry", "https://a.example", "start"]),
        ("npm", ["exec", "server", "--registry=https://a.example"]),
        ("pnpm", ["dlx", "--registry=https://a.example", "server"]),
        ("bunx", ["--registry", "https://a.example", "server"]),
    ],
)
def test_arguments_may_not_redirect_a_package_runner(settings: Any, command: str, args: list[str]) -> None:
    refusal = str(arguments_refusal(command, args))
    assert "where packages come from" in refusal
    assert "a.example" not in refusal
    settings.MCP_ALLOWED_COMMANDS = [command]
    with pytest.raises(CommandRefused, match="where packages come from"):
        require_startable(command, [], args)
    settings.MCP_ALLOW_PACKAGE_INDEXES = True
    assert arguments_refusal(command, args) is None
    require_startable(command, [], args)


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("uvx", ["server", "--index", "notes"]),
        ("uvx", ["--from", "server", "start", "-i", "5"]),
        ("uvx", ["--refresh", "server", "--registry", "x"]),
        ("uvx", ["--with", "more", "--", "server", "--index-url", "x"]),
        ("npx", ["-y", "server", "--registry", "https://a.example"]),
        ("npx", ["-y", "@scope/server@1.2.3", "/tmp"]),
        ("npx", ["--yes", "--quiet", "server", "--userconfig", "x"]),
        ("python3", ["server.py", "--index-url", "x"]),
        ("python3", ["-m", "server", "--index-url", "x"]),
        ("python3", ["-i"]),
        ("node", ["server.js", "--registry", "x"]),
    ],
)
def test_the_servers_own_arguments_are_its_own_business(command: str, args: list[str]) -> None:
    assert arguments_refusal(command, args) is None
