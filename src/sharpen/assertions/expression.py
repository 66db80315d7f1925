"""One-line Python expressions over a case, in a sandbox.

simpleeval walks the syntax tree; what it walks was made harmless before. Only the node types below get through, and no
attribute is ever read: ``x.name(…)`` becomes a call of our own table of methods, ``x.name`` the key ``x['name']``. So
``().__class__`` and its kin lead nowhere by construction. Whatever makes new text or large numbers is charged against a
budget, which bounds time and memory.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import simpleeval

from sharpen.assertions import json_text
from sharpen.assertions.reasons import quoted
from sharpen.errors import suggest

MAX_SOURCE = 1_000
"""Characters of an expression."""
MAX_NUMBER = 4_096
"""Bits of a whole number that an operator may produce."""
MAX_WORK = 2_000_000
"""Characters and elements that one evaluation may produce or search, all operations together."""

NAMES = ("output", "expected", "vars", "context")

_NODES: tuple[type[ast.AST], ...] = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add, ast.Sub,
    ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    ast.In, ast.NotIn, ast.Is, ast.IsNot, ast.IfExp, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Store, ast.Constant,
    ast.Subscript, ast.Slice, ast.Attribute, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.GeneratorExp,
    ast.comprehension,
)  # fmt: skip

_METHODS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("lower", "upper", "casefold", "title", "capitalize", "strip", "lstrip", "rstrip", "removeprefix",
         "removesuffix", "startswith", "endswith", "split", "rsplit", "splitlines", "partition", "rpartition", "find",
         "rfind", "replace", "join", "isdigit", "isdecimal", "isnumeric", "isalpha", "isalnum", "isupper", "islower",
         "istitle", "isspace", "isascii"),
        (str,),
    ),
    **dict.fromkeys(("count", "index"), (str, list, tuple)),
    **dict.fromkeys(("get", "keys", "values", "items"), (dict,)),
}  # fmt: skip


class Expression:
    """A compiled expression. Not for several threads at once: the budget of an evaluation is kept on it."""

    def __init__(self, source: str) -> None:
        """Compile ``source``. Raises ``ValueError`` that says what is not allowed and what is."""
        if len(source) > MAX_SOURCE:
            raise ValueError(f"{len(source)} characters are too many for an expression: write a module:function")
        self._left = 0
        self._functions = self._allowed_functions()
        try:
            tree = ast.parse(source.strip(), mode="eval")
            self._refuse(tree)
            self._tree = _Harmless().visit(tree).body
        except SyntaxError as error:
            hint = "; values of python assertions are no templates: use expected and vars" if "{{" in source else ""
            raise ValueError(f"{quoted(source)} is no Python expression: {error.msg}{hint}") from None
        except (RecursionError, MemoryError):
            raise ValueError("the expression is nested too deeply") from None
        evaluator = simpleeval.EvalWithCompoundTypes(operators=self._operators())
        evaluator.functions = self._functions
        self._source, self._evaluator = source, evaluator

    def __call__(self, names: Mapping[str, Any]) -> Any:
        """The value for ``names``. Raises whatever the expression does wrong."""
        self._left = MAX_WORK
        self._evaluator.names = names
        return self._evaluator.eval(self._source, previously_parsed=self._tree)

    def _refuse(self, tree: ast.AST) -> None:
        bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        known = {*NAMES, *self._functions, *bound}
        for node in ast.walk(tree):
            if not isinstance(node, _NODES):
                raise ValueError(f"{type(node).__name__} is not allowed in an expression: write a module:function")
            if isinstance(node, ast.Name) and node.id not in known:
                public = [name for name in known if not name.startswith(".")]
                raise ValueError(f"unknown name {node.id!r}; {suggest(node.id, public)}")
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                raise ValueError(f"{node.attr!r} is not allowed: names with an underscore in front are out of reach")
            if isinstance(node, ast.comprehension) and any(
                not isinstance(part, ast.Name | ast.Tuple | ast.expr_context) for part in ast.walk(node.target)
            ):
                raise ValueError("a comprehension can only assign to names")
            if isinstance(node, ast.Call):
                _refuse_call(node, self._functions)
            if isinstance(node, ast.Set) and isinstance(node.elts[0], ast.Set):
                raise ValueError("{{ … }} is not filled in here: use the names expected and vars")
            if isinstance(node, ast.keyword) and node.arg is None:
                raise ValueError("** is not allowed in a call")

    def _charge(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise ValueError("the expression makes too much work of this output")

    def _charged(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, paying for the size of what it was given and of what it makes."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self._charge(1 + sum(map(_size, args)))
            result = function(*args, **kwargs)
            self._charge(_size(result))
            return result

        return call

    def _operators(self) -> dict[type[ast.AST], Callable[..., Any]]:
        table: dict[type[ast.AST], Callable[..., Any]] = {
            ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: _multiply, ast.Div: operator.truediv,
            ast.FloorDiv: operator.floordiv, ast.Mod: _modulo, ast.Pow: _power, ast.Not: operator.not_,
            ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Eq: operator.eq, ast.NotEq: operator.ne,
            ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_,
            ast.IsNot: operator.is_not, ast.In: lambda item, whole: item in whole,
            ast.NotIn: lambda item, whole: item not in whole,
        }  # fmt: skip
        return {node: self._charged(function) for node, function in table.items()}

    def _allowed_functions(self) -> dict[str, Callable[..., Any]]:
        table: dict[str, Callable[..., Any]] = {
            "len": len, "min": min, "max": max, "abs": abs, "round": _round, "sum": lambda items: sum(items),
            "any": any, "all": all, "sorted": sorted, "str": str, "int": int, "float": float, "bool": bool,
            "list": list, "set": set, "json": json_text.parse, "search": _search, ".slice": _slice,
        }  # fmt: skip
        table.update({f".{name}": _method(name, types) for name, types in _METHODS.items()})
        return {name: self._charged(function) for name, function in table.items()}


class _Harmless(ast.NodeTransformer):
    """Attributes become keys or calls of our own functions; slices become calls too, so that they are charged."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        keywords = [ast.keyword(arg=keyword.arg, value=self.visit(keyword.value)) for keyword in node.keywords]
        args = [self.visit(arg) for arg in node.args]
        if isinstance(node.func, ast.Attribute):
            return _call(f".{node.func.attr}", [self.visit(node.func.value), *args], keywords)
        return ast.Call(func=node.func, args=args, keywords=keywords)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return ast.Subscript(value=self.visit(node.value), slice=ast.Constant(node.attr), ctx=ast.Load())

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if not isinstance(node.slice, ast.Slice):
            return self.generic_visit(node)
        parts = (node.slice.lower, node.slice.upper, node.slice.step)
        bounds = [self.visit(part) if part else ast.Constant(None) for part in parts]
        return _call(".slice", [self.visit(node.value), *bounds], [])


