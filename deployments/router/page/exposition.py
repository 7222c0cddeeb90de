"""Metrics of all nodes as one text that Prometheus reads: of what Ray's exporters give, laar's own families."""

from collections.abc import Iterator, Sequence

PREFIX = "ray_laar_"


def merged(texts: Sequence[str | None]) -> str:
    """The families of all exporters, each once with its series from everywhere; None is one that did not answer."""
    heads: dict[str, dict[str, str]] = {}
    series: dict[str, list[str]] = {}
    for text in texts:
        family = ""
        for line in (text or "").splitlines():
            if line.startswith("# "):
                _, kind, family, *_ = line.split(" ", 3)
                if family.startswith(PREFIX):
                    heads.setdefault(family, {}).setdefault(kind, line)
            elif family.startswith(PREFIX):
                series.setdefault(family, []).append(line)
    lines = [line for family, head in heads.items() for line in (*head.values(), *series.get(family, ()))]
    return "\n".join([*lines, *_exporters(texts), ""])


def _exporters(texts: Sequence[str | None]) -> Iterator[str]:
    unread = sum(text is None for text in texts)
    yield "# HELP laar_exporters Nodes of the cluster whose series are in this text, and those that did not answer."
    yield "# TYPE laar_exporters gauge"
    yield f'laar_exporters{{read="true"}} {len(texts) - unread}'
    yield f'laar_exporters{{read="false"}} {unread}'
