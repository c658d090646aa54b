"""Configurations as files of their own folder, and what loading them says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sre_agent_deploy.config import Mode
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_core.problem import Problem

type Loaded = Config | tuple[Problem, ...]
type Load = Callable[..., Loaded]


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Write a text to a file and load it."""

    def loading(text: str, *, environ: Mapping[str, str] | None = None, mode: Mode | None = "local", name: str = "config.yaml") -> Loaded:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return load(path, environ=environ or {}, mode=mode)

    return loading


@pytest.fixture
def config_of(load_text: Load) -> Callable[..., Config]:
    """The Config of a text that has nothing wrong with it."""

    def loading(text: str, **options: object) -> Config:
        loaded = load_text(text, **options)
        assert isinstance(loaded, Config), "\n".join(map(str, loaded))
        return loaded

    return loading


@pytest.fixture
def problems_of(load_text: Load) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a text that has some."""

    def loading(text: str, **options: object) -> tuple[Problem, ...]:
        loaded = load_text(text, **options)
        assert not isinstance(loaded, Config), "nothing was found"
        return loaded

    return loading