def _call(name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> ast.Call:
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=args, keywords=keywords)


def _refuse_call(node: ast.Call, functions: Mapping[str, Any]) -> None:
    called = node.func
    if isinstance(called, ast.Attribute):
        if called.attr not in _METHODS:
            raise ValueError(f"unknown method {called.attr!r}; {suggest(called.attr, _METHODS)}")
    elif not isinstance(called, ast.Name) or called.id not in functions:
        names = [name for name in functions if not name.startswith(".")]
        name = called.id if isinstance(called, ast.Name) else ast.unparse(called)
        raise ValueError(f"unknown function {name!r}; {suggest(name, names)}")


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | set | dict) else 0


def _method(name: str, types: tuple[type, ...]) -> Callable[..., Any]:
    def call(value: Any, *args: Any) -> Any:
        if type(value) not in types:
            kinds = " or ".join(kind.__name__ for kind in types)
            raise TypeError(f".{name}() is a method of {kinds}, not of {type(value).__name__}")
        if name == "replace" and len(args) >= 2 and len(value) * (_size(args[1]) + 1) > MAX_WORK:
            raise ValueError(".replace() would make the text too long")
        if name == "join" and args and len(value) * _size(args[0]) + sum(map(_size, args[0])) > MAX_WORK:
            raise ValueError(".join() would make the text too long")
        result = getattr(value, name)(*args)
        return list(result) if name in ("keys", "values", "items") else result

    return call


def _slice(value: Any, lower: Any, upper: Any, step: Any) -> Any:
    return value[lower:upper:step]


def _search(pattern: str, text: str) -> str | None:
    """The first match of a regular expression in ``text``; None when there is none."""
    match = re.search(pattern, text)
    return match.group() if match else None


def _round(number: float, digits: int | None = None) -> float:
    return round(number, digits)


def _multiply(left: Any, right: Any) -> Any:
    size, times = (_size(left), right) if isinstance(right, int) else (_size(right), left)
    if size and isinstance(times, int) and size * times > MAX_WORK:
        raise ValueError("a repetition that long is not allowed")
    return _bounded(left * right)


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MAX_NUMBER:
        raise ValueError("a power that large is not allowed")
    return base**exponent


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise TypeError("% on a text is not allowed")
    return left % right


def _bounded(result: Any) -> Any:
    if isinstance(result, int) and result.bit_length() > MAX_NUMBER:
        raise ValueError("a number that large is not allowed")
    return result
