"""What of PromQL can be checked without Prometheus: that words and brackets are in order, which metrics are asked for with which labels, that functions exist.

metrics_of(expression) gives {metric: {label, ...}}; what is wrong is an AssertionError.
"""
import re

TOKEN = re.compile(r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<duration>\d+(?:ms|[smhdwy]))(?![\w.])|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<variable>\$\w+)
                     |(?P<word>[a-zA-Z_:][\w:]*)|(?P<mark>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],:]))""", re.VERBOSE)
FUNCTIONS = {"rate", "increase", "irate", "histogram_quantile", "max_over_time", "min_over_time", "avg_over_time", "predict_linear", "deriv", "clamp_min", "absent", "time", "sum",
             "max", "min", "avg", "count", "topk", "label_values"}
RANGED = {"rate", "increase", "irate", "max_over_time", "min_over_time", "avg_over_time", "predict_linear", "deriv"}
WORDS = {"by", "without", "and", "or", "unless", "on", "ignoring", "group_left", "bool", "offset"}
CLOSES = {"(": ")", "{": "}", "[": "]"}


def tokens_of(expression):
    found, end = [], 0
    expression = expression.strip()
    while end < len(expression):
        match = TOKEN.match(expression, end)
        assert match, f"not PromQL at '{expression[end:]}': {expression}"
        found.append((match.lastgroup, match[match.lastgroup]))
        end = match.end()
    return found


def check_brackets(tokens, expression):
    open_ones = []
    for _, text in tokens:
        if text in CLOSES:
            open_ones.append(CLOSES[text])
        elif text in CLOSES.values():
            assert open_ones and open_ones.pop() == text, f"brackets: {expression}"
    assert not open_ones, f"brackets: {expression}"


def check_ends(tokens, expression):
    operators = set("-+*/%^<>=,") | {"==", "!=", ">=", "<=", "=~", "!~"}
    assert tokens and tokens[-1][1] not in operators and tokens[0][1] not in operators - {"-"}, f"an operator without a side: {expression}"
    for (_, left), (_, right) in zip(tokens, tokens[1:]):
        assert not (left in operators and right in operators - {"-"}), f"two operators: {expression}"


def metrics_of(expression):
    tokens = tokens_of(expression)
    check_brackets(tokens, expression)
    check_ends(tokens, expression)
    metrics, current, inside, grouping = {}, None, False, False
    for i, (kind, text) in enumerate(tokens):
        after = tokens[i + 1][1] if i + 1 < len(tokens) else ""
        if text == "{":
            inside = True
        elif text == "}":
            inside = False
        elif text == ")":
            grouping = False
        elif text == "(" and i and tokens[i - 1][1] in ("by", "without", "on", "ignoring", "group_left"):
            grouping = True
        elif kind != "word" or text in WORDS or grouping:
            continue
        elif inside:
            assert after in ("=", "!=", "=~", "!~"), f"label {text}: {expression}"
            metrics[current].add(text)
        elif after == "(" or text in FUNCTIONS and after in ("by", "without"):
            assert text in FUNCTIONS, f"unknown function {text}: {expression}"
            if text in RANGED:
                closing = i + 1 + next(n for n, (_, t) in enumerate(tokens[i + 1:]) if t == "]" or n == len(tokens) - i - 2)
                assert tokens[closing][1] == "]", f"{text} of no range: {expression}"
        else:
            current = text
            metrics.setdefault(text, set())
    return metrics
