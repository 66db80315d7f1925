import fractions
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.assertions.base import Verdict
from sharpen.assertions.expression import Expression
from sharpen.assertions.python_code import read_answer
from sharpen.errors import ErrorKind

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("function", "case", "passed", "score", "reason"),
    [
        ("passes", {"expected": "x"}, True, 1.0, ""),
        ("passes", {"expected": "y"}, False, 0.0, "the code returned False"),
        ("later", {"case_id": "c7"}, True, 0.75, "case c7"),
        ("instance", {}, True, 1.0, ""),
    ],
)
def test_a_function_beside_the_plan(result, function, case, passed, score, reason):
    found = result("python", "x", value=f"my_assertion_functions:{function}", base_dir=HERE, **case)
    assert (found.passed, found.score, found.reason) == (passed, score, reason)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (True, Verdict(True, 1.0)),
        (1, Verdict(True, 1.0)),
        (0, Verdict(False, 0.0, "the code returned the score 0, below the threshold 0.5")),
        (0.5, Verdict(True, 0.5)),
        (fractions.Fraction(1, 4), Verdict(False, 0.25, "the code returned the score 0.25, below the threshold 0.5")),
        ((False, "no"), Verdict(False, 0.0, "no")),
        ((0.6, "so so"), Verdict(True, 0.6, "so so")),
        ({"pass": True, "score": 0.1, "reason": "r"}, Verdict(True, 0.1, "r")),
        ({"pass": False, "reason": None}, Verdict(False, 0.0)),
        ({"score": 0.9}, Verdict(True, 0.9)),
        ({"pass": False, "score": 0.9, "reason": 5}, Verdict(False, 0.9, "5")),
        (Verdict(True, 0.3, "mine"), Verdict(True, 0.3, "mine")),
    ],
)
def test_what_code_may_return(answer, verdict):
    assert read_answer(answer, 0.5) == verdict


def test_numpys_bool_is_a_bool():
    numpy = pytest.importorskip("numpy")
    assert read_answer(numpy.bool_(True), 0.5) == Verdict(True, 1.0)
    assert read_answer(numpy.float32(0.25), 0.2) == Verdict(True, 0.25)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "returned None; expected a bool"),
        ("yes", "returned 'yes'"),
        (2, "score 2; expected one in 0..1"),
        (-0.1, "score -0.1"),
        (float("nan"), "score nan"),
        (1j, "returned 1j"),
        ((True, 3), "returned"),
        ({}, "expected the keys"),
        ({"passed": True}, "expected the keys"),
        ({"pass": "yes", "score": 1}, "'yes' as pass"),
        ({"score": "high"}, "returned 'high'"),
    ],
)
def test_what_code_may_not_return(result, answer, says):
    with pytest.raises((TypeError, ValueError), match=says):
        read_answer(answer, 0.5)
    found = result("python", "x", value="my_assertion_functions:answer", base_dir=HERE, variables={"answer": answer})
    assert found.error is ErrorKind.ASSERTION_CRASH


CASE = {
    "output": "Billing: 42 items",
    "expected": "billing",
    "vars": {"limit": 50, "tags": ["a", "b"], "get": 1},
    "context": {"latency_ms": 12.5, "cost": None},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("output.lower().startswith(expected)", True),
        ("len(output) <= vars.limit", True),
        ("vars['tags'][-1] == 'b' and vars.tags[0] == 'a'", True),
        ("vars.get", 1),
        ("vars.get('missing', 7)", 7),
        ("context.latency_ms < 20 and context.cost is None", True),
        ("any(tag in output for tag in vars.tags)", False),
        ("all([len(tag) == 1 for tag in vars.tags if tag != 'c'])", True),
        ("sum(1 for c in output if c.isdigit()) / len(output)", 2 / 17),
        ("int(search('[0-9]+', output)) == 42", True),
        ("search('^x', output)", None),
        ("output[::-1][:5]", "smeti"),
        ("output[0] + output[-1] * 3", "Bsss"),
        ("json('{\"a\": [1, 2]}').a[1]", 2),
        ("sorted(vars.tags, key=len)", ["a", "b"]),
        ("max(output.split(), key=len)", "Billing:"),
        ("list(vars.keys())", ["limit", "tags", "get"]),
        ("-abs(-3) ** 2 % 5", -9 % 5),
        ("round(2 / 3, 2)", 0.67),
        ("'x' if expected not in output else 'y'", "x"),
        ("not (1 < 2 <= 2 != 3)", False),
        ("{'a': 1}['a'] + len({1, 2}) + len((1, 2)) + 7 // 2", 8),
        ("'-'.join(vars.tags).replace('-', ', ')", "a, b"),
        ("min(3, 1) - +2", -1),
        ("2 ** 10", 1024),
        ("3 * 'ab'", "ababab"),
        ("str(1.5) + 'a'.upper()", "1.5A"),
    ],
)
def test_expressions(source, value):
    expression = Expression(source)
    assert expression(CASE) == value
    assert expression(CASE) == value


