"""No function of `metadata` that a request runs does more among many rows than among few."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moorage import metadata
from moorage.metadata.database import Transaction
from tests.contract.metadata.growth.arguments import BY_FUNCTION, calls_of
from tests.contract.metadata.growth.conftest import Filling, assert_flat
from tests.contract.metadata.growth.exempt import EXEMPT
from tests.support.filled import Filled

Function = Callable[..., Any]
_NOT_OF_REQUESTS = ("engines.", "migration.", "migrations.")


def functions() -> Iterator[tuple[str, Function]]:
    """The public functions of `metadata` that run statements, by module and name."""
    for module in pkgutil.walk_packages(metadata.__path__, "moorage.metadata."):
        name = module.name.removeprefix("moorage.metadata.")
        if not module.ispkg and not name.startswith(_NOT_OF_REQUESTS):
            for function in vars(importlib.import_module(module.name)).values():
                if _runs_statements(function, module.name):
                    yield f"{name}.{function.__name__}", function


def _runs_statements(candidate: object, module: str) -> bool:
    return (
        inspect.isfunction(candidate)
        and candidate.__module__ == module
        and not candidate.__name__.startswith("_")
        and next(iter(inspect.signature(candidate).parameters), "") == "tx"
    )


FUNCTIONS = dict(functions())


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - EXEMPT.keys()))
def test_a_function_costs_the_same_among_many_rows(name: str, filling: Filling) -> None:
    function = FUNCTIONS[name]

    for call in calls_of(name, function):

        def run(tx: Transaction, filled: Filled, call: Any = call) -> None:
            function(tx, **{parameter: argument(filled) for parameter, argument in call.items()})

        assert_flat(filling, run)


def test_only_functions_that_exist_have_arguments_or_are_exempt() -> None:
    assert set(BY_FUNCTION) | set(EXEMPT) <= set(FUNCTIONS)