def test_an_expression_is_code_and_never_a_template(result):
    assert result("python", "{{ expected }}", value="'{{ ' + 'expected' + ' }}' == output").passed
    assert result("python", "x", value="expected is None").passed
    assert result("python", "abc", value="search('b', output)").passed
    assert not result("python", "abc", value="search('x', output)").passed
    assert result("python", "abc", value="{'score': 0.9, 'reason': 'near'}").reason == "near"


REFUSED = [
    "().__class__",
    "().__class__.__bases__[0].__subclasses__()",
    "output.__len__()",
    "''.format(1)",
    "output.format_map(vars)",
    "'{0.__class__}'.format(output)",
    "f'{output.__class__}'",
    "f'{1:1000000000d}'",
    "open('/etc/passwd')",
    "__import__('os')",
    "import os",
    "eval('1')",
    "exec('1')",
    "compile('1', '', 'eval')",
    "getattr(output, 'x')",
    "type(output)",
    "globals()",
    "vars()",
    "lambda: 1",
    "(lambda: 1)()",
    "(x := 5)",
    "x = 5",
    "output; expected",
    "[*output]",
    "len(*[output])",
    "len(**{})",
    "{k: 1 for k in output}",
    "{k for k in output}",
    "await output",
    "yield 1",
    "output.encode('utf-8')",
    "output.ljust(10)",
    "output.translate({})",
    "unknown + 1",
    "output.lowr()",
    "lenn(output)",
    "vars.tags.append(1)",
    "1 << 100",
    "~1",
    "",
    "{{ expected }}",
    "output == {{ expected }}",
    "'" + "x" * 1000 + "'",
    "-" * 900 + "1",
    "(" * 300 + "1" + ")" * 300,
    "\x00",
    "str.mro()",
    "vars._private",
    "len.__self__",
    "[].__class__()",
    "[c for c.__class__ in output]",
    "[1 for vars['x'] in output]",
]


@pytest.mark.parametrize("source", REFUSED)
def test_the_sandbox_refuses_before_anything_runs(source):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the reasons differ
        Expression(source)
    assert str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "9**9**9",
        "9999999 ** 9999999",
        "2 ** -100000",
        "'a' * 999999999",
        "999999999 * output",
        "[0] * 999999999",
        "'%1000000000d' % 5",
        "output.replace('', 'x' * 99999).replace('x', 'y' * 99999)",
        "('x' * 9999).join('y' * 9999)",
        "('x' * 9999).join(['y' * 99] * 999)",
        "('x' * 999).replace('x', 'y' * 9999)",
        "2 ** 1000 * " * 4 + "2 ** 1000",
        "[output * 1000 for a in 'x' * 9999]",
        "[output[0:] + a for a in 'x' * 99999]",
        "[1 for a in output * 50 for b in output * 50 for c in output * 50]",
        "sum([c * 1000 for c in output], [])",
        "9.9 ** 99999",
        "(2 ** 2000) ** 3",
        "vars['__class__']",
        "output['upper']",
        "len.x",
        "output.limit",
        "vars.lower()",
        "int('9' * 5000)",
        "json('[' * 5000)",
        "1 / 0",
    ],
)
def test_the_sandbox_refuses_while_running(source):
    expression = Expression(source)
    start = time.process_time()
    with pytest.raises(Exception) as refused:  # noqa: PT011 - the reasons differ
        expression(CASE)
    assert str(refused.value)
    assert time.process_time() - start < 2


def test_a_refusal_names_what_would_be_right():
    with pytest.raises(ValueError, match=r"unknown method 'lowr'; did you mean 'lower'\?"):
        Expression("output.lowr()")
    with pytest.raises(ValueError, match=r"unknown name 'ouput'; did you mean 'output'\?"):
        Expression("ouput == 'x'")
    with pytest.raises(ValueError, match="unknown function 'lenght'; did you mean"):
        Expression("lenght(output)")
    with pytest.raises(ValueError, match="use the names expected and vars"):
        Expression("output == {{ expected }}")
    with pytest.raises(ValueError, match="use expected and vars"):
        Expression("output == {{ expected | upper(1 }}")


ALPHABET = st.sampled_from([
    "output", "expected", "vars", "context", "len", "json", "search", "any", "__class__", "mro", "open", ".", "(", ")",
    "[", "]", "{", "}", "'", '"', ",", ":", "+", "*", "**", "-", "/", "%", "<", "==", "in", "not", "for", "if", "else",
    "lambda", "0", "9", "99999", "'a'", "x", "_", "f'", "#", "=", "\\", "@",
])  # fmt: skip


@given(st.lists(ALPHABET, max_size=12).map(" ".join), st.text(max_size=10))
@settings(max_examples=100)
def test_any_text_is_an_expression_or_a_clear_refusal(source, output):
    try:
        expression = Expression(source)
    except ValueError:
        return
    try:
        value = expression({**CASE, "output": output})
    except Exception:
        return
    assert type(value).__module__ == "builtins"
